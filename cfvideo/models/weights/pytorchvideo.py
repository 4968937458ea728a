"""PyTorchVideo's models (`{"model_state": {"blocks.0...": ...}}`), which our staged networks are built of.

Up to the head names are the same; there `blocks.5.proj` is our `fc`, and X3D's `blocks.5.pool` our `blocks.5`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cfvideo.core.foreign.containers import Checkpoint
from cfvideo.core.foreign.imports import Imported, clip_view
from cfvideo.core.foreign.names import below, prefix_before
from cfvideo.core.matching import match
from cfvideo.core.network_file import build_quietly
from cfvideo.models.staged import ARCHITECTURES, build_staged

_INWARD = {"blocks.5.proj.": "fc.", "blocks.5.pool.": "blocks.5."}
# Frames, frame stride, short edge and crop of training, after PyTorchVideo's model zoo and hub (x3d_m's network also
# comes as X3D-XS and -S, for 4 x 12 and 13 x 6 frames of 160 pixels: say so when importing).
_CLIPS = {"x3d_m": (16, 5, 256, 224), "x3d_l": (16, 5, 356, 312), "slow_r50": (8, 8, 256, 224),
          "csn_r101": (32, 2, 256, 224), "r2plus1d_r50": (16, 4, 256, 224)}
_MEAN, _STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)


def read_pytorchvideo(checkpoint: Checkpoint) -> Imported | None:
    """One of our staged networks; None for other checkpoints."""
    prefix = prefix_before(checkpoint.tensors, "blocks.4.res_blocks.0.branch2.conv_c.weight")
    if prefix is None:
        return None
    found, left_out = below(checkpoint.tensors, prefix)
    tensors = {inward(name): value for name, value in found.items()}
    arch = min(ARCHITECTURES, key=lambda arch: _differences(arch, tensors))
    num_frames, frame_stride, short_edge_px, crop_px = _CLIPS[arch]
    view = clip_view(num_frames=num_frames, frame_stride=frame_stride, short_edge_px=short_edge_px, crop_px=crop_px,
                     mean=_MEAN, std=_STD)
    return Imported("PyTorchVideo", {"arch": arch}, view, tensors, left_out)


def _differences(arch: str, tensors: Mapping[str, Tensor]) -> int:
    """How many names do not fit the architecture."""
    num_classes = len(tensors["fc.weight"]) if "fc.weight" in tensors else 0
    with torch.device("meta"):
        wanted: dict[str, Any] = build_quietly(build_staged, num_classes=num_classes, arch=arch).state_dict()
    found = match(tensors, wanted)
    return len(found.missing) + len(found.unexpected) + len(found.mismatched)


def inward(name: str) -> str:
    """PyTorchVideo's name -> ours."""
    return next((ours + name.removeprefix(theirs) for theirs, ours in _INWARD.items() if name.startswith(theirs)), name)


def outward(name: str) -> str:
    """Our name -> PyTorchVideo's."""
    return next((theirs + name.removeprefix(ours) for theirs, ours in _INWARD.items() if name.startswith(ours)), name)
