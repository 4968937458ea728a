"""Samples of rows that need no list, and rows of all processes put together.

Whether a row belongs to a sample is a hash of (seed, purpose, row), so every process knows it of its own rows, whatever
the other rows are. The number of rows that come out is near the share, not equal to it.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cfvideo.core.distributed import current, sum_over_ranks
from cfvideo.core.index_columns import hashed
from cfvideo.core.randomness import derived_seed

T = TypeVar("T", bound=np.generic)


def sampled(rows: NDArray[np.int64], share: ArrayLike, *, seed: int, purpose: str) -> NDArray[np.bool_]:
    """bool [n]: whether each row is in the sample of about `share` (one number, or one per row) of all rows."""
    draw = hashed(derived_seed(seed, purpose), rows) * 2.0 ** -64
    chosen: NDArray[np.bool_] = (draw < np.asarray(share)) | (np.asarray(share) >= 1)
    return chosen


def over_ranks(own: NDArray[T]) -> NDArray[T]:
    """The rows [n, ...] of every rank, in the order of ranks, on every rank: any dtype, bit by bit."""
    ranks = current()
    if ranks.size == 1:
        return own
    counts = np.zeros(ranks.size, np.int64)
    counts[ranks.rank] = len(own)
    sum_over_ranks(counts)
    width = own.dtype.itemsize * math.prod(own.shape[1:])
    first, total = int(counts[:ranks.rank].sum()) * width, int(counts.sum()) * width
    # Sums travel as whole words. Where one rank has its bytes all others have zeros, so the sum is a copy.
    words = np.zeros(-(-total // 8), np.int64)
    words.view(np.uint8)[first:first + len(own) * width] = np.ascontiguousarray(own).reshape(-1).view(np.uint8)
    sum_over_ranks(words)
    return words.view(np.uint8)[:total].view(own.dtype).reshape(-1, *own.shape[1:])


def from_first(own: NDArray[T]) -> NDArray[T]:
    """The first rank's rows, on every rank: where another processor might compute other last bits."""
    return over_ranks(own if current().is_first else own[:0])
