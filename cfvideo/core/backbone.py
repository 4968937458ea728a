"""What the core asks of a network, whatever the modality."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn


class Backbone(Protocol):
    """A torch module with named stages and a linear head called `fc`.

    layers: stage names from the input to the penultimate layer, e.g. conv1, res2 ... res5.
    feature_dim: D, the length of the last layer's pooled feature.
    """

    layers: tuple[str, ...]
    feature_dim: int
    fc: nn.Linear

    def initialise(self, generator: torch.Generator, /) -> None:
        """Draw every weight anew from `generator`."""

    def features(self, data: torch.Tensor, /, layer: str = ...) -> torch.Tensor:
        """data [B, ...] -> globally averaged features [B, D] of one layer."""

    def __call__(self, data: torch.Tensor, /) -> torch.Tensor:
        """data [B, ...] -> logits [B, num_classes]."""
