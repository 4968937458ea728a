"""decord and torchcodec behind the survey: their frames where they are exact, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cfvideo.core.media_file import content_of
from cfvideo.core.picture_views import Resize
from cfvideo.data.decoders import decord_backend, torchcodec_backend
from cfvideo.data.decoders.resizing import Unexpected
from cfvideo.data.decoders.survey import Survey, survey
from cfvideo.data.pixels import Frames

_BACKENDS = {"decord": decord_backend, "torchcodec": torchcodec_backend}
NAMES = tuple(_BACKENDS)


def unfit(decoder: str, found: Survey) -> str:
    """Why a decoder is not trusted with a file; empty where it is."""
    why: str = _BACKENDS[decoder].unfit(found)
    return why


def fenced_frames(decoder: str, path: Path, *, choose: Callable[[int], Sequence[int]], resize: Resize,
                  max_pixels: int) -> Frames | None:
    """uint8 [T, H, W, 3] as `cfvideo.data.decode.read_frames`; None where PyAV must decode this file.

    Raises:
        MediaError: the file cannot be opened, or holds no video.
        ConfigError: the decoder is not installed.
    """
    backend = _BACKENDS[decoder]
    backend.load()
    found = survey(path, max_pixels=max_pixels)
    if unfit(decoder, found) or found.num_frames is None:
        return None
    numbers = [int(number) for number in choose(found.num_frames)]
    try:
        frames: Frames = backend.decode(content_of(path), found, numbers, resize)
    except Unexpected:
        return None
    return frames
