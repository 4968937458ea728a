"""Frames of a video by number: exact, or an error.

T frames, H x W pixels. `read_frames` opens a file once, learns how many frames it truly has from its packets (never
from its header), lets the caller choose frame numbers, and decodes only the groups of pictures that hold them, leaving
out packets that no wanted frame refers to. The result equals an in-order decode of the whole file.

PyAV is the reference and decodes everything. Another decoder is used on the files that it is exact on, and PyAV on
the rest; `decode_frames` says which of them it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cfvideo.core.errors import DecodeError
from cfvideo.core.media import Media
from cfvideo.core.media_file import MediaError
from cfvideo.core.picture_views import Resize
from cfvideo.data.decoders.fenced import NAMES as FENCED
from cfvideo.data.decoders.fenced import fenced_frames
from cfvideo.data.painter import Painter
from cfvideo.data.pixels import Crop, Frames, same_size
from cfvideo.data.video_reader import VideoReader, reading

MAX_PIXELS = 16_777_216
Choose = Callable[[int], Sequence[int]]


class Decoded(NamedTuple):
    """frames: uint8 [T, H, W, 3]. decoder: what decoded them, pyav, decord or torchcodec."""

    frames: Frames
    decoder: str


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds.

    num_frames: what can be decoded. width, height: as displayed, pixels. codec, container: FFmpeg's names.
    transposed: the display swaps the axes of the stored pictures (turned by 90 or 270 degrees).
    counted: packets do not tell the frames of this file apart, so that all of it was decoded to count them.
    truncated: the file ends early.
    """

    num_frames: int
    width: int
    height: int
    codec: str
    container: str
    transposed: bool
    counted: bool
    truncated: bool


def read_frames(path: Media, *, choose: Choose, resize: Resize = same_size, max_pixels: int = MAX_PIXELS,
                row: int = -1, name: str | None = None, decoder: str = "pyav", crop: Crop | None = None,
                packets: Path | None = None, keep: bool = True) -> Frames:
    """Decode chosen frames of one file, upright, RGB: uint8 [T, H, W, 3] in the order of the chosen numbers.

    Args:
        path: the file, a part of it (a member of a tar shard), or a folder of numbered JPEGs.
        choose: gets the number of frames in the file and returns frame numbers in [0, that number), in any order,
            repeats allowed; called once.
        resize: size of the result; see `cfvideo.data.pixels`.
        max_pixels: larger pictures are refused.
        row, name: how errors name the sample.
        decoder: what decodes where it is exact: decord, torchcodec; all other names mean PyAV.
        crop: the square that is kept of every frame; None keeps all.
        packets: folder of what scans found on earlier visits; it changes the time, never the result.
        keep: whether what is found now is kept there for the next visit.

    Raises:
        DecodeError: the file cannot be opened, or not all chosen frames can be decoded undamaged.
        ConfigError: the decoder is not installed.
    """
    return decode_frames(path, choose=choose, resize=resize, max_pixels=max_pixels, row=row, name=name,
                         decoder=decoder, crop=crop, packets=packets, keep=keep).frames


def decode_frames(path: Media, *, choose: Choose, resize: Resize = same_size, max_pixels: int = MAX_PIXELS,
                  row: int = -1, name: str | None = None, decoder: str = "pyav", crop: Crop | None = None,
                  packets: Path | None = None, keep: bool = True) -> Decoded:
    """`read_frames`, with the name of what decoded them."""
    once = _Once(choose)
    try:
        if decoder in FENCED and isinstance(path, Path) and path.is_file():
            frames = fenced_frames(decoder, path, choose=once, resize=resize, max_pixels=max_pixels)
            if frames is not None:
                return Decoded(frames if crop is None else _cropped(frames, crop), decoder)
        with reading(path, max_pixels=max_pixels, packets=packets, keep=keep) as video:
            numbers = once(video.num_frames)
            return Decoded(_painted(video, numbers, Painter(numbers, resize, crop)), "pyav")
    except MediaError as error:
        raise DecodeError(row, name or str(path), error.status, error.cause) from error


class _Once:
    """Asks a chooser one time only: it may draw from a generator, and a second decoder must get the same frames."""

    def __init__(self, choose: Choose) -> None:
        self._choose, self._numbers, self._num_frames = choose, list[int](), 0

    def __call__(self, num_frames: int) -> list[int]:
        if not self._num_frames:
            self._num_frames, self._numbers = num_frames, [int(number) for number in self._choose(num_frames)]
            if not self._numbers or not 0 <= min(self._numbers) <= max(self._numbers) < num_frames:
                raise ValueError(f"frames {self._numbers} were chosen of a video of {num_frames}")
        if num_frames != self._num_frames:
            raise MediaError("undecodable", f"two scans find {self._num_frames} and {num_frames} frames")
        return self._numbers


def _cropped(frames: Frames, crop: Crop) -> Frames:
    top, left, side = crop(*frames.shape[1:3])
    return frames[:, top:top + side, left:left + side]


def _painted(video: VideoReader, numbers: Sequence[int], painter: Painter) -> Frames:
    video.decode(set(numbers), painter.paint)
    return painter.finished()


def probe(path: Media, *, max_pixels: int = MAX_PIXELS, row: int = -1, name: str | None = None) -> VideoInfo:
    """Scan a file and decode its first frame. Raises DecodeError as `read_frames` does."""
    painter = Painter([0], same_size)
    try:
        with reading(path, max_pixels=max_pixels) as video:
            height, width = _painted(video, [0], painter).shape[1:3]
            return VideoInfo(num_frames=video.num_frames, width=width, height=height, codec=video.codec,
                             container=video.container, transposed=painter.transposed,
                             counted=video.table.frames is None, truncated=video.truncated)
    except MediaError as error:
        raise DecodeError(row, name or str(path), error.status, error.cause) from error
