"""torchcodec in exact seek mode, by frame number; needs FFmpeg's shared libraries beside the package.

Left to PyAV: MPEG-4, AVI, MPEG-TS and whatever else has no table of frames, fragmented mp4 (a frame late at some key
frames), H.264 with recovery points instead of IDR pictures where groups of pictures refresh gradually, and videos
turned for display, of which torchcodec turns some and mirrors none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cfvideo.core.optional_decoders import imported, unusable
from cfvideo.core.picture_views import Resize
from cfvideo.data.decoders.resizing import Resizer, Unexpected
from cfvideo.data.decoders.survey import Survey
from cfvideo.data.pixels import Frames

NEEDS_PROCESS = False
_UPRIGHT = (False, False, False)
_FRAMES_AT_ONCE = 16
_INSTALL = ("pip install torchcodec, and FFmpeg's shared libraries with: apt-get install ffmpeg (or conda install "
            "ffmpeg)")


def load() -> Any:
    """torchcodec.decoders. Raises ConfigError where it, or FFmpeg, is not installed."""
    if not imported("torchcodec", decoder="torchcodec", install=_INSTALL).ffmpeg_major_version:
        raise unusable("torchcodec", "it finds no FFmpeg", _INSTALL)
    return imported("torchcodec.decoders", decoder="torchcodec", install=_INSTALL)


def unfit(found: Survey) -> str:
    """Why torchcodec is not trusted with this file; empty where it is."""
    if found.doubt:
        return found.doubt
    if found.fragmented:
        return "a fragmented mp4"
    if not found.clean_entries:
        return "key frames that are no IDR pictures"
    return "" if found.orientation == _UPRIGHT else "turned for display"


def decode(data: bytes, found: Survey, numbers: Sequence[int], resize: Resize) -> Frames:
    """uint8 [T, H, W, 3] of the numbered frames, in order, repeats allowed.

    Raises:
        Unexpected: torchcodec failed, or disagrees with the survey.
    """
    decoders = load()
    wanted, resizer = sorted(set(numbers)), Resizer(numbers, resize)
    try:
        reader = decoders.VideoDecoder(data, stream_index=found.stream, dimension_order="NHWC", seek_mode="exact",
                                       num_ffmpeg_threads=1)
        if len(reader) != found.num_frames:
            raise Unexpected(f"torchcodec counts {len(reader)} frames, the packets {found.num_frames}")
        for start in range(0, len(wanted), _FRAMES_AT_ONCE):
            some = wanted[start:start + _FRAMES_AT_ONCE]
            resizer.add(some, reader.get_frames_at(some).data.numpy(), (found.height, found.width))
    except (RuntimeError, ValueError, IndexError) as error:
        raise Unexpected(f"torchcodec: {error}") from error
    return resizer.finished()
