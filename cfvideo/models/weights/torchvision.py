"""R(2+1)D under torchvision's names: torchvision's own files, ig65m-pytorch, VMZ's PyTorch models, training runs.

Names are ours already; what differs is which of the two networks it is, and what it expects to be fed. Sources:
torchvision `models/video/resnet.py`, ig65m `ig65m/models.py` and `hubconf.py`, VMZ `pt/vmz/models/r2plus1d.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import Checkpoint
from cfvideo.core.foreign.imports import Imported, clip_view
from cfvideo.core.foreign.names import below, blocks_of, prefix_before
from cfvideo.models.r2plus1d import num_midplanes
from cfvideo.models.zoo import DEPTHS, PAPER_WIDTHS

# Statistics of Kinetics; VMZ's `ops/av_input_op.h` has 255 times the same numbers.
MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)


def read_torchvision(checkpoint: Checkpoint) -> Imported | None:
    """R(2+1)D-18, -34 or of any basic blocks and widths, raw or in a container; None for other checkpoints."""
    prefix = prefix_before(checkpoint.tensors, "stem.0.weight")
    if prefix is None:
        return None
    tensors, left_out = below(checkpoint.tensors, prefix)
    if "layer1.0.conv1.0.0.weight" not in tensors:
        raise IntegrityError(f"{checkpoint.path}: a stem as R(2+1)D's, but not its basic blocks (torchvision's R3D and "
                             "MC3, VMZ's CSN and R(2+1)D-152 look so); take R(2+1)D-18 or -34")
    architecture = architecture_of(tensors)
    source = ("VMZ or ig65m (PyTorch, Caffe2's variant)" if architecture["midplanes"] == "caffe2" else
              "torchvision (R(2+1)D)") + (f", under {prefix}" if prefix else "")
    return Imported(source, architecture, view_of(checkpoint.path.name, architecture), tensors, left_out)


def architecture_of(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What must be built, from names and shapes; what is missing or odd shows when they are compared."""
    stages = range(1, 5)
    blocks = [blocks_of(tensors, rf"layer{stage}\.(\d+)\.") for stage in stages]
    widths = [_width(tensors, f"layer{stage}.", PAPER_WIDTHS[stage - 1]) for stage in stages]
    known = [arch for arch, depth in DEPTHS.items() if (depth, PAPER_WIDTHS) == (tuple(blocks), tuple(widths))]
    return {"arch": known[0] if known else "r2plus1d", "blocks": blocks, "widths": widths,
            "midplanes": _midplanes(tensors, widths)}


def _width(tensors: Mapping[str, Tensor], stage: str, default: int) -> int:
    """Channels of a stage: of any of its last batch norms."""
    found = [value for name, value in tensors.items() if re.fullmatch(rf"{stage}\d+\.conv2\.1\.weight", name)]
    return len(found[0]) if found else default


def _midplanes(tensors: Mapping[str, Tensor], widths: list[int]) -> str:
    """torchvision's where a striding block's second convolution has the inner width of its first."""
    for stage in (2, 3, 4):
        second = tensors.get(f"layer{stage}.0.conv2.0.0.weight")
        below_, here = widths[stage - 2], widths[stage - 1]
        if second is not None and num_midplanes(below_, here) != num_midplanes(here, here):
            return "torchvision" if len(second) == num_midplanes(below_, here) else "caffe2"
    return "caffe2"


def view_of(file_name: str, architecture: Mapping[str, Any]) -> dict[str, Any]:
    """Clips of 112 pixels; as many frames as the file's name says (`clip8`, `32frms`, `r2.5d_d34_l32`), else
    torchvision's 16 or VMZ's 32."""
    said = re.search(r"clip(\d+)|(\d+)frms|_l(\d+)", file_name)
    # torchvision resamples videos to 15 frames/s (its weights' meta), every second frame of most; VMZ takes each.
    usual, stride = (32, 1) if architecture["midplanes"] == "caffe2" else (16, 2)
    num_frames = int(said[1] or said[2] or said[3]) if said else usual
    return clip_view(num_frames=num_frames, frame_stride=stride, short_edge_px=128, crop_px=112, mean=MEAN, std=STD)
