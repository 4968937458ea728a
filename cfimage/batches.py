"""Rows of an index -> batches of views of images, decoded ahead in threads.

Which pixels a row gives depends on (seed, epoch, row) or on (row, view) alone, never on threads, order or the other
rows. A row that cannot be decoded gives zeros, valid = False and a DecodeError.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfimage import dali
from cfimage.decode import Pixels
from cfimage.decoder_choice import resolved_decoder
from cfimage.jigsaw_order import CELLS
from cfimage.rows import Choose, opened, pillow_views
from cfimage.views import eval_plan, train_plan
from cfvideo.core.batch_assembly import RowViews, assembled, eval_groups, train_groups
from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.picture_views import Statistics, fixed_height, statistics_of
from cfvideo.core.prefetch import in_order
from cfvideo.core.records import Batch, Draws, Reading

# ImageNet's statistics of RGB in [0, 1], as torchvision's models use them.
IMAGENET = Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def sample_shape(view: Mapping[str, Any]) -> tuple[int, ...]:
    """Shape of one training item: (3, crop, crop), or (9, 3, patch, patch) of a jigsaw."""
    if view.get("task") == "jigsaw":
        return CELLS * CELLS, 3, view["patch_px"], view["patch_px"]
    return 3, view["crop_px"], view["crop_px"]


def train_batches(index: Index, draws: Iterable[Draws], *, view: Mapping[str, Any], seed: int, reading: Reading
                  ) -> Iterator[Batch]:
    """One batch per Draws, in order: a random view of every drawn row, and its class where the task is a pretext.

    view: fields of ClipSpec; task, mean and std where they are not labels and ImageNet's.
    """
    def chooser(item: tuple[int, int]) -> tuple[int, Choose]:
        row, epoch = item
        return row, partial(train_plan, view=view, rng=np.random.default_rng([seed, epoch, row, 0]))

    groups = ((rows, [chooser(item) for item in items]) for rows, items in train_groups(draws))
    task = view.get("task", "labels")
    yield from _batches(index, groups, view, 1, reading, shape=sample_shape(view), with_targets=task != "labels",
                        channel_axis=1 if task == "jigsaw" else 0)


def eval_batches(index: Index, rows: NDArray[np.int64], *, view: Mapping[str, Any], num_views: int, batch_rows: int,
                 reading: Reading) -> Iterator[Batch]:
    """The `num_views` squares (see `views`) of `batch_rows` rows at a time, whatever the task; items row by row, view
    by view. The last batch is filled up with row -1, valid = False, so that all batches have one shape."""
    choose = partial(eval_plan, view=view, num_views=num_views)
    groups = ((padded, [(row, choose) for row in chunk]) for padded, chunk in eval_groups(rows, batch_rows))
    yield from _batches(index, groups, view, num_views, reading, shape=(3, view["crop_px"], view["crop_px"]))


def _batches(index: Index, groups: Iterable[tuple[NDArray[np.int64], Sequence[tuple[int, Choose]]]],
             view: Mapping[str, Any], num_views: int, reading: Reading, **assembly: Any) -> Iterator[Batch]:
    reading, statistics = _resolved(reading), statistics_of(view, IMAGENET)
    if reading.decoder.startswith("dali"):
        yield from dali.batches(index, groups, num_views, reading, statistics, **assembly)
        return

    def work(item: tuple[int, Choose]) -> RowViews | DecodeError:
        row, choose = item
        try:
            with opened(index, row, reading) as picture:
                return pillow_views(picture, choose(picture.size), statistics)
        except DecodeError as error:
            return error

    with closing(in_order(groups, work, threads=reading.threads)) as results:
        for rows, views in results:
            yield assembled(rows, views, num_views, **assembly)


def thumbnails(index: Index, rows: Iterable[int], *, height_px: int, reading: Reading) -> Iterator[Pixels | None]:
    """Every row's picture, uint8 [height_px, W, 3]; None where it cannot be decoded. Pillow decodes them."""
    with closing(_pictures(index, rows, height_px, reading)) as found:
        for picture in found:
            yield None if isinstance(picture, DecodeError) else picture


def previews(index: Index, rows: Iterable[int], *, view: Mapping[str, Any], num_frames: int, height_px: int,
             reading: Reading) -> Iterator[Pixels | DecodeError]:
    """Every row's picture as the one frame there is, uint8 [1, height_px, W, 3]; or why there is none."""
    with closing(_pictures(index, rows, height_px, reading)) as found:
        for picture in found:
            yield picture if isinstance(picture, DecodeError) else picture[None]


def _pictures(index: Index, rows: Iterable[int], height_px: int, reading: Reading,
              ) -> Generator[Pixels | DecodeError, None, None]:
    def work(row: int) -> Pixels | DecodeError:
        try:
            with opened(index, row, reading) as picture:
                return picture.scaled(fixed_height(height_px)(*picture.size))
        except DecodeError as error:
            return error

    groups = ((int(row), [int(row)]) for row in rows)
    with closing(in_order(groups, work, threads=reading.threads, groups_ahead=2 * reading.threads)) as results:
        for _, (picture,) in results:
            yield picture


def _resolved(reading: Reading) -> Reading:
    """With the name of a decoder that is there; the pipeline has resolved it already."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return replace(reading, decoder=resolved_decoder(reading.decoder, device))
