"""One row of an index: its picture, its views, or a DecodeError that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from cfimage.decode import Picture, Size, content_of
from cfimage.pixels import picture_views
from cfimage.views import Plan
from cfvideo.core.batch_assembly import RowViews
from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.media_file import MediaError
from cfvideo.core.picture_views import Statistics, normalised
from cfvideo.core.records import Reading
from cfvideo.core.row_media import media_to_read

# From the size of a picture to its views.
Choose = Callable[[Size], Plan]


@contextmanager
def named(index: Index, row: int) -> Iterator[None]:
    """A MediaError inside becomes the DecodeError of a row."""
    try:
        yield
    except MediaError as error:
        raise DecodeError(row, index.name_of(row), error.status, error.cause) from error


@contextmanager
def opened(index: Index, row: int, reading: Reading) -> Iterator[Picture]:
    """The picture of a row, for the length of a with statement. Raises DecodeError, also for what fails inside."""
    _, media = media_to_read(index, row, reading)
    with named(index, row):
        yield Picture(content_of(media), max_pixels=reading.max_frame_pixels)


def pillow_views(picture: Picture, plan: Plan, statistics: Statistics) -> RowViews:
    """The planned views of a picture, normalised."""
    views = normalised(picture_views(picture, plan), statistics)
    return RowViews(torch.from_numpy(views), "pillow", plan.target)
