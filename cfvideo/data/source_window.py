"""The part of a decoded picture that a crop of the scaled picture is made of, so that the rest need not be scaled.

swscale computes a pixel from its own neighbourhood. Where a picture shrinks by a whole number, as Kinetics copies of
256 rows do to 128, the pixels of a crop therefore come out bit-equal from the part of the picture below them plus a
margin. Elsewhere pixels are sampled between those of the source, a part would shift them, and the whole is scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cfvideo.data.pixels import plane_rows

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# How far the filters reach past a crop: the scaling one by 1 scaled pixel, that of halved chroma by 2 of the source.
_SCALED_REACH_PX, _CHROMA_REACH_PX = 1, 2
# Below 8 pixels swscale computes otherwise.
_MIN_PX = 16
# 8 bit, three planes, chroma halved in both directions.
_FORMATS = ("yuv420p", "yuvj420p")
_POINT = 0x10  # SWS_POINT: the pixels of the first copy do not matter


class SourceWindow:
    """A frame of its own memory that takes the needed part of one frame after another.

    size: (width, height) that the part is scaled to. kept: the rows and columns of the crop in the scaled part.
    """

    def __init__(self, frame: VideoFrame, size: tuple[int, int], spans: tuple[slice, slice],
                 kept: tuple[slice, slice]) -> None:
        from av.video.reformatter import VideoReformatter

        rows, columns = spans
        across, down = frame.width // size[0], frame.height // size[1]
        self.size = (columns.stop - columns.start, rows.stop - rows.start)
        self.kept = (_within(kept[0], rows), _within(kept[1], columns))
        # A scaled copy has all of the frame's own tags, its chroma siting too, which PyAV does not show.
        self._part = VideoReformatter().reformat(frame, self.size[0] * across, self.size[1] * down, frame.format.name,
                                                 interpolation=_POINT, threads=1)
        self._likeness = _likeness(frame)
        self._targets = [plane_rows(plane)[:, :plane.width] for plane in self._part.planes]
        top, left = rows.start * down, columns.start * across
        self._sources = [(slice(top // halved, top // halved + plane.height),
                          slice(left // halved, left // halved + plane.width))
                         for plane, halved in zip(self._part.planes, (1, 2, 2), strict=True)]

    @classmethod
    def of(cls, frame: VideoFrame, size: tuple[int, int], kept: tuple[slice, slice]) -> SourceWindow | None:
        """size: (width, height) of the scaled picture. kept: rows and columns of it. None: scale it whole."""
        if frame.format.name not in _FORMATS or frame.interlaced_frame or _is_bottom_up(frame):
            return None
        rows, columns = _span(frame.height, size[1], kept[0]), _span(frame.width, size[0], kept[1])
        if rows is None or columns is None or (columns.stop - columns.start, rows.stop - rows.start) == size:
            return None
        return cls(frame, size, (rows, columns), kept)

    def cut(self, frame: VideoFrame) -> VideoFrame | None:
        """The part of a frame, until the next one is cut; None where the frame is not like the first."""
        if _likeness(frame) != self._likeness:
            return None
        for target, source, plane in zip(self._targets, self._sources, frame.planes, strict=True):
            target[:] = plane_rows(plane)[source]
        return self._part


def _likeness(frame: VideoFrame) -> Sequence[object]:
    return (frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range),
            frame.interlaced_frame, _is_bottom_up(frame))


def _is_bottom_up(frame: VideoFrame) -> bool:
    """Whether its rows lie in memory from the last to the first, as in some raw video of AVI; swscale knows how."""
    return any(plane.line_size < 0 for plane in frame.planes)


def _span(source: int, scaled: int, kept: slice) -> slice | None:
    """Scaled pixels, on whole chroma samples, that the kept ones are made of; None where only the whole will do."""
    if source % scaled or source % 2:
        return None
    ratio = source // scaled
    margin = max(_SCALED_REACH_PX, _CHROMA_REACH_PX // ratio)
    whole_chroma = 1 if ratio % 2 == 0 else 2
    start, stop = (kept.start - margin) // whole_chroma, -(-(kept.stop + margin) // whole_chroma)
    span = slice(max(0, start * whole_chroma), min(scaled, stop * whole_chroma))
    return span if span.stop - span.start >= _MIN_PX else None


def _within(kept: slice, span: slice) -> slice:
    return slice(kept.start - span.start, kept.stop - span.start)
