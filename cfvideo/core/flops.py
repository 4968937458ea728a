"""Floating-point operations of a network, counted without computing anything."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cfvideo.core.backbone import Backbone

# A training step costs a forward pass and about two more for the two gradients.
TRAINING_FACTOR = 3


def forward_flops(network: Backbone, sample_shape: tuple[int, ...]) -> int:
    """FLOPs (1 multiply-add = 2) of one sample's forward pass; `network` lives on the meta device."""
    cast(nn.Module, network).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty((1, *sample_shape), device="meta"))
    return int(counter.get_total_flops())


def kmeans_flops(num_rows: int, dim: int, num_clusters: int, num_iterations: int) -> float:
    """2 N K d per iteration: the matrix product of the search."""
    return 2.0 * num_rows * dim * num_clusters * num_iterations
