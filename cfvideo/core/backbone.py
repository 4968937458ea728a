"""What the core asks of a network, whatever the modality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn

# Names of layers that end so are of a pooled map that kept its cells: [C * h * w], channel by channel.
GRID = ".grid"


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

    def pooled(self, data: torch.Tensor, /, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """data [B, ...] -> {layer: globally averaged features [B, D of that layer]}, all in one forward pass.

        Raises:
            ValueError: the network has no such layer.
        """

    def features(self, data: torch.Tensor, /, layer: str = ...) -> torch.Tensor:
        """data [B, ...] -> `pooled` of one layer, by default of the last: [B, feature_dim]."""

    def __call__(self, data: torch.Tensor, /) -> torch.Tensor:
        """data [B, ...] -> logits [B, num_classes]."""
