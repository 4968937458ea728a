"""Batches from NVIDIA DALI: the rows, frames, crops and random choices of `cfvideo.data.batches`, decoded together.

B batch, T frames, n views per row. The packets of every file are scanned ahead in threads, so that frame numbers and
crops are those of the PyAV path; DALI then decodes a batch from bytes, and turning, scaling, cropping, mirroring and
normalising stay on the device that it decoded on (dali_gpu: CUDA; dali_cpu: the same code on the CPU). Files that DALI
does not decode go through PyAV row by row. A file that makes it fail costs nobody else: the batch is decoded again one
by one, that file by PyAV, and only if that fails too is its row invalid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.batch_assembly import eval_groups, train_groups
from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.media_file import MediaError
from cfvideo.core.picture_views import Window, eval_window, short_edge, train_window
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.data.decoders.dali_backend import decode, unfit
from cfvideo.data.decoders.resizing import Unexpected
from cfvideo.data.decoders.survey import Survey, survey
from cfvideo.data.device_views import device_views, views_of_frames
from cfvideo.data.jobs import Answer, Job, chooser
from cfvideo.data.row_jobs import Do, decoding, job_of
from cfvideo.data.transforms import statistics_of

# Full-size RGB that one call to DALI may make; batches of large videos are decoded in several calls.
BYTES_AT_ONCE = 4 << 30


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

    with closing(decoding(groups, plan, reading)) as planned:
        for rows, rows_planned in planned:
            yield _batch(rows, rows_planned, view, num_views, reading.decoder)


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
    return Plan(job, np.fromfile(path, np.uint8), numbers, found, (height, width), window, lambda: do(job))


def _batch(rows: NDArray[np.int64], planned: Sequence[Planned], view: Mapping[str, Any], num_views: int,
           decoder: str) -> Batch:
    """Batch of len(rows) * num_views items on DALI's device; rows past the plans are padding."""
    device = torch.device("cuda" if decoder == "dali_gpu" else "cpu")
    side = view["crop_px"]
    buffer = torch.zeros(len(rows), num_views, view["num_frames"], side, side, 3, device=device)
    valid, failures, used = np.zeros((len(rows), num_views), np.bool_), list[DecodeError](), Counter[str]()
    for i, views in enumerate(_finished(planned, view, num_views, decoder, device, used)):
        if isinstance(views, DecodeError):
            failures.append(views)
        else:
            buffer[i], valid[i] = views, True
    data = buffer.flatten(0, 1).movedim(-1, 1)
    return Batch(rows=np.repeat(rows, num_views), views=np.tile(np.arange(num_views), len(rows)), data=data,
                 valid=valid.reshape(-1), failures=tuple(failures), decoders=dict(used))


def _finished(planned: Sequence[Planned], view: Mapping[str, Any], num_views: int, decoder: str, device: torch.device,
              used: Counter[str]) -> Iterator[torch.Tensor | DecodeError]:
    """The views of every row, float32 [n, T, crop, crop, 3], or why there are none; counts in `used` what decoded."""
    statistics, plans = statistics_of(view), [plan for plan in planned if isinstance(plan, Plan)]
    pictures = iter([decoded for portion in portions(plans) for decoded in _decoded(decoder, portion)])
    for plan in planned:
        decoded = next(pictures) if isinstance(plan, Plan) else None
        answer = plan
        if isinstance(plan, Plan):
            if decoded is not None:
                used[decoder] += 1
                yield device_views(decoded, plan.found.orientation, plan.size, plan.window, view["crop_px"], num_views,
                                   statistics)
                continue
            answer = _through_pyav(plan)
        if isinstance(answer, Answer):
            used[answer.facts["decoder"]] += 1
            yield views_of_frames(torch.from_numpy(answer.frames.copy()).to(device), num_views, statistics)
        elif isinstance(answer, DecodeError):
            yield answer


def _through_pyav(plan: Plan) -> Answer | DecodeError:
    try:
        return plan.again()
    except DecodeError as error:
        return error


def portions(plans: Sequence[Plan]) -> Iterator[list[Plan]]:
    """Consecutive plans that one call may decode, at least one of them each."""
    portion, held = list[Plan](), 0
    for plan in plans:
        if portion and held + plan.decoded_bytes > BYTES_AT_ONCE:
            yield portion
            portion, held = [], 0
        portion.append(plan)
        held += plan.decoded_bytes
    if portion:
        yield portion


def _decoded(decoder: str, plans: list[Plan]) -> list[torch.Tensor | None]:
    """uint8 [T, H, W, 3] of every plan; None for those that DALI cannot decode."""
    try:
        found = decode(decoder, [plan.data for plan in plans], [plan.numbers for plan in plans])
    except Unexpected:
        return [None] if len(plans) == 1 else [one for plan in plans for one in _decoded(decoder, [plan])]
    expected = [(len(plan.numbers), plan.found.height, plan.found.width, 3) for plan in plans]
    return [pictures if tuple(pictures.shape) == shape else None
            for pictures, shape in zip(found, expected, strict=True)]
