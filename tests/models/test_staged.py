"""PyTorchVideo's networks behind the protocol: published sizes, their own outputs, a training step."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytorchvideo.models.csn import create_csn
from pytorchvideo.models.r2plus1d import create_r2plus1d
from pytorchvideo.models.resnet import create_resnet
from pytorchvideo.models.x3d import create_x3d
from torch import Tensor, nn

from cfvideo.core.errors import ConfigError
from cfvideo.modality import VIDEO
from cfvideo.models.staged import ARCHITECTURES, LAYERS, StagedNetwork, build_staged

# Their networks for clips of 4 x 32 x 32, without dropout and softmax: what ours must compute.
PLAIN: dict[str, Any] = {"model_num_class": 3, "dropout_rate": 0.0, "head_activation": None}
THEIRS: dict[str, Callable[[], nn.Module]] = {
    "x3d_m": lambda: create_x3d(**PLAIN, input_clip_length=4, input_crop_size=32),
    "slow_r50": lambda: create_resnet(**PLAIN, stem_conv_kernel_size=(1, 7, 7), head_pool_kernel_size=(4, 1, 1)),
    "csn_r101": lambda: create_csn(**PLAIN, model_depth=101, stem_pool=nn.MaxPool3d, head_pool_kernel_size=(1, 1, 1)),
    "r2plus1d_r50": lambda: create_r2plus1d(**PLAIN, head_pool_kernel_size=(1, 1, 1)),
}


def clips(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def built(arch: str, seed: int = 0) -> StagedNetwork:
    network = build_staged(num_classes=3, arch=arch)
    network.initialise(torch.Generator().manual_seed(seed))
    return network


@pytest.mark.parametrize(("arch", "millions"), [("x3d_m", 3.79), ("x3d_l", 6.15), ("slow_r50", 32.45),
                                                ("csn_r101", 22.21), ("r2plus1d_r50", 28.11)])
def test_parameter_counts_are_those_of_pytorchvideos_model_zoo(arch: str, millions: float) -> None:
    with torch.device("meta"):
        network = build_staged(num_classes=400, arch=arch)
    assert round(sum(weight.numel() for weight in network.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize("arch", THEIRS)
def test_logits_equal_pytorchvideos(arch: str) -> None:
    ours, theirs = built(arch).eval(), THEIRS[arch]().eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():  # the ends of residual branches start at 0: give them something to say
        for name, value in (*ours.named_parameters(), *ours.named_buffers()):
            if "norm" in name and name.endswith(("weight", "running_var")):
                value.uniform_(0.5, 1.0, generator=generator)
        names = list(theirs.state_dict())
        theirs.load_state_dict(dict(zip(names, ours.state_dict().values(), strict=True)), strict=True)
        data = clips(2, 3, 4, 32, 32)
        torch.testing.assert_close(ours(data), theirs(data), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_stages_shrink_and_any_clip_gives_one_feature(arch: str) -> None:
    with torch.device("meta"):
        network = build_staged(num_classes=3, arch=arch).eval()
        found = network.pooled(torch.empty(2, 3, 8, 96, 64), LAYERS)
        assert network(torch.empty(2, 3, 8, 96, 64)).shape == (2, 3)
    dims = [value.shape[1] for value in found.values()]
    assert all(value.shape[0] == 2 for value in found.values())
    assert dims == sorted(dims)
    assert dims[-1] == network.feature_dim == 2048


def test_one_pass_gives_what_single_layers_give_and_computes_nothing_above() -> None:
    network, data, reached = built("x3d_m").eval(), clips(1, 3, 4, 32, 32), []
    network.blocks[4].register_forward_hook(lambda *_: reached.append("res5"))
    together = network.pooled(data, ("res4", "conv1"))
    assert reached == []
    assert list(together) == ["res4", "conv1"]
    for layer, value in together.items():
        torch.testing.assert_close(value, network.features(data, layer), rtol=0, atol=0)


def test_an_unknown_layer_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"res6.*conv1, res2, res3, res4, res5"):
        built("x3d_m").pooled(clips(1, 3, 4, 32, 32), ("res5", "res6"))


def test_weights_are_a_function_of_the_generator() -> None:
    def same(one: nn.Module, other: nn.Module) -> bool:
        theirs = other.state_dict()
        return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())

    assert same(built("x3d_m", seed=3), built("x3d_m", seed=3))
    assert not same(built("x3d_m", seed=3), built("x3d_m", seed=4))
    ends = [module for module in built("x3d_m").modules() if getattr(module, "block_final_bn", False)]
    assert len(ends) == 26
    assert all(not module.weight.any() for module in ends)


def test_a_step_of_training_through_the_protocol_lowers_the_loss() -> None:
    network: Any = VIDEO.build_network(num_classes=3, arch="x3d_m", blocks=(), widths=(), midplanes="caffe2")
    network.initialise(torch.Generator().manual_seed(0))
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    data, labels, losses = clips(6, 3, 4, 32, 32), torch.tensor([0, 1, 2, 0, 1, 2]), []
    for _ in range(4):
        loss = nn.functional.cross_entropy(network(data), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] == pytest.approx(1.0986, abs=0.05)  # log 3: a small head knows nothing yet
    assert losses[-1] < losses[0]


def test_without_pytorchvideo_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorchvideo.models.csn", None)
    with pytest.raises(ConfigError, match=r"ARCH x3d_m.*pip install pytorchvideo==0\.1\.5"):
        build_staged(num_classes=2, arch="x3d_m")
