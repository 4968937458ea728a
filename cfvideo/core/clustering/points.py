"""The points of one fit: prepared once, then read block by block as often as it takes.

A feature shard is verified and prepared (PCA, length) when it is read; doing that again in every iteration would cost
more than the search. So each process writes its own rows, as they are to be clustered, to one file in the stage's
scratch folder: 2 bytes per number, read back with plain reads, never mapped and never whole in memory.

Shapes: n rows of this process, D feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.clustering.exact import Points, square_limbs
from cfvideo.core.distributed import sum_over_ranks
from cfvideo.core.errors import IntegrityError


@dataclass(frozen=True)
class PointSet:
    """num_rows points of D numbers in a file, in memory, or made by a function of (start, stop) when they are read.

    groups: int32 [n]; None where all rows are of one group. square_limbs: `exact.square_limbs` over
    all rows. largest: the largest |x|.
    """

    source: Path | Points | Callable[[int, int], Points]
    num_rows: int
    dim: int
    square_limbs: NDArray[np.int64]
    largest: float
    groups: NDArray[np.int32] | None = None

    @cached_property
    def total(self) -> int:
        """Rows of all processes; all must ask."""
        rows = np.array([self.num_rows])
        sum_over_ranks(rows)
        return int(rows[0])

    def group_of(self, start: int, stop: int) -> NDArray[np.int32]:
        """Groups of rows [start, stop), int32 [stop - start]."""
        return np.zeros(stop - start, np.int32) if self.groups is None else self.groups[start:stop]

    def read(self, start: int, stop: int) -> Points:
        """Rows [start, stop), float16 [stop - start, D]."""
        if isinstance(self.source, np.ndarray):
            return self.source[start:stop]
        if not isinstance(self.source, Path):
            return self.source(start, stop)
        size = (stop - start) * self.dim
        found = np.fromfile(self.source, np.float16, size, offset=start * self.dim * 2)
        if len(found) != size:
            raise IntegrityError(f"{self.source}: cut short while it was in use; run the same command again")
        return found.reshape(stop - start, self.dim)


def in_memory(points: Points, groups: NDArray[np.int32] | None = None) -> PointSet:
    """A set that is an array."""
    return PointSet(points, len(points), points.shape[1], square_limbs(points),
                    float(np.abs(points).max(initial=0)), groups)


@dataclass
class _Tally:
    num_rows: int = 0
    limbs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    largest: float = 0.0


def on_disk(path: Path, blocks: Iterable[tuple[Points, NDArray[np.int32] | None]], *, dim: int) -> PointSet:
    """Write blocks of prepared points, and of their groups if they have any, to `path`, replacing what is there."""
    tally, groups = _Tally(), []
    with path.open("wb") as file:
        for points, of_block in blocks:
            file.write(np.ascontiguousarray(points).data)
            tally.num_rows += len(points)
            tally.limbs += square_limbs(points)
            tally.largest = max(tally.largest, float(np.abs(points).max(initial=0)))
            if of_block is not None:
                groups.append(of_block)
    return PointSet(path, tally.num_rows, dim, tally.limbs, tally.largest,
                    np.concatenate(groups) if groups else None)
