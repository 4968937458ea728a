"""How a layer's features are scaled before a classifier sees them; statistics come from its training rows alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import batch_norm

from cfvideo.core.transfer.samples import Features, row_blocks

SCALINGS = ("standardise", "batch_norm", "none")
_EPSILON = 1e-5
_BATCH_NORM_MOMENTUM = 0.1


class Scaling:
    """float32 [B, D] -> float32 [B, D], on one device.

    standardise: mean 0 and deviation 1 over all training rows. batch_norm: of each mini-batch while training, running
    averages afterwards, scale 1 and shift 0 (fair_self_supervision_benchmark's imagenet_linear_tune configs), over all
    cells of a channel together. none: as they are.

    Args:
        num_cells: of the pooled map that a feature is of, channel by channel; 1: a number per channel.
    """

    def __init__(self, kind: str, features: Features, rows: NDArray[np.int64], device: torch.device, *,
                 num_cells: int = 1) -> None:
        self.kind, dim = kind, features.shape[2]
        self.num_cells = num_cells if kind == "batch_norm" else 1
        mean, variance = np.zeros(dim // self.num_cells), np.ones(dim // self.num_cells)
        if kind == "standardise":
            mean, variance = moments(features, rows)
        self.mean = torch.from_numpy(mean).to(device, torch.float32)
        self.variance = torch.from_numpy(variance).to(device, torch.float32)

    def training(self, data: Tensor) -> Tensor:
        """A mini-batch of training rows; a single number has no deviation of its own and takes the averages."""
        if self.kind == "batch_norm" and len(data) * self.num_cells > 1:
            maps = data.view(len(data), -1, self.num_cells)
            return batch_norm(maps, self.mean, self.variance, training=True, momentum=_BATCH_NORM_MOMENTUM,
                              eps=_EPSILON).view_as(data)
        return self(data)

    def __call__(self, data: Tensor) -> Tensor:
        if self.kind == "none":
            return data
        mean, variance = (one.repeat_interleave(self.num_cells) for one in (self.mean, self.variance))
        return (data - mean) / (variance + _EPSILON).sqrt()


def moments(features: Features, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance float64 [D] over some rows and all their clips, in two passes, a block at a time."""
    total = np.zeros(features.shape[2])
    for block in row_blocks(rows):
        total += features[block].sum(axis=(0, 1), dtype=np.float64)
    mean = total / (len(rows) * features.shape[1])
    total = np.zeros(features.shape[2])
    for block in row_blocks(rows):
        total += ((features[block] - mean) ** 2).sum(axis=(0, 1))
    return mean, total / (len(rows) * features.shape[1])


def on_device(features: Features, device: torch.device) -> Tensor:
    """[B, n, D] -> float32 [B n, D]."""
    flat = features.reshape(-1, features.shape[2])
    return torch.from_numpy(np.ascontiguousarray(flat)).to(device).float()
