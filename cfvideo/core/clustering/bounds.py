"""What a search remembers of its rows, and which centroids that leaves to look at.

Every number here is rounded to the safe side: a bound may be too wide, never too tight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NO_ID = -1
# A row that must look at more than this share of the centroids looks at all, which renews its lower bound.
_LOOK_AT_ALL = 0.6


@dataclass(frozen=True)
class Rows:
    """What is known of n rows: ids int32 [n] (-1: nothing yet), own float32 [n] not below the distance to the own
    centroid, other float32 [n] not above the distance to any other of the same group."""

    ids: NDArray[np.int32]
    own: NDArray[np.float32]
    other: NDArray[np.float32]

    @classmethod
    def unknown(cls, num: int) -> Rows:
        """Rows that were never searched."""
        return cls(np.full(num, NO_ID, np.int32), np.full(num, np.inf, np.float32), np.zeros(num, np.float32))

    def part(self, start: int, stop: int) -> Rows:
        """A view of some consecutive rows."""
        return Rows(self.ids[start:stop], self.own[start:stop], self.other[start:stop])


    def gap(self, members: NDArray[np.int64]) -> NDArray[np.float64]:
        """By how much any other centroid is farther than the own one, at least; negative where that is not known."""
        gap: NDArray[np.float64] = self.other[members].astype(np.float64) - self.own[members]
        return gap


def up(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """To float32, not smaller."""
    wider: NDArray[np.float32] = np.nextafter(values.astype(np.float32), np.float32(np.inf))
    return wider


def down(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """To float32, not larger."""
    wider: NDArray[np.float32] = np.nextafter(values.astype(np.float32), np.float32(-np.inf))
    return wider


def needed(gaps: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of the centroids, those that moved farthest first, each row must look at.

    gaps: float64 [n], between a row's two bounds. steps: float64 [K], ascending: how far each centroid moved. One that
    moved less than the gap is farther from the row than its own, hence not even tied.
    """
    need = len(steps) - np.searchsorted(steps, gaps)
    need[need > _LOOK_AT_ALL * len(steps)] = len(steps)
    return need


def tiles(num: int, size: int) -> Iterator[slice]:
    """Consecutive slices of `size` items."""
    return (slice(start, start + size) for start in range(0, num, size))


def two_least(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Column [r] and value of each row's least score, and the next value; the least are overwritten by infinity."""
    # On a CPU, NumPy's is ten times as fast as torch.min.
    on_cpu = scores.device.type == "cpu"
    columns = torch.from_numpy(scores.numpy().argmin(axis=1)) if on_cpu else scores.argmin(dim=1)
    at = columns[:, None]
    best = scores.gather(1, at)[:, 0]
    scores.scatter_(1, at, torch.inf)
    return columns, best, scores.amin(dim=1)
