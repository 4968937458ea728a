"""Rows of an index -> batches of clips, decoded ahead in threads or in worker processes.

B batch, T frames, n views per row. Which pixels a row gives depends on (seed, epoch, row) or on (row, view) alone,
never on threads, workers, order or the other rows. A row that cannot be decoded gives zeros, valid = False and a
DecodeError.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.batch_assembly import RowViews, assembled, eval_groups, train_groups
from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.data import dali
from cfvideo.data.decoders.choice import resolved_decoder
from cfvideo.data.jobs import Answer, Job
from cfvideo.data.pixels import Frames
from cfvideo.data.row_jobs import decoding, job_of
from cfvideo.data.transforms import normalised, statistics_of

# The views of one row, [n, 3, T, crop, crop]; or why there are none.
Views = RowViews | DecodeError


def sample_shape(view: Mapping[str, Any]) -> tuple[int, ...]:
    """(3, T, crop, crop): the shape of one clip."""
    return 3, view["num_frames"], view["crop_px"], view["crop_px"]


def train_batches(index: Index, draws: Iterable[Draws], *, view: Mapping[str, Any], seed: int, reading: Reading
                  ) -> Iterator[Batch]:
    """One batch per Draws, in order: a random clip, crop and mirroring of every drawn row.

    view: num_frames, frame_stride, short_edge_px, crop_px, flip (see ClipSpec); mean, std where a network has its own.
    """
    reading = _resolved(reading)
    if reading.decoder.startswith("dali"):
        yield from dali.train_batches(index, draws, view=view, seed=seed, reading=reading)
        return

    def work(draw: tuple[int, int], do: Callable[[Job], Answer]) -> Views:
        row, epoch = draw
        return _views(index, row, "train", {**view, "seed": seed, "epoch": epoch}, 1, reading, do)

    with closing(decoding(train_groups(draws), work, reading)) as results:
        for rows, clips in results:
            yield assembled(rows, clips, 1, sample_shape(view))


def eval_batches(index: Index, rows: NDArray[np.int64], *, view: Mapping[str, Any], num_views: int, batch_rows: int,
                 reading: Reading) -> Iterator[Batch]:
    """The `num_views` uniform clips, central crop, of `batch_rows` rows at a time; items row by row, view by view.

    The last batch is filled up with row -1, valid = False, so that all batches have one shape.
    """
    reading = _resolved(reading)
    if reading.decoder.startswith("dali"):
        yield from dali.eval_batches(index, rows, view=view, num_views=num_views, batch_rows=batch_rows,
                                     reading=reading)
        return

    def work(row: int, do: Callable[[Job], Answer]) -> Views:
        return _views(index, row, "eval", {**view, "num_views": num_views}, num_views, reading, do)

    with closing(decoding(eval_groups(rows, batch_rows), work, reading)) as results:
        for padded, clips in results:
            yield assembled(padded, clips, num_views, sample_shape(view))


def thumbnails(index: Index, rows: Iterable[int], *, height_px: int, reading: Reading) -> Iterator[Frames | None]:
    """The middle frame of every row, uint8 [height_px, W, 3]; None where it cannot be decoded."""
    with closing(_pictures(index, rows, "thumbnail", {"height_px": height_px}, reading)) as found:
        for frames in found:
            yield None if isinstance(frames, DecodeError) else frames[0]


def previews(index: Index, rows: Iterable[int], *, view: Mapping[str, Any], num_frames: int, height_px: int,
             reading: Reading) -> Iterator[Frames | DecodeError]:
    """Of every row at most `num_frames` frames of the middle clip of `view`, evenly spaced: uint8 [T, height_px, W, 3]
    of whole pictures; or why there are none."""
    options = {"num_frames": view["num_frames"], "frame_stride": view["frame_stride"], "num_shown": num_frames,
               "height_px": height_px}
    return _pictures(index, rows, "preview", options, reading)


def _pictures(index: Index, rows: Iterable[int], kind: str, options: Mapping[str, Any], reading: Reading,
              ) -> Generator[Frames | DecodeError, None, None]:
    reading = _resolved(reading)

    def work(row: int, do: Callable[[Job], Answer]) -> Frames | DecodeError:
        try:
            return np.ascontiguousarray(do(job_of(index, row, kind, options, reading)).frames)
        except DecodeError as error:
            return error

    groups: Iterator[tuple[int, Sequence[int]]] = ((int(row), [int(row)]) for row in rows)
    with closing(decoding(groups, work, reading, groups_ahead=2 * max(reading.threads, reading.workers))) as results:
        for _, (frames,) in results:
            yield frames


def _resolved(reading: Reading) -> Reading:
    """With the name of a decoder that is there; the pipeline has resolved it already."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return replace(reading, decoder=resolved_decoder(reading.decoder, device))


def _views(index: Index, row: int, kind: str, options: Mapping[str, Any], num_views: int, reading: Reading,
           do: Callable[[Job], Answer]) -> Views:
    try:
        answer = do(job_of(index, row, kind, options, reading))
    except DecodeError as error:
        return error
    clips = torch.from_numpy(normalised(answer.frames, statistics_of(options))).movedim(0, -1)
    return RowViews(clips.reshape(num_views, -1, *clips.shape[1:]), answer.facts.get("decoder", "pyav"))
