"""The network of the jigsaw task: a trunk that sees each patch by itself, and a head that sees all nine."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cfimage.jigsaw_order import CELLS
from cfimage.resnet import ImageResNet

# Numbers per patch that the head sees (Goyal et al., 2019, as VISSL has it).
PATCH_DIM = 1000


class JigsawNetwork(nn.Module):
    """A siamese ResNet under a head that tells permutations apart (the paper's appendix D; VISSL's layers).

    Every patch goes through the trunk alone, then through a projection that all patches share (linear, batch norm,
    ReLU); the nine projections are concatenated, 9,000 numbers, for the last linear layer. On whole images the network
    is its trunk: `pooled` and `features` take [B, 3, H, W].

    Args:
        trunk: its own head, `trunk.fc`, is the projection's linear layer, of PATCH_DIM outputs.
    """

    def __init__(self, trunk: ImageResNet, *, num_classes: int) -> None:
        super().__init__()
        self.trunk, self.layers, self.feature_dim = trunk, trunk.layers, trunk.feature_dim
        self.project = nn.Sequential(nn.BatchNorm1d(PATCH_DIM), nn.ReLU(inplace=True))
        self.fc = nn.Linear(CELLS * CELLS * PATCH_DIM, num_classes)

    def initialise(self, generator: torch.Generator) -> None:
        """The trunk as always; unit batch norm; N(0, 0.01) head."""
        self.trunk.initialise(generator)
        for module in self.project:
            if isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()
        nn.init.normal_(self.fc.weight, 0.0, 0.01, generator=generator)
        nn.init.zeros_(self.fc.bias)

    def pooled(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """images [B, 3, H, W] -> {layer: [B, D]}, the trunk's."""
        return self.trunk.pooled(images, layers)

    def features(self, images: Tensor, layer: str = "res5") -> Tensor:
        """images [B, 3, H, W] -> [B, D] of one layer, the trunk's."""
        return self.trunk.features(images, layer)

    def forward(self, patches: Tensor) -> Tensor:
        """patches [B, 9, 3, P, P], in the order that is asked for -> logits [B, num_classes]."""
        projected: Tensor = self.project(self.trunk(patches.flatten(0, 1)))
        logits: Tensor = self.fc(projected.reshape(len(patches), self.fc.in_features))
        return logits
