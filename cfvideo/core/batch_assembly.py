"""Rows in groups, and the views of a group's rows as one Batch; B batch, n views per row, C channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.errors import DecodeError
from cfvideo.core.records import Batch, Draws


class RowViews(NamedTuple):
    """float32 [n, ..., C], the views of one row, what decoded them, and the class that a pretext task gave them."""

    views: torch.Tensor
    decoder: str
    target: int = -1


def train_groups(draws: Iterable[Draws]) -> Iterator[tuple[NDArray[np.int64], list[tuple[int, int]]]]:
    """Per training step its rows, and (row, epoch) of each."""
    for draw in draws:
        yield draw.rows, list(zip(draw.rows.tolist(), draw.epochs.tolist(), strict=True))


def eval_groups(rows: NDArray[np.int64], batch_rows: int) -> Iterator[tuple[NDArray[np.int64], list[int]]]:
    """`batch_rows` rows at a time, the last filled up with -1, and the true rows among them."""
    for start in range(0, len(rows), batch_rows):
        chunk = np.asarray(rows[start:start + batch_rows], np.int64)
        yield np.pad(chunk, (0, batch_rows - len(chunk)), constant_values=-1), chunk.tolist()


def assembled(rows: NDArray[np.int64], results: Iterable[RowViews | DecodeError], num_views: int,
              shape: Sequence[int], *, channel_axis: int = 0, with_targets: bool = False,
              device: torch.device | None = None) -> Batch:
    """Batch of len(rows) * num_views items; rows past the results are padding. Memory is channels-last.

    shape: of one item; channel_axis: which of its axes the channels are. with_targets: the items' classes come too.
    device: where the data is put; None: the CPU.
    """
    channels, rest = shape[channel_axis], [size for axis, size in enumerate(shape) if axis != channel_axis]
    buffer = torch.zeros(len(rows), num_views, *rest, channels, device=device)
    valid, targets = np.zeros((len(rows), num_views), np.bool_), np.full((len(rows), num_views), -1, np.int64)
    failures, decoders = list[DecodeError](), Counter[str]()
    for i, found in enumerate(results):
        if isinstance(found, DecodeError):
            failures.append(found)
        else:
            buffer[i], valid[i], targets[i] = found.views, True, found.target
            decoders[found.decoder] += 1
    data = buffer.flatten(0, 1).movedim(-1, 1 + channel_axis)
    return Batch(rows=np.repeat(rows, num_views), views=np.tile(np.arange(num_views), len(rows)), data=data,
                 valid=valid.reshape(-1), failures=tuple(failures), decoders=decoders,
                 targets=targets.reshape(-1) if with_targets else None)
