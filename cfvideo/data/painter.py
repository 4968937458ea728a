"""From decoded frames to uint8 RGB: size, colour, orientation.

Scaling and colour conversion are swscale's, with its accurate options: triangle filter over the whole footprint
(antialiased), chroma interpolated, exact rounding, the frame's own matrix, range and chroma siting; untagged video is
BT.601, limited range, as in decord, torchcodec and the ffmpeg command, and its chroma is centred where the codec states
no siting (VP9, AV1; H.264 and MPEG-4 state left unless the file says otherwise). The default options darken by 1 to 1.3
grey levels. The reference is the float computation of that filter, siting and matrix, and swscale's packed rgb24; the
planar output used here is within 1 level of both. Pixel aspect ratios are ignored, as by decord, torchcodec and
PyTorchVideo: sizes count stored pixels. There is one way to paint, whatever read the packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cfvideo.core.picture_views import Resize
from cfvideo.data.pixels import Crop, Frames, display_orientation, plane_rows
from cfvideo.data.source_window import SourceWindow

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP of FFmpeg's swscale.h, as numbers because
# PyAV 17, the last for Python 3.10, does not name them all.
_SWSCALE_FLAGS = 0x2 | 0x40000 | 0x2000 | 0x4000
_CHANNEL_OF_PLANE = (1, 2, 0)  # gbrp holds green, blue, red


class Painter:
    """Converts frames of one video, by number. All of them get the size and orientation of the first one painted.

    numbers: what `finished` gives, in this order, repeats allowed.
    crop: asked once, at the first frame; None keeps whole pictures.
    """

    def __init__(self, numbers: Sequence[int], resize: Resize, crop: Crop | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        self._numbers, self._resize, self._crop = numbers, resize, crop
        self._reformatter = VideoReformatter()
        self._places = {number: place for place, number in reversed(list(enumerate(numbers)))}
        self._missing = set(numbers)
        self._pictures: Frames | None = None
        self._orientation = (False, False, False)

    def paint(self, number: int, frame: VideoFrame) -> None:
        """Convert one of the frames; painted a second time, the second one counts."""
        pictures = self._begun(frame) if self._pictures is None else self._pictures
        source, size, kept = frame, self._size, self._kept
        part = self._window.cut(frame) if self._window is not None else None
        if part is not None and self._window is not None:
            source, size, kept = part, self._window.size, self._window.kept
        # The values of rgb24 in less than half of its time: swscale interleaves the colours one pixel at a time.
        # threads=1: swscale's own threads cost several times what they save on small pictures.
        planar = self._reformatter.reformat(source, *size, "gbrp", interpolation=_SWSCALE_FLAGS, threads=1)
        picture = pictures[self._places[number]]
        for channel, plane in zip(_CHANNEL_OF_PLANE, planar.planes, strict=True):
            picture[channel] = plane_rows(plane)[kept]
        self._missing.discard(number)

    def finished(self) -> Frames:
        """uint8 [T, H, W, 3] as displayed, in the order of `numbers`; all of them must have been painted."""
        assert self._pictures is not None
        assert not self._missing
        for place, number in enumerate(self._numbers):
            if self._places[number] != place:
                self._pictures[place] = self._pictures[self._places[number]]
        transposed, mirrored, upside_down = self._orientation
        upright = self._pictures.transpose(0, 3, 2, 1) if transposed else self._pictures.transpose(0, 2, 3, 1)
        turned: Frames = upright[:, ::-1 if upside_down else 1, ::-1 if mirrored else 1]
        return turned

    @property
    def transposed(self) -> bool:
        """Whether the display swaps the axes of the stored pictures; known once a frame is painted."""
        return self._orientation[0]

    def _begun(self, frame: VideoFrame) -> Frames:
        self._orientation = display_orientation(frame)
        self._size = self._stored_size(frame.width, frame.height)
        self._kept = rows, columns = self._stored_crop(*self._size)
        self._window = SourceWindow.of(frame, self._size, self._kept)
        self._pictures = np.empty((len(self._numbers), 3, rows.stop - rows.start, columns.stop - columns.start),
                                  np.uint8)
        return self._pictures

    def _stored_size(self, width: int, height: int) -> tuple[int, int]:
        if not self._orientation[0]:
            return self._resize(width, height)
        shown_width, shown_height = self._resize(height, width)
        return shown_height, shown_width

    def _stored_crop(self, width: int, height: int) -> tuple[slice, slice]:
        """Rows and columns that are kept of the scaled picture as stored."""
        transposed, mirrored, upside_down = self._orientation
        if self._crop is None:
            return slice(0, height), slice(0, width)
        shown_height, shown_width = (width, height) if transposed else (height, width)
        top, left, side = self._crop(shown_height, shown_width)
        rows = _mirrored(top, side, shown_height) if upside_down else slice(top, top + side)
        columns = _mirrored(left, side, shown_width) if mirrored else slice(left, left + side)
        return (columns, rows) if transposed else (rows, columns)


def _mirrored(start: int, count: int, size: int) -> slice:
    return slice(size - start - count, size - start)
