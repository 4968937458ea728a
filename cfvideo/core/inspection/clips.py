"""A few frames as what a page can hold: a poster, and a short animated WebP that no video can make too large.

T frames.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cfvideo.core.report.pictures import thumbnail_uri

MAX_FRAMES = 8
HEIGHT_PX = 96
FRAME_MILLISECONDS = 125
# At 70 what moves is plain to see. Pure noise of 8 frames of 192 x 96 takes 92 KiB at 70 and 46 KiB at 10, and half of
# the frames half of that.
MAX_CLIP_BYTES = 24 << 10
_QUALITIES = (70, 40, 10)


@dataclass(frozen=True)
class Clip:
    """Data URIs. poster: the middle frame, as JPEG. moving: all frames, as WebP; empty where there is only one."""

    poster: str
    moving: str


def clip_of(frames: NDArray[np.uint8]) -> Clip:
    """Of uint8 [T, H, W, 3]; pictures wider than twice HEIGHT_PX are made smaller."""
    poster = thumbnail_uri(frames[len(frames) // 2])
    if len(frames) == 1:
        return Clip(poster, "")
    return Clip(poster, "data:image/webp;base64," + b64encode(_animation(frames)).decode("ascii"))


def _animation(frames: NDArray[np.uint8]) -> bytes:
    """At most MAX_CLIP_BYTES: by a lower quality, then by fewer frames."""
    for quality in _QUALITIES:
        encoded = _webp(frames, quality, FRAME_MILLISECONDS)
        if len(encoded) <= MAX_CLIP_BYTES:
            return encoded
    thinner, longer = frames[::2], 2 * FRAME_MILLISECONDS
    while len(encoded := _webp(thinner, _QUALITIES[-1], longer)) > MAX_CLIP_BYTES:
        thinner, longer = thinner[::2], 2 * longer
    return encoded


def _webp(frames: NDArray[np.uint8], quality: int, milliseconds: int) -> bytes:
    images = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    for image in images:
        image.thumbnail((2 * HEIGHT_PX, HEIGHT_PX))
    stream = BytesIO()
    images[0].save(stream, format="WEBP", save_all=True, append_images=images[1:], duration=milliseconds, loop=0,
                   quality=quality)
    return stream.getvalue()
