"""One file, looked at closely: what it is, how many frames it truly has, and whether they decode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cfvideo.core.errors import DecodeError
from cfvideo.core.media import Media
from cfvideo.core.media_file import MediaError
from cfvideo.data.clip_sampling import uniform_starts
from cfvideo.data.pixels import display_orientation
from cfvideo.data.video_reader import VideoReader, reading

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

ALL_FRAMES = -1
# (axes swapped, mirrored, upside down) -> how the stored pictures are turned for display, clockwise.
_TURNS = {(False, False, False): "upright", (True, True, False): "90", (False, True, True): "180",
          (True, False, True): "270"}
# Containers round time stamps to their own ticks (Matroska: milliseconds), which is no variable rate.
_TICKS, _SHARE = 1.5, 0.05


@dataclass
class _Look:
    """Keeps of the decoded pictures only what they tell: memory does not grow with the frames looked at."""

    size: tuple[int, int] = (0, 0)
    orientation: str = "upright"
    times: list[int | None] = field(default_factory=list)

    def note(self, number: int, frame: VideoFrame) -> None:
        self.times.append(frame.pts)
        turned = display_orientation(frame)
        self.orientation = _TURNS.get(turned, "mirrored")
        self.size = (frame.height, frame.width) if turned[0] else (frame.width, frame.height)


def examine(path: Media, *, num_decoded: int, max_pixels: int, row: int = -1, name: str | None = None
            ) -> dict[str, Any]:
    """Scan one file and decode its first frame, or more.

    num_decoded: 0 or 1: the first frame; n: so many, spread from the first to the last; ALL_FRAMES: every frame.

    Returns:
        codec, container: FFmpeg's names. width, height: as displayed, pixels. num_frames: what can be decoded.
        variable_rate: whether the gaps between frames differ; None where time stamps are missing, or would need all
        frames to be decoded.
        orientation: upright, 90, 180, 270 (degrees clockwise) or mirrored. counted: all frames had to be decoded to
        count them. truncated: the file ends early.

    Raises:
        DecodeError: the file cannot be opened, or one of these frames cannot be decoded undamaged.
    """
    look = _Look()
    try:
        with reading(path, max_pixels=max_pixels) as video:
            video.decode(set(_spread(video.num_frames, num_decoded)), look.note)
            return _facts(video, look)
    except MediaError as error:
        raise DecodeError(row, name or str(path), error.status, error.cause) from error


def _spread(num_frames: int, num_decoded: int) -> Sequence[int]:
    if num_decoded == ALL_FRAMES or num_decoded >= num_frames:
        return range(num_frames)
    return [0] if num_decoded < 2 else uniform_starts(num_frames, 1, num_decoded)


def _facts(video: VideoReader, look: _Look) -> dict[str, Any]:
    width, height = look.size
    return {"codec": video.codec, "container": video.container, "width": width, "height": height,
            "num_frames": video.num_frames, "variable_rate": has_variable_rate(_times(video, look)),
            "orientation": look.orientation, "counted": video.table.frames is None,
            "truncated": video.truncated}


def _times(video: VideoReader, look: _Look) -> list[int | None]:
    """Time stamps of all frames, from the packets or, where those do not tell, from the frames if all were decoded."""
    if video.table.frames is not None:
        return [video.table.times[packet] for packet in video.table.frames]
    return look.times if len(look.times) == video.num_frames else [None]


def has_variable_rate(times: Sequence[int | None]) -> bool | None:
    """Whether the gaps between time stamps differ by more than rounding; None where not every frame has its own."""
    known = sorted({time for time in times if time is not None})
    if len(known) < len(times):
        return None
    gaps = np.diff(known)
    if not len(gaps):
        return False
    middle = float(np.median(gaps))
    return bool(np.abs(gaps - middle).max() > max(_TICKS, _SHARE * middle))
