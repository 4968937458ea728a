"""A batch of 0 goes through every network, forward and backward: what a process without a sample runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from cfimage.jigsaw import JigsawNetwork
from cfimage.resnet import ARCHITECTURES as IMAGE_NETWORKS
from cfimage.resnet import build_resnet
from cfvideo.core.training.batch_norm import synchronised
from cfvideo.models.zoo import ARCHITECTURES as VIDEO_NETWORKS
from cfvideo.models.zoo import build_network

SIZES = {"blocks": (1, 1, 1, 1), "widths": (4, 6, 8, 10)}
CLIP, IMAGE = (3, 4, 32, 32), (3, 32, 32)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{arch: (lambda arch=arch: build_network(num_classes=3, arch=arch, **SIZES), CLIP) for arch in VIDEO_NETWORKS},
    **{arch: (lambda arch=arch: build_resnet(num_classes=3, arch=arch, **SIZES), IMAGE) for arch in IMAGE_NETWORKS},
    "jigsaw": (lambda: JigsawNetwork(build_resnet(num_classes=1000, arch="resnet", **SIZES), num_classes=3),
               (9, 3, 16, 16)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_none_gives_no_logits_and_gradients_of_zero(name: str) -> None:
    build, shape = NETWORKS[name]
    network = build()
    synchronised(network)
    network.train()
    logits = network(torch.zeros((0, *shape)))
    assert logits.shape == (0, 3)
    logits.sum().backward()
    assert not any(parameter.grad is None or parameter.grad.any() for parameter in network.parameters())
