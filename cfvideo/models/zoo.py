"""Every network for clips, by the name that a config gives it."""

from __future__ import annotations

from collections.abc import Sequence

from cfvideo.core.errors import ConfigError
from cfvideo.core.norms import set_bn_eps
from cfvideo.models import staged
from cfvideo.models.r2plus1d import BLOCKS, Midplanes, R2Plus1D
from cfvideo.models.staged import StagedNetwork, build_staged

PAPER_WIDTHS = (64, 128, 256, 512)
DEPTHS = {f"r2plus1d_{depth}": blocks for depth, blocks in BLOCKS.items()}
ARCHITECTURES = (*DEPTHS, "r2plus1d", *staged.ARCHITECTURES)


def build_network(*, num_classes: int, arch: str, blocks: Sequence[int] = (), widths: Sequence[int] = (),
                  midplanes: Midplanes = "caffe2", bn_eps: float | None = None) -> R2Plus1D | StagedNetwork:
    """A network with undrawn weights.

    Args:
        arch: r2plus1d_18 and r2plus1d_34 are the paper's; r2plus1d takes `blocks` and `widths`; the others are
            PyTorchVideo's (`cfvideo/models/staged.py`).
        midplanes: which R(2+1)D, see `cfvideo/models/r2plus1d.py`.
        bn_eps: for imported weights that were trained with another epsilon than is usual for their network.

    Raises:
        ConfigError: no such network for videos, or what builds it is not installed.
    """
    network: R2Plus1D | StagedNetwork
    if arch in staged.ARCHITECTURES:
        network = build_staged(num_classes=num_classes, arch=arch)
    elif arch in ARCHITECTURES:
        blocks, widths = (DEPTHS[arch], PAPER_WIDTHS) if arch in DEPTHS else (blocks, widths)
        network = R2Plus1D(num_classes=num_classes, blocks=blocks, widths=widths, midplanes=midplanes)
    else:
        raise ConfigError(f"ARCH {arch}: no network for videos; allowed: {', '.join(ARCHITECTURES)}")
    if bn_eps is not None:
        set_bn_eps(network, bn_eps)
    return network
