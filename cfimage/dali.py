"""Batches from NVIDIA DALI: the rows, views and classes of `cfimage.batches`, decoded together from bytes.

Files are read and their headers looked at ahead in threads, so that the draws are those of the Pillow path. DALI
decodes plain upright JPEGs (dali_gpu: nvJPEG; dali_cpu: libjpeg-turbo, bit for bit as Pillow), and turning, cropping,
scaling and normalising stay on its device. Pillow decodes all others, and what DALI fails over, row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfimage.decode import Header, Picture
from cfimage.pixels import tensor_views
from cfimage.rows import Choose, named, opened, pillow_views
from cfimage.views import Plan
from cfvideo.core.batch_assembly import RowViews, assembled
from cfvideo.core.dali_library import Undecoded, decoded_each, load
from cfvideo.core.device_pictures import normalised
from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.picture_views import Statistics
from cfvideo.core.prefetch import in_order
from cfvideo.core.records import Batch, Reading


@dataclass(frozen=True)
class Planned:
    """One row that DALI may decode."""

    row: int
    picture: Picture
    plan: Plan

    @property
    def decoded_bytes(self) -> int:
        return 3 * self.picture.size[0] * self.picture.size[1]


def batches(index: Index, groups: Iterable[tuple[NDArray[np.int64], Sequence[tuple[int, Choose]]]], num_views: int,
            reading: Reading, statistics: Statistics, **assembly: Any) -> Iterator[Batch]:
    """A Batch per group of (row, how its views are chosen), on the decoder's device; `reading.decoder` is dali_gpu or
    dali_cpu. assembly: arguments of `assembled`."""
    def work(item: tuple[int, Choose]) -> Planned | RowViews | DecodeError:
        row, choose = item
        try:
            with opened(index, row, reading) as picture:
                planned = Planned(row, picture, choose(picture.size))
                picture.check(planned.plan.size)
                return planned if fits(picture.header) else pillow_views(picture, planned.plan, statistics)
        except DecodeError as error:
            return error

    device = torch.device("cuda" if reading.decoder == "dali_gpu" else "cpu")
    with closing(in_order(groups, work, threads=reading.threads)) as results:
        for rows, found in results:
            views = _finished(index, found, reading.decoder, statistics)
            yield assembled(rows, views, num_views, device=device, **assembly)


def fits(header: Header) -> bool:
    """Whether DALI is asked for a picture: JPEGs of grey or RGB that need not be turned."""
    return header.format == "JPEG" and header.mode in ("RGB", "L") and header.orientation == 1


def _finished(index: Index, found: Sequence[Planned | RowViews | DecodeError], decoder: str, statistics: Statistics
              ) -> Iterator[RowViews | DecodeError]:
    """The views of every row, in order."""
    tensors = iter(decoded_each([one for one in found if isinstance(one, Planned)], partial(_decoded, decoder)))
    for one in found:
        tensor = next(tensors) if isinstance(one, Planned) else None
        if not isinstance(one, Planned):
            yield one
        elif tensor is None:
            yield _through_pillow(index, one, statistics)
        else:
            yield RowViews(normalised(tensor_views(tensor, one.plan), statistics), decoder, one.plan.target)


def _through_pillow(index: Index, planned: Planned, statistics: Statistics) -> RowViews | DecodeError:
    try:
        with named(index, planned.row):
            return pillow_views(planned.picture, planned.plan, statistics)
    except DecodeError as error:
        return error


def _decoded(decoder: str, plans: Sequence[Planned]) -> list[torch.Tensor]:
    """uint8 [H, W, 3] of every picture, on the GPU for dali_gpu. Raises Undecoded where one of them cannot be had."""
    dynamic = load()
    encoded = dynamic.as_batch([dynamic.tensor(np.frombuffer(plan.picture.content, np.uint8)) for plan in plans])
    try:
        pictures = dynamic.decoders.image(encoded, device="gpu" if decoder == "dali_gpu" else "cpu",
                                          adjust_orientation=False, jpeg_fancy_upsampling=True)
        # A copy of our own: the memory behind DALI's tensors is used again.
        found = [picture.torch(copy=True) for picture in pictures.tensors]
    except RuntimeError as error:
        raise Undecoded(f"DALI: {error}") from error
    for picture, plan in zip(found, plans, strict=True):
        if tuple(picture.shape) != (*plan.picture.size[::-1], 3):
            raise Undecoded(f"DALI gave a picture of {tuple(picture.shape)}")
    return found
