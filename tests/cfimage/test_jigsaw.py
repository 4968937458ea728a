"""The jigsaw's network: siamese, in order, and its trunk on whole images."""

from __future__ import annotations

import pytest
import torch

from cfimage.jigsaw import PATCH_DIM, JigsawNetwork
from cfimage.modality import IMAGE, build_network
from cfvideo.core.flops import forward_flops

SMALL = {"arch": "resnet", "blocks": (1, 1, 1, 1), "widths": (8, 8, 16, 24)}


def network(num_classes: int = 20) -> JigsawNetwork:
    built = build_network(num_classes=num_classes, task="jigsaw", **SMALL)
    assert isinstance(built, JigsawNetwork)
    built.initialise(torch.Generator().manual_seed(0))
    return built.eval()


def patches(batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 9, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_the_papers_network() -> None:
    """ResNet-50's trunk and a 2048 -> 1000 projection are torchvision's 25,557,032; then batch norm 2 * 1000 and
    9,000 * 2,000 + 2,000."""
    with torch.device("meta"):
        built = build_network(num_classes=2000, task="jigsaw", arch="resnet50", blocks=(), widths=())
    assert sum(weight.numel() for weight in built.parameters()) == 25_557_032 + 2 * 1000 + 9000 * 2000 + 2000
    assert (built.feature_dim, built.fc.in_features) == (2048, 9 * PATCH_DIM)
    # Nine patches of 64 pixels: 9 * (64 / 224)^2 of an image of 224 pixels' 8.18 GFLOP, but for the heads.
    assert forward_flops(built, (9, 3, 64, 64)) == pytest.approx(9 * 64**2 / 224**2 * 8.18e9, rel=0.03)


def test_every_patch_goes_through_the_trunk_alone() -> None:
    built, data = network(), patches()
    alone = torch.stack([built.project(built.trunk(data[:, cell])) for cell in range(9)], dim=1)
    torch.testing.assert_close(built(data), built.fc(alone.flatten(1)), rtol=1e-4, atol=1e-6)


def test_the_order_of_the_patches_matters() -> None:
    built, data = network(), patches()
    assert built(data).shape == (3, 20)
    assert not torch.allclose(built(data), built(data.flip(1)))


def test_on_whole_images_it_is_its_trunk() -> None:
    built, images = network(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    assert built.layers == ("conv1", "res2", "res3", "res4", "res5")
    torch.testing.assert_close(built.features(images), built.trunk.features(images))
    found = built.pooled(images, ("res4", "res4.grid"))
    assert {name: tuple(value.shape) for name, value in found.items()} == {"res4": (2, 16), "res4.grid": (2, 16 * 64)}


def test_it_is_drawn_from_its_generator_alone() -> None:
    one, two = network().state_dict(), network().state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["fc.weight"].std() == pytest.approx(0.01, rel=0.05)
    assert one["trunk.fc.weight"].std() == pytest.approx(0.01, rel=0.05)


def test_other_tasks_take_the_plain_network() -> None:
    plain = IMAGE.build_network(num_classes=4, task="rotnet", **SMALL)
    assert plain(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
    assert IMAGE.pretext_classes("rotnet", {}) == 4
