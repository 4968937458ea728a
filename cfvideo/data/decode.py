"""Frames of a video by number: exact, or an error.

T frames, H x W pixels. `read_frames` opens a file once, learns how many frames it truly has from its packets (never
from its header), lets the caller choose frame numbers, and decodes only the groups of pictures that hold them, leaving
out packets that no wanted frame refers to. The result equals an in-order decode of the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfvideo.core.errors import DecodeError
from cfvideo.data.media_file import MediaError
from cfvideo.data.pixels import Frames, Painter, Resize, same_size
from cfvideo.data.video_reader import VideoReader, reading

MAX_PIXELS = 16_777_216
Choose = Callable[[int], Sequence[int]]


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds.

    num_frames: what can be decoded. width, height: as displayed, pixels. codec, container: FFmpeg's names.
    transposed: the display swaps the axes of the stored pictures (turned by 90 or 270 degrees).
    counted: packets do not tell the frames of this file apart, so that all of it was decoded to count them.
    truncated: the file ends in the middle of a frame.
    """

    num_frames: int
    width: int
    height: int
    codec: str
    container: str
    transposed: bool
    counted: bool
    truncated: bool


def read_frames(path: Path, *, choose: Choose, resize: Resize = same_size, max_pixels: int = MAX_PIXELS,
                row: int = -1, name: str | None = None) -> Frames:
    """Decode chosen frames of one file, upright, RGB: uint8 [T, H, W, 3] in the order of the chosen numbers.

    Args:
        path: the file.
        choose: gets the number of frames in the file and returns frame numbers in [0, that number), in any order,
            repeats allowed; called once.
        resize: size of the result; see `cfvideo.data.pixels`.
        max_pixels: larger pictures are refused.
        row, name: how errors name the sample.

    Raises:
        DecodeError: the file cannot be opened, or not all chosen frames can be decoded undamaged.
    """
    try:
        with reading(path, max_pixels=max_pixels) as video:
            return _chosen(video, choose, Painter(resize))
    except MediaError as error:
        raise DecodeError(row, name or str(path), error.status, error.cause) from error


def _chosen(video: VideoReader, choose: Choose, painter: Painter) -> Frames:
    numbers = [int(number) for number in choose(video.num_frames)]
    if not numbers or not 0 <= min(numbers) <= max(numbers) < video.num_frames:
        raise ValueError(f"frames {numbers} were chosen of a video of {video.num_frames}")
    pictures = video.frames(set(numbers), painter.paint)
    return painter.orient(np.stack([pictures[number] for number in numbers]))


def probe(path: Path, *, max_pixels: int = MAX_PIXELS, row: int = -1, name: str | None = None) -> VideoInfo:
    """Scan a file and decode its first frame. Raises DecodeError as `read_frames` does."""
    painter = Painter(same_size)
    try:
        with reading(path, max_pixels=max_pixels) as video:
            height, width = _chosen(video, lambda num_frames: [0], painter).shape[1:3]
            return VideoInfo(num_frames=video.num_frames, width=width, height=height, codec=video.codec,
                             container=video.container, transposed=painter.transposed,
                             counted=video.table.frames is None, truncated=video.table.truncated)
    except MediaError as error:
        raise DecodeError(row, name or str(path), error.status, error.cause) from error
