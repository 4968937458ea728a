"""From a decoded frame to uint8 RGB: size, colour, orientation.

Scaling and colour conversion are swscale's, with its accurate options: triangle filter over the whole footprint
(antialiased), chroma interpolated, exact rounding, the frame's own matrix and range; untagged video is BT.601, limited
range, as in decord, torchcodec and the ffmpeg command. The default options darken by 1 to 1.3 grey levels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# (width, height) as displayed -> (width, height) as wanted, pixels.
Resize = Callable[[int, int], tuple[int, int]]
Frames = NDArray[np.uint8]


def short_edge(px: int) -> Resize:
    """Scale so that the shorter edge has `px` pixels; the longer one is rounded down, as in torchvision's Resize."""
    def resize(width: int, height: int) -> tuple[int, int]:
        return (px, px * height // width) if width <= height else (px * width // height, px)
    return resize


def fixed_height(px: int) -> Resize:
    """Scale to a height of `px` pixels, the width in proportion and at least 1."""
    return lambda width, height: (max(1, round(px * width / height)), px)


def same_size(width: int, height: int) -> tuple[int, int]:
    """Do not scale."""
    return width, height


# SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP of FFmpeg's swscale.h, as numbers because
# PyAV 17, the last for Python 3.10, does not name them all.
_SWSCALE_FLAGS = 0x2 | 0x40000 | 0x2000 | 0x4000


class Painter:
    """Converts the frames of one video. All of them get the size and orientation of the first one painted."""

    def __init__(self, resize: Resize) -> None:
        from av.video.reformatter import VideoReformatter

        self._resize, self._reformatter = resize, VideoReformatter()
        self._size: tuple[int, int] | None = None
        self._orientation = (False, False, False)

    def paint(self, frame: VideoFrame) -> Frames:
        """uint8 [H, W, 3] as stored, scaled; `orient` turns it upright."""
        if self._size is None:
            self._orientation = display_orientation(frame)
            self._size = self._stored_size(frame.width, frame.height)
        width, height = self._size
        # threads=1: swscale's own threads cost several times what they save on small pictures.
        rgb = self._reformatter.reformat(frame, width, height, "rgb24", interpolation=_SWSCALE_FLAGS, threads=1)
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
        picture: Frames = rows[:, :3 * width].reshape(height, width, 3)
        return picture

    @property
    def transposed(self) -> bool:
        """Whether the display swaps the axes of the stored pictures; known once a frame is painted."""
        return self._orientation[0]

    def orient(self, frames: Frames) -> Frames:
        """uint8 [T, H, W, 3] as stored -> as displayed."""
        transposed, mirrored, upside_down = self._orientation
        upright = frames.transpose(0, 2, 1, 3) if transposed else frames
        return upright[:, ::-1 if upside_down else 1, ::-1 if mirrored else 1]

    def _stored_size(self, width: int, height: int) -> tuple[int, int]:
        if not self._orientation[0]:
            return self._resize(width, height)
        shown_width, shown_height = self._resize(height, width)
        return shown_height, shown_width


def display_orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """(swap the axes, then mirror left-right, then up-down), from the frame's display matrix.

    The matrix [a b; c d] moves pixel (x, y) to (a x + c y, b x + d y); ISO/IEC 14496-12, 8.5.3.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0
