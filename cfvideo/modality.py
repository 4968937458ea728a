"""VIDEO: what the core's stages need to know of videos, in one record."""

from __future__ import annotations

from collections.abc import Sequence

from cfvideo.core.records import Modality
from cfvideo.data.batches import eval_batches, sample_shape, thumbnails, train_batches
from cfvideo.data.decoders.choice import resolved_decoder
from cfvideo.data.formats import read_index
from cfvideo.models.r2plus1d import BLOCKS, Midplanes, R2Plus1D

PAPER_WIDTHS = (64, 128, 256, 512)


def build_network(*, num_classes: int, arch: str, blocks: Sequence[int], widths: Sequence[int], midplanes: Midplanes
                  ) -> R2Plus1D:
    """A network with undrawn weights. arch: r2plus1d_18, r2plus1d_34, or r2plus1d with `blocks` and `widths`."""
    depths = {f"r2plus1d_{depth}": depth for depth in BLOCKS}
    if arch in depths:
        blocks, widths = BLOCKS[depths[arch]], PAPER_WIDTHS
    elif arch != "r2plus1d":
        raise ValueError(f"unknown architecture {arch!r}; allowed: {', '.join(depths)}, r2plus1d")
    return R2Plus1D(num_classes=num_classes, blocks=blocks, widths=widths, midplanes=midplanes)


VIDEO = Modality(name="video", read_index=read_index, train_batches=train_batches, eval_batches=eval_batches,
                 build_network=build_network, sample_shape=sample_shape, thumbnails=thumbnails,
                 resolved_decoder=resolved_decoder)
