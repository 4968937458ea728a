"""From a decoded frame to uint8 RGB: size, colour, orientation.

Scaling and colour conversion are swscale's, with its accurate options: triangle filter over the whole footprint
(antialiased), chroma interpolated, exact rounding, the frame's own matrix and range; untagged video is BT.601, limited
range, as in decord, torchcodec and the ffmpeg command. The default options darken by 1 to 1.3 grey levels. The
reference is the float computation of that filter and matrix, and swscale's packed rgb24; the planar output used here is
within 1 level of both. There is one way to paint, whatever read the packets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.picture_views import Resize

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# (height, width) of the scaled picture as displayed -> (top, left, side) of the square that is kept, pixels.
Crop = Callable[[int, int], tuple[int, int, int]]
Frames = NDArray[np.uint8]


def same_size(width: int, height: int) -> tuple[int, int]:
    """Do not scale."""
    return width, height


# SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP of FFmpeg's swscale.h, as numbers because
# PyAV 17, the last for Python 3.10, does not name them all.
_SWSCALE_FLAGS = 0x2 | 0x40000 | 0x2000 | 0x4000


class Painter:
    """Converts the frames of one video. All of them get the size and orientation of the first one painted.

    crop: asked once, at the first frame; None keeps whole pictures.
    """

    def __init__(self, resize: Resize, crop: Crop | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        self._resize, self._crop, self._reformatter = resize, crop, VideoReformatter()
        self._size: tuple[int, int] | None = None
        self._kept = (slice(None), slice(None))
        self._orientation = (False, False, False)

    def paint(self, frame: VideoFrame) -> Frames:
        """uint8 [3, H, W] as stored, scaled and cropped; `orient` turns it upright and puts the colours last."""
        if self._size is None:
            self._orientation = display_orientation(frame)
            self._size = self._stored_size(frame.width, frame.height)
            self._kept = self._stored_crop(*self._size)
        width, height = self._size
        # The values of rgb24 in less than half of its time: swscale interleaves the colours one pixel at a time.
        # threads=1: swscale's own threads cost several times what they save on small pictures.
        planar = self._reformatter.reformat(frame, width, height, "gbrp", interpolation=_SWSCALE_FLAGS, threads=1)
        green, blue, red = (np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, :width]
                            for plane in planar.planes)
        picture: Frames = np.stack([plane[self._kept] for plane in (red, green, blue)])
        return picture

    @property
    def transposed(self) -> bool:
        """Whether the display swaps the axes of the stored pictures; known once a frame is painted."""
        return self._orientation[0]

    def orient(self, frames: Frames) -> Frames:
        """uint8 [T, 3, H, W] as stored -> uint8 [T, H, W, 3] as displayed, the same memory."""
        transposed, mirrored, upside_down = self._orientation
        upright = frames.transpose(0, 3, 2, 1) if transposed else frames.transpose(0, 2, 3, 1)
        turned: Frames = upright[:, ::-1 if upside_down else 1, ::-1 if mirrored else 1]
        return turned

    def _stored_size(self, width: int, height: int) -> tuple[int, int]:
        if not self._orientation[0]:
            return self._resize(width, height)
        shown_width, shown_height = self._resize(height, width)
        return shown_height, shown_width

    def _stored_crop(self, width: int, height: int) -> tuple[slice, slice]:
        """Rows and columns that are kept of the scaled picture as stored."""
        transposed, mirrored, upside_down = self._orientation
        if self._crop is None:
            return slice(height), slice(width)
        shown_height, shown_width = (width, height) if transposed else (height, width)
        top, left, side = self._crop(shown_height, shown_width)
        rows = _mirrored(top, side, shown_height) if upside_down else slice(top, top + side)
        columns = _mirrored(left, side, shown_width) if mirrored else slice(left, left + side)
        return (columns, rows) if transposed else (rows, columns)


def _mirrored(start: int, count: int, size: int) -> slice:
    return slice(size - start - count, size - start)


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
