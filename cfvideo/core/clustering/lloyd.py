"""Lloyd's algorithm (1982), one step at a time, over the rows of one process or of many.

Each process holds the ids, sums and counts of its own rows; sums are integers, so that what is added over blocks, moves
and ranks is the same bytes in any order, and a centroid none of whose members changed is bit-equal to itself.

Why not `faiss.Kmeans`: it sums its objective in float32 and stops on it, which is wrong above some 17 million points
(facebookresearch/faiss#1962), takes 256 points per centroid unless told otherwise, and keeps no state.

Shapes: n rows of this process, K centroids, D feature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.bounds import NO_ID, Rows, tiles
from cfvideo.core.clustering.exact import UNIT, Centroids, Points, joined_limbs
from cfvideo.core.clustering.points import PointSet
from cfvideo.core.clustering.search import Search, block_rows
from cfvideo.core.distributed import all_arrived, sum_over_ranks

# How far the halves of a split cluster move apart, relative to the centroid (FAISS: 1/1024).
_SPLIT = np.float32(1.0 / 1024.0)
_SUM_ROWS = 1024


@dataclass(frozen=True)
class Step:
    """One iteration over all ranks' rows: the new centroids [K, D]; the mean squared distance of a row to the nearest
    of the old ones; how many clusters were empty and were given half of another; share of rows that changed cluster."""

    centroids: Centroids
    objective: float
    num_split: int
    share_moved: float


class Lloyd:
    """This process's part of a fit.

    Args:
        points: this process's rows.
        groups: int32 [K], ascending: the group of each centroid; rows are compared with their own group's alone.
        spherical: centroids are scaled to length 1.
        device: where products are computed.
        progress: told how many rows were searched, after each block, and 0 while other ranks still search; may raise.
    """

    def __init__(self, points: PointSet, *, groups: NDArray[np.int32], spherical: bool, device: torch.device,
                 progress: Callable[[int], None] = lambda num: None) -> None:
        self.points, self.groups, self.spherical, self.device = points, groups, spherical, device
        self.progress = progress
        self.rows = Rows.unknown(points.num_rows)
        self._sums = torch.zeros((len(groups), points.dim), dtype=torch.int64, device=device)
        self._counts = np.zeros(len(groups), np.int64)
        self._searched: Centroids | None = None
        limbs = points.square_limbs.copy()
        sum_over_ranks(limbs)
        self.num_rows, self._squares = points.total, joined_limbs(limbs)

    def search(self, centroids: Centroids) -> int:
        """Bring ids, sums and counts of this process's rows to `centroids`; returns how many rows changed cluster."""
        moved = np.zeros(len(centroids))
        if self._searched is not None:
            moved = np.linalg.norm(centroids.astype(np.float64) - self._searched, axis=1)
        search = Search(centroids, groups=self.groups, moved=moved, device=self.device)
        num_moved = 0
        for block in tiles(self.points.num_rows, block_rows(self.points.dim)):
            start, stop = block.start, min(block.stop, self.points.num_rows)
            rows = self.rows.part(start, stop)
            before = rows.ids.copy()
            read = _once(self.points.read, start, stop)
            search.update(read, rows, None if self.points.groups is None else self.points.groups[start:stop])
            changed = np.flatnonzero(rows.ids != before)
            if len(changed):
                self._move(read(), changed, before[changed], rows.ids[changed])
            num_moved += len(changed)
            self.progress(stop - start)
        self._searched = centroids
        return num_moved

    def _move(self, points: Points, changed: NDArray[np.int64], old: NDArray[np.int32], new: NDArray[np.int32],
              ) -> None:
        """Take points out of their old clusters' sums and add them to the new ones'."""
        for part in tiles(len(changed), _SUM_ROWS):
            whole = torch.from_numpy(points[changed[part]]).to(self.device).float().mul_(1 / UNIT).long()
            self._sums.index_add_(0, torch.from_numpy(new[part]).to(self.device), whole)
            left = np.flatnonzero(old[part] != NO_ID)
            if len(left):
                gone = torch.from_numpy(old[part][left]).to(self.device)
                self._sums.index_add_(0, gone, whole[torch.from_numpy(left).to(self.device)], alpha=-1)
        self._counts += np.bincount(new, minlength=len(self._counts))
        self._counts -= np.bincount(old[old != NO_ID], minlength=len(self._counts))

    def step(self, centroids: Centroids) -> Step:
        """One iteration from `centroids`; every rank gets the same result."""
        moved = np.array([self.search(centroids)])
        all_arrived(lambda: self.progress(0))
        sums, counts = self._sums.cpu().numpy().copy(), self._counts.copy()
        sum_over_ranks(sums, counts, moved)
        totals = sums * UNIT
        means = (totals / np.maximum(counts, 1)[:, None]).astype(np.float32)
        if self.spherical:
            means = _unit(means)
        objective = self._objective(centroids, totals, counts)
        num_split = split_largest(means, counts, self.groups)
        return Step(means, objective / self.num_rows, num_split, int(moved[0]) / self.num_rows)

    def _objective(self, centroids: Centroids, totals: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
        """Sum over rows of |x - c|^2 = |x|^2 - 2 x c + |c|^2, from the exact sums alone."""
        wide = centroids.astype(np.float64)
        cross = np.add.reduce(totals * wide, axis=1)
        own = np.add.reduce(wide * wide, axis=1) * counts
        return max(0.0, self._squares + float(np.add.reduce(own - 2 * cross)))


def _once(read: Callable[[int, int], Points], start: int, stop: int) -> Callable[[], Points]:
    """Reads rows [start, stop) the first time it is called, and gives the same array again later."""
    held: list[Points] = []

    def get() -> Points:
        if not held:
            held.append(read(start, stop))
        return held[0]

    return get


def _unit(means: Centroids) -> Centroids:
    lengths = np.linalg.norm(means.astype(np.float64), axis=1, keepdims=True)
    scaled: Centroids = (means / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


def split_largest(centroids: Centroids, counts: NDArray[np.int64], groups: NDArray[np.int32]) -> int:
    """Give each empty cluster half of its group's largest one, in place; returns how many were empty.

    As FAISS does (`Clustering.cpp`), which picks by size with a random generator; here it is always the largest.
    """
    empty = np.flatnonzero(counts == 0)
    signs = np.where(np.arange(centroids.shape[1]) % 2 == 0, _SPLIT, -_SPLIT)
    for cluster in empty:
        first, last = np.searchsorted(groups, [groups[cluster], groups[cluster] + 1])
        largest = int(first + np.argmax(counts[first:last]))
        centroids[cluster] = centroids[largest] * (1 + signs)
        centroids[largest] *= 1 - signs
        counts[cluster] = counts[largest] // 2
        counts[largest] -= counts[cluster]
    return len(empty)


def converged(objective: list[float], tolerance: float) -> bool:
    """Whether the last iteration improved the objective by a smaller share than `tolerance` (0: only if not at all)."""
    if len(objective) < 2:
        return False
    return objective[-2] - objective[-1] <= tolerance * objective[-2]
