"""Full-size RGB pictures of another decoder -> the size that is wanted, by the scaler of the PyAV path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfvideo.core.picture_views import Resize
from cfvideo.data.painter import Painter
from cfvideo.data.pixels import Frames


class Unexpected(Exception):
    """A decoder failed, or gave something else than the packets promise. PyAV then decodes the file."""


class Resizer:
    """Collects frames by number, scaled; `numbers` may repeat some. The frames are upright already."""

    def __init__(self, numbers: Sequence[int], resize: Resize) -> None:
        self._painter = Painter(numbers, resize)

    def add(self, numbers: Sequence[int], pictures: Frames, size: tuple[int, int]) -> None:
        """pictures: uint8 [T, H, W, 3], one for each number. size: the (H, W) they must have; else Unexpected."""
        from av import VideoFrame

        if pictures.shape != (len(numbers), *size, 3):
            raise Unexpected(f"pictures of shape {pictures.shape}, expected {(len(numbers), *size, 3)}")
        for number, picture in zip(numbers, pictures, strict=True):
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            self._painter.paint(number, frame)

    def finished(self) -> Frames:
        """uint8 [T, H, W, 3] in the order of `numbers`."""
        return self._painter.finished()
