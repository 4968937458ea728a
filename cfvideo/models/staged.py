"""PyTorchVideo's networks behind the Backbone protocol: X3D, Slow, CSN and R(2+1)D with bottlenecks.

Only the builders of `pytorchvideo.models` are used (`models/{x3d,resnet,csn,r2plus1d}.py`); its hub, which unpickles
downloads, is not. Two things of its heads are left behind: the softmax, because a loss wants logits, and a pooling
window of one clip size, because global averages take any. So is the dropout: our heads read the pooled feature itself.

Shapes: B batch, C channels, T frames, H rows, W columns, D feature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cfvideo.core.errors import ConfigError

LAYERS = ("conv1", "res2", "res3", "res4", "res5")
ARCHITECTURES = ("x3d_m", "x3d_l", "slow_r50", "csn_r101", "r2plus1d_r50")


class StagedNetwork(nn.Module):
    """A stem, four stages and a linear head; see `cfvideo.core.backbone.Backbone` for the protocol it fulfils.

    conv1 is the stem's output, after its max-pool where it has one. X3D widens its last map with two more convolutions
    around the average: its res5 is what they give, the 2,048 numbers that its classifier reads. Names of weights are
    PyTorchVideo's up to the head (see `cfvideo/models/weights/pytorchvideo.py`).
    """

    layers: tuple[str, ...] = LAYERS

    def __init__(self, blocks: Sequence[nn.Module], projection: nn.Module | None, fc: nn.Linear) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        if projection is not None:
            self.blocks.append(projection)
        self.fc = fc
        self.feature_dim = fc.in_features

    def initialise(self, generator: torch.Generator) -> None:
        """As PyTorchVideo draws them (Kaiming fan-out convolutions, batch norms 1/0 but 0 at the end of a residual
        branch, N(0, 0.01) head), from `generator` alone."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm3d):
                module.reset_parameters()
                if getattr(module, "block_final_bn", False):
                    nn.init.zeros_(module.weight)
        nn.init.normal_(self.fc.weight, 0.0, 0.01, generator=generator)
        nn.init.zeros_(self.fc.bias)

    def pooled(self, clips: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """clips [B, 3, T, H, W] -> {layer: globally averaged map [B, C of that layer]}, in one pass that ends at the
        deepest of them.

        Raises:
            ValueError: the network has no such layer.
        """
        if unknown := [name for name in layers if name not in LAYERS]:
            raise ValueError(f"unknown layer {', '.join(unknown)}; allowed: {', '.join(LAYERS)}")
        found, maps = dict[str, Tensor](), clips
        for stage in range(1 + max(LAYERS.index(name) for name in layers)):
            maps = self.blocks[stage](maps)
            if LAYERS[stage] in layers:
                last = maps if stage < 4 or len(self.blocks) == 5 else self.blocks[5](maps)
                found[LAYERS[stage]] = last.mean(dim=(2, 3, 4))
        return {name: found[name] for name in layers}

    def features(self, clips: Tensor, layer: str = "res5") -> Tensor:
        """`pooled` of one layer: clips [B, 3, T, H, W] -> [B, C]."""
        return self.pooled(clips, (layer,))[layer]

    def forward(self, clips: Tensor) -> Tensor:
        """clips [B, 3, T, H, W], float -> logits [B, num_classes]."""
        logits: Tensor = self.fc(self.features(clips))
        return logits


def build_staged(*, num_classes: int, arch: str) -> StagedNetwork:
    """One of ARCHITECTURES with undrawn weights.

    Raises:
        ConfigError: pytorchvideo is not installed.
    """
    *stages, head = _builder(arch)(model_num_class=num_classes).blocks
    projection = head.pool if arch.startswith("x3d") else None
    if projection is not None:
        projection.pool = nn.AdaptiveAvgPool3d(1)
    return StagedNetwork(stages, projection, head.proj)


def _builder(arch: str) -> Callable[..., Any]:
    """Settings are those of `pytorchvideo/models/hub`, where they are not the builders' defaults."""
    try:
        from pytorchvideo.models.csn import create_csn
        from pytorchvideo.models.r2plus1d import create_r2plus1d
        from pytorchvideo.models.resnet import create_resnet
        from pytorchvideo.models.x3d import create_x3d
    except ModuleNotFoundError as error:
        raise ConfigError(f"ARCH {arch}: PyTorchVideo builds this network, and it is not installed (no module "
                          f"{error.name}); install it with: pip install pytorchvideo==0.1.5") from error
    builders = {"x3d_m": create_x3d, "x3d_l": partial(create_x3d, depth_factor=5.0),
                "slow_r50": partial(create_resnet, stem_conv_kernel_size=(1, 7, 7)),
                "csn_r101": partial(create_csn, model_depth=101, stem_pool=nn.MaxPool3d),
                "r2plus1d_r50": create_r2plus1d}
    builder: Callable[..., Any] = builders[arch]
    return builder
