"""What a picture becomes: its size, the square that is kept of it, its orientation. No pixel changes here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane

# (height, width) of the scaled picture as displayed -> (top, left, side) of the square that is kept, pixels.
Crop = Callable[[int, int], tuple[int, int, int]]
Frames = NDArray[np.uint8]


def same_size(width: int, height: int) -> tuple[int, int]:
    """Do not scale."""
    return width, height


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


def plane_rows(plane: VideoPlane) -> Frames:
    """uint8 [rows, bytes of a row]: the memory of a frame's plane, not copied; of one that is stored from the top down.
    """
    assert plane.line_size > 0
    rows: Frames = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows
