"""ResNets for images against torchvision's own, published sizes, and the pooling table of linear probes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from cfimage.resnet import LAYERS, ImageResNet, build_resnet, grid_pooled
from cfvideo.core.errors import ConfigError

SMALL: dict[str, Any] = {"arch": "resnet", "blocks": (1, 2, 1, 1), "widths": (4, 6, 8, 10)}


def small(seed: int = 0, num_classes: int = 5) -> ImageResNet:
    network = build_resnet(num_classes=num_classes, **SMALL)
    network.initialise(torch.Generator().manual_seed(seed))
    return network


def images(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scrambled(network: nn.Module) -> nn.Module:
    """The network with batch statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(3)
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


@pytest.mark.parametrize(("arch", "num_parameters", "dim"), [("resnet18", 11_689_512, 512),
                                                             ("resnet50", 25_557_032, 2048)])
def test_parameter_counts_and_names_are_torchvisions(arch: str, num_parameters: int, dim: int) -> None:
    with torch.device("meta"):
        ours = build_resnet(num_classes=1000, arch=arch)
        theirs = getattr(torchvision.models, arch)()
    assert sum(weight.numel() for weight in ours.parameters()) == num_parameters
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.feature_dim == dim


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_outputs_equal_torchvisions(arch: str) -> None:
    ours = build_resnet(num_classes=7, arch=arch)
    ours.initialise(torch.Generator().manual_seed(0))
    theirs = getattr(torchvision.models, arch)(num_classes=7).eval()
    theirs.load_state_dict(scrambled(ours).state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(ours(images(2, 3, 64, 64)), theirs(images(2, 3, 64, 64)))


@pytest.mark.parametrize(("layer", "dim", "grid"), [
    ("conv1", 64, 9216), ("res2", 256, 9216), ("res3", 512, 8192), ("res4", 1024, 9216), ("res5", 2048, 8192)])
def test_resnet_50_gives_the_published_dimensions(layer: str, dim: int, grid: int) -> None:
    with torch.device("meta"):
        network = build_resnet(num_classes=2, arch="resnet50").eval()
        found = network.pooled(torch.empty(2, 3, 224, 224), (layer, f"{layer}.grid"))
    assert {name: tuple(value.shape) for name, value in found.items()} == {layer: (2, dim), f"{layer}.grid": (2, grid)}


def test_a_published_pool_is_used_where_the_map_has_its_size_and_the_rule_elsewhere() -> None:
    maps = images(1, 512, 28, 28)
    expected = torch.stack([maps[..., top:top + 13, left:left + 13].mean(dim=(2, 3))
                            for top in (0, 5, 10, 15) for left in (0, 5, 10, 15)], dim=-1).flatten(1)
    torch.testing.assert_close(grid_pooled(maps), expected)
    other = images(1, 512, 8, 8)
    torch.testing.assert_close(grid_pooled(other), nn.functional.avg_pool2d(other, 2).flatten(1))


@pytest.mark.parametrize(("channels", "side", "cells"), [(16, 32, 24), (16, 20, 20), (64, 32, 12), (64, 4, 4),
                                                         (9216, 3, 1), (20_000, 3, 1)])
def test_grids_of_small_images_hold_at_most_9216_numbers(channels: int, side: int, cells: int) -> None:
    assert grid_pooled(torch.zeros(1, channels, side, side)).shape == (1, channels * cells * cells)


def test_a_small_network_keeps_32_pixels_until_res3() -> None:
    network = small().eval()
    found = network.pooled(images(2, 3, 32, 32), [f"{layer}.grid" for layer in LAYERS])
    assert [value.shape[1] for value in found.values()] == [4 * 32 * 32, 4 * 32 * 32, 6 * 16 * 16, 8 * 8 * 8, 10 * 16]
    assert network(images(2, 3, 32, 32)).shape == (2, 5)
    assert network.feature_dim == 10


def test_one_pass_gives_what_single_layers_give_and_computes_nothing_above() -> None:
    network, data, reached = small().eval(), images(2, 3, 16, 16), []
    network.get_submodule("layer4").register_forward_hook(lambda *_: reached.append("layer4"))
    together = network.pooled(data, ("conv1", "res4"))
    assert reached == []
    for layer, value in together.items():
        torch.testing.assert_close(value, network.features(data, layer), rtol=0, atol=0)
        torch.testing.assert_close(value, network.pooled(data, (f"{layer}.grid",))[f"{layer}.grid"].reshape(
            2, value.shape[1], -1).mean(dim=2))


def test_layers_that_do_not_exist_are_named_with_those_that_do() -> None:
    for wrong in ("res6", "grid", "res5.grid.grid"):
        with pytest.raises(ValueError, match=rf"{wrong}.*conv1, res2, res3, res4, res5"):
            small().pooled(images(1, 3, 8, 8), ("res5", wrong))


def test_initialise_depends_on_its_generator_alone_and_forgets_what_was_trained() -> None:
    network = small().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    nn.functional.cross_entropy(network(images(4, 3, 16, 16)), torch.tensor([0, 1, 2, 3])).backward()
    optimizer.step()
    assert not _equal(network, small())
    network.initialise(torch.Generator().manual_seed(0))
    assert _equal(network, small())
    assert not _equal(network, small(seed=1))


def _equal(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def test_every_batch_norm_takes_the_epsilon_asked_for() -> None:
    network = build_resnet(num_classes=2, bn_eps=1e-3, **SMALL)
    assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}


def test_wrong_architectures_are_refused() -> None:
    with pytest.raises(ConfigError, match="ARCH x3d_m.*images; allowed: resnet18, resnet50, resnet"):
        build_resnet(num_classes=2, arch="x3d_m")
    with pytest.raises(ValueError, match="one number per stage"):
        build_resnet(num_classes=2, arch="resnet", blocks=(1,), widths=(4, 4, 4, 4))
