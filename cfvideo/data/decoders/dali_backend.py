"""NVIDIA DALI's video decoder, by frame number from bytes: NVDEC on a GPU, FFmpeg on the CPU (VP9, MJPEG).

Measured with DALI 2.4 on the CPU: it finds the right frames of VP8, VP9 and MJPEG, ignores the display matrix (turning
is ours), and a sample that cannot be decoded fails its whole batch, after which the next call works.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.dali_library import load
from cfvideo.data.decoders.resizing import Unexpected
from cfvideo.data.decoders.survey import Survey

# FFmpeg's decoder names. The GPU's list is NVDEC's for 8 bit 4:2:0, which every GPU since Turing has but for AV1.
CPU_CODECS = ("vp9", "mjpeg")
GPU_CODECS = ("h264", "hevc", "vp9")
_PIXEL_FORMATS = {"dali_cpu": ("yuv420p", "yuvj420p", "yuvj422p", "yuvj444p"), "dali_gpu": ("yuv420p", "yuvj420p")}
# DALI turns every picture into RGB by BT.601's matrix: it may have what that or nothing is said of (AVCOL_SPC_BT470BG,
# SMPTE170M, UNSPECIFIED). Of BT.709 its levels are up to 14 off.
_MATRICES = (2, 5, 6)
# NVDEC's bounds over the codecs above, pixels (Video Codec SDK, decoder capabilities of Turing and later).
GPU_SIZES = (144, 4096)


def unfit(decoder: str, found: Survey) -> str:
    """Why DALI is not asked for this file; empty where it is. decoder: dali_cpu or dali_gpu."""
    if found.doubt:
        return found.doubt
    if found.codec not in (GPU_CODECS if decoder == "dali_gpu" else CPU_CODECS):
        return f"{decoder} does not decode {found.codec}"
    if found.fragmented or not found.clean_entries:
        return "fragmented, or key frames that are no IDR pictures"
    if found.pixel_format not in _PIXEL_FORMATS[decoder]:
        return f"pixels are {found.pixel_format}"
    if found.matrix not in _MATRICES:
        return f"colours are of matrix {found.matrix}, and DALI knows BT.601's alone"
    low, high = GPU_SIZES
    if decoder == "dali_gpu" and not low <= min(found.width, found.height) <= max(found.width, found.height) <= high:
        return f"pictures of {found.width} x {found.height} are outside NVDEC's {low} to {high} pixels"
    return ""


def decode(decoder: str, samples: Sequence[NDArray[np.uint8]], numbers: Sequence[Sequence[int]]
           ) -> list[torch.Tensor]:
    """One uint8 [T_i, H_i, W_i, 3] per file, as stored, on the GPU for dali_gpu, else on the CPU.

    samples: the files' bytes. numbers: frame numbers of each, in any order, repeats allowed.

    Raises:
        Unexpected: at least one of them cannot be decoded.
    """
    dynamic = load()
    encoded = dynamic.as_batch([dynamic.tensor(sample) for sample in samples])
    frames = dynamic.as_batch([dynamic.tensor(np.asarray(some, np.int32)) for some in numbers])
    device = "gpu" if decoder == "dali_gpu" else "cpu"
    try:
        decoded = dynamic.decoders.video(encoded, frames=frames, pad_mode="none", device=device)
        # A copy of our own: the memory behind DALI's tensors is used again.
        found = [sample.torch(copy=True) for sample in decoded.tensors]
    except RuntimeError as error:
        raise Unexpected(f"DALI: {error}") from error
    for pictures, some in zip(found, numbers, strict=True):
        if len(pictures) != len(some):
            raise Unexpected(f"DALI gave {len(pictures)} frames of {len(some)}")
    return found
