"""Batches from NVIDIA DALI: the rows, frames, crops and random choices of `cfvideo.data.batches`, decoded together.

B batch, T frames, n views per row. The packets of every file are scanned ahead in threads, so that frame numbers and
crops are those of the PyAV path; DALI then decodes a batch from bytes, and turning, scaling, cropping, mirroring and
normalising stay on the device that it decoded on (dali_gpu: CUDA; dali_cpu: the same code on the CPU). Files that DALI
does not decode go through PyAV row by row. A file that makes it fail costs nobody else: the batch is decoded again one
by one, that file by PyAV, and only if that fails too is its row invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.batch_assembly import RowViews, assembled, eval_groups, train_groups
from cfvideo.core.dali_library import Undecoded, decoded_each
from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.media_file import MediaError, content_of
from cfvideo.core.picture_views import Window, eval_window, short_edge, train_window
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.data.decoders.dali_backend import decode, unfit
from cfvideo.data.decoders.resizing import Unexpected
from cfvideo.data.decoders.survey import Survey, survey
from cfvideo.data.device_views import device_views, views_of_frames
from cfvideo.data.jobs import Answer, Job, chooser
from cfvideo.data.row_jobs import Do, decoding, job_of
from cfvideo.data.transforms import statistics_of


@dataclass(frozen=True)
class Plan:
    """One row that DALI may decode. size: (H, W) upright and scaled, pixels. again: the same row through PyAV."""

    job: Job
    data: NDArray[np.uint8]
    numbers: Sequence[int]
    found: Survey
    size: tuple[int, int]
    window: Window
    again: Callable[[], Answer]

    @property
    def decoded_bytes(self) -> int:
        return len(self.numbers) * self.found.width * self.found.height * 3


# One row's clips before or after decoding, or why there are none.
Planned = Plan | Answer | DecodeError
Item = tuple[int, Mapping[str, Any]]


def train_batches(index: Index, draws: Iterable[Draws], *, view: Mapping[str, Any], seed: int, reading: Reading
                  ) -> Iterator[Batch]:
    """As `cfvideo.data.batches.train_batches`; `reading.decoder` is dali_gpu or dali_cpu."""
    groups = ((rows, [(row, {**view, "seed": seed, "epoch": epoch}) for row, epoch in items])
              for rows, items in train_groups(draws))
    yield from _batches(index, groups, "train", view, 1, reading)


def eval_batches(index: Index, rows: NDArray[np.int64], *, view: Mapping[str, Any], num_views: int, batch_rows: int,
                 reading: Reading) -> Iterator[Batch]:
    """As `cfvideo.data.batches.eval_batches`; `reading.decoder` is dali_gpu or dali_cpu."""
    options = {**view, "num_views": num_views}
    groups = ((padded, [(row, options) for row in chunk]) for padded, chunk in eval_groups(rows, batch_rows))
    yield from _batches(index, groups, "eval", view, num_views, reading)


def _batches(index: Index, groups: Iterable[tuple[NDArray[np.int64], Sequence[Item]]], kind: str,
             view: Mapping[str, Any], num_views: int, reading: Reading) -> Iterator[Batch]:
    def plan(item: Item, do: Do) -> Planned:
        return _planned(index, item[0], kind, item[1], reading, do)

    device = torch.device("cuda" if reading.decoder == "dali_gpu" else "cpu")
    with closing(decoding(groups, plan, reading)) as planned:
        for rows, rows_planned in planned:
            views = _finished(rows_planned, view, num_views, reading.decoder, device)
            yield assembled(rows, views, num_views, (3, view["num_frames"], view["crop_px"], view["crop_px"]),
                            device=device)


def _planned(index: Index, row: int, kind: str, options: Mapping[str, Any], reading: Reading, do: Do) -> Planned:
    try:
        job = job_of(index, row, kind, options, reading)
        plan = _plan(job, do)
        return do(job) if plan is None else plan
    except MediaError as error:
        return DecodeError(row, index.name_of(row), error.status, error.cause)
    except DecodeError as error:
        return error


def _plan(job: Job, do: Do) -> Plan | None:
    """None where the row is PyAV's: a part of a file, a folder of pictures, a file that DALI does not decode."""
    path, view = Path(job.path), job.options
    if job.length >= 0 or path.is_dir():
        return None
    found = survey(path, max_pixels=job.max_pixels)
    if unfit(job.decoder, found) or found.num_frames is None:
        return None
    choose, rng = chooser(job)
    numbers = choose(found.num_frames)
    transposed = found.orientation[0]
    upright = (found.height, found.width) if transposed else (found.width, found.height)
    width, height = short_edge(view["short_edge_px"])(*upright)
    window = (eval_window(height, width, crop_px=view["crop_px"]) if rng is None else
              train_window(height, width, crop_px=view["crop_px"], flip=view["flip"], rng=rng))
    data = np.frombuffer(content_of(path), np.uint8)
    return Plan(job, data, numbers, found, (height, width), window, lambda: do(job))


def _finished(planned: Sequence[Planned], view: Mapping[str, Any], num_views: int, decoder: str,
              device: torch.device) -> Iterator[RowViews | DecodeError]:
    """The views of every row, [n, T, crop, crop, 3], or why there are none."""
    statistics, plans = statistics_of(view), [plan for plan in planned if isinstance(plan, Plan)]
    pictures = iter(decoded_each(plans, partial(_decoded, decoder)))
    for plan in planned:
        decoded = next(pictures) if isinstance(plan, Plan) else None
        answer = plan
        if isinstance(plan, Plan):
            if decoded is not None:
                views = device_views(decoded, plan.found.orientation, plan.size, plan.window, view["crop_px"],
                                     num_views, statistics)
                yield RowViews(views, decoder)
                continue
            answer = _through_pyav(plan)
        if isinstance(answer, Answer):
            frames = torch.from_numpy(answer.frames.copy()).to(device)
            yield RowViews(views_of_frames(frames, num_views, statistics), answer.facts["decoder"])
        elif isinstance(answer, DecodeError):
            yield answer


def _through_pyav(plan: Plan) -> Answer | DecodeError:
    try:
        return plan.again()
    except DecodeError as error:
        return error


def _decoded(decoder: str, plans: Sequence[Plan]) -> list[torch.Tensor]:
    """uint8 [T, H, W, 3] of every plan. Raises Undecoded where one of them cannot be had."""
    try:
        found = decode(decoder, [plan.data for plan in plans], [plan.numbers for plan in plans])
    except Unexpected as error:
        raise Undecoded(str(error)) from error
    for pictures, plan in zip(found, plans, strict=True):
        if tuple(pictures.shape) != (len(plan.numbers), plan.found.height, plan.found.width, 3):
            raise Undecoded(f"DALI gave pictures of {tuple(pictures.shape)}")
    return found
