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
    averages afterwards, scale 1 and shift 0 (fair_self_supervision_benchmark's imagenet_linear_tune configs), each
    number of a pooled map by itself. none: as they are.
    """

    def __init__(self, kind: str, features: Features, rows: NDArray[np.int64], device: torch.device) -> None:
        self.kind, dim = kind, features.shape[2]
        mean, variance = np.zeros(dim), np.ones(dim)
        if kind == "standardise":
            mean, variance = moments(features, rows)
        self.mean = torch.from_numpy(mean).to(device, torch.float32)
        self.variance = torch.from_numpy(variance).to(device, torch.float32)

    def training(self, data: Tensor) -> Tensor:
        """A mini-batch of training rows; a batch of one row has no deviation of its own and takes the averages."""
        if self.kind == "batch_norm" and len(data) > 1:
            return batch_norm(data, self.mean, self.variance, training=True, momentum=_BATCH_NORM_MOMENTUM,
                              eps=_EPSILON)
        return self(data)

    def __call__(self, data: Tensor) -> Tensor:
        if self.kind == "none":
            return data
        return (data - self.mean) / (self.variance + _EPSILON).sqrt()


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
