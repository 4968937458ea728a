"""decord, where it is exact: H.264 in mp4, mov, mkv or webm, every key frame an IDR picture, upright, 8 bit 4:2:0.

Elsewhere decord 0.6 returns wrong frames without a word: open groups of pictures, HEVC, MPEG-4, AVI, MPEG-TS and edit
lists, measured with videos that carry their frame numbers. Its native code can loop for ever and keeps memory, hence
NEEDS_PROCESS: it belongs into worker processes that may be killed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from cfvideo.core.optional_decoders import imported
from cfvideo.core.picture_views import Resize
from cfvideo.data.decoders.resizing import Resizer, Unexpected
from cfvideo.data.decoders.survey import MATROSKA, MP4, Survey
from cfvideo.data.pixels import Frames

NEEDS_PROCESS = True
_PIXEL_FORMATS = ("yuv420p", "yuvj420p")
_UPRIGHT = (False, False, False)
_FRAMES_AT_ONCE = 16  # full-size RGB held at a time


def load() -> Any:
    """The package. Raises ConfigError where it is not installed."""
    return imported("decord", decoder="decord", install="pip install decord==0.6.0 (x86-64 only)")


def unfit(found: Survey) -> str:
    """Why decord is not trusted with this file; empty where it is."""
    if found.doubt:
        return found.doubt
    if found.codec != "h264" or found.container not in (MP4, MATROSKA) or found.fragmented:
        return f"decord is exact on H.264 in whole mp4, mov, mkv or webm files, not on {found.codec} in this file"
    if not found.clean_entries:
        return "open groups of pictures"
    if found.pixel_format not in _PIXEL_FORMATS:
        return f"pixels are {found.pixel_format}"
    return "" if found.orientation == _UPRIGHT else "turned for display"


def decode(data: bytes, found: Survey, numbers: Sequence[int], resize: Resize) -> Frames:
    """uint8 [T, H, W, 3] of the numbered frames, in order, repeats allowed.

    The file goes in as bytes: a path could name a playlist. One thread; decord's global bridge is left as it is.

    Raises:
        Unexpected: decord failed, or disagrees with the survey.
    """
    decord = load()
    try:
        reader = decord.VideoReader(io.BytesIO(data), num_threads=1)
        if len(reader) != found.num_frames:
            raise Unexpected(f"decord counts {len(reader)} frames, the packets {found.num_frames}")
        return _resized(reader, found, sorted(set(numbers)), Resizer(numbers, resize)).finished()
    except (decord.DECORDError, IndexError, UnicodeError) as error:
        raise Unexpected(f"decord: {str(error).strip()[:200]}") from error


def _resized(reader: Any, found: Survey, wanted: list[int], resizer: Resizer) -> Resizer:
    for start in range(0, len(wanted), _FRAMES_AT_ONCE):
        some = wanted[start:start + _FRAMES_AT_ONCE]
        batch = reader.get_batch(some)
        # A bridge that somebody else set makes it a torch tensor or the like.
        pictures = batch.asnumpy() if hasattr(batch, "asnumpy") else np.asarray(batch)
        resizer.add(some, pictures, (found.height, found.width))
    return resizer
