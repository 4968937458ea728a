"""Exact nearest centroids, with as few products as the last iteration's distances allow.

Every row keeps its centroid, an upper bound of the distance to it and a lower bound of the distance to any other. When
centroids move, the triangle inequality (Elkan 2003, Hamerly 2010) says that a centroid which moved less than the gap
between a row's two bounds cannot have become its nearest. Centroids are sorted by how far they moved, so what a row
must look at is the head of one list; rows are sorted by how long their head is, so a tile of rows and a head of
centroids is one dense matrix product. Centroids that did not move are the tail that hardly any row looks at.

float32 products carry an error that is bounded for any order of summation. What lies within it is decided by
`exact.nearest_of`: the ids are those of exact arithmetic with ties to the lowest id, whatever the tiles, threads, ranks
or device. Points and centroids are centred before the product, so that the bound is relative to their spread.

Shapes: n rows, r rows of a tile, K centroids, D feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfvideo.core.clustering.bounds import NO_ID, Rows, down, needed, tiles, two_least, up
from cfvideo.core.clustering.exact import Centroids, Points, nearest_of

# Rows that are read and sorted at a time hold this many numbers; the scores of one product as many at most.
BLOCK_ELEMENTS = 1 << 22
_SCORE_ELEMENTS = 1 << 20
_TILE_ROWS = 1024
_ROUNDING = 2.0 ** -24  # of float32


def block_rows(dim: int) -> int:
    """How many rows of `dim` numbers are read and sorted at a time."""
    return max(1, BLOCK_ELEMENTS // dim)


class Search:
    """One set of centroids, ready to be searched.

    Args:
        centroids: float32 [K, D].
        groups: int32 [K], ascending: rows of group g are compared with centroids of group g alone.
        moved: float64 [K], how far each centroid moved since the rows were last searched.
        device: where the products are computed.
    """

    def __init__(self, centroids: Centroids, *, groups: NDArray[np.int32], moved: NDArray[np.float64],
                 device: torch.device) -> None:
        self.centroids, self.device = centroids, device
        self.order = np.lexsort((-moved, groups))
        self.place = np.argsort(self.order)
        self.moved = moved * (1 + 1e-12)
        self.groups = groups
        self.centre = centroids.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = torch.from_numpy(centroids[self.order] - self.centre)
        squares = centred.double().square().sum(1)
        self._reach = float(squares.max().sqrt())
        self._centred, self._squares = centred.to(device), squares.float().to(device)
        self._middle = torch.from_numpy(self.centre).to(device)
        self._tiles = torch.empty((2, _TILE_ROWS, centroids.shape[1]), device=device)
        self._scores = torch.empty(0, device=device)

    def update(self, read: Callable[[], Points], rows: Rows, row_groups: NDArray[np.int32] | None) -> None:
        """Bring `rows`, in place, from the centroids before to these.

        Args:
            read: gives the rows' points, float16 [n, D]; called only if some must be looked at.
            rows: as the last search left them, or unknown.
            row_groups: int32 [n]; None: all rows are of group 0. Rows of a group without centroids stay unknown.
        """
        known = rows.ids >= 0
        rows.own[known] = up(rows.own[known] + self.moved[rows.ids[known]])
        points: Points | None = None
        for members, start, stop in self._by_group(len(rows.ids), row_groups):
            # Ascending, as searchsorted wants it.
            steps = self.moved[self.order[start:stop]][::-1]
            need = needed(rows.gap(members), steps)
            still = members[need == 0]
            rows.other[still] = down(rows.other[still] - float(steps[-1]))
            if len(still) < len(members):
                points = read() if points is None else points
                self._look(points, rows, members[need > 0], steps, start)

    def _by_group(self, num: int, row_groups: NDArray[np.int32] | None,
                  ) -> Iterator[tuple[NDArray[np.int64], int, int]]:
        """(rows, first and last place of their centroids), group by group."""
        if row_groups is None:
            yield np.arange(num), 0, len(self.order)
            return
        by_group = np.argsort(row_groups, kind="stable")
        for group in np.unique(row_groups):
            start, stop = np.searchsorted(self.groups, [group, group + 1])
            first, last = np.searchsorted(row_groups[by_group], [group, group + 1])
            if start < stop:
                yield by_group[first:last], int(start), int(stop)

    def _look(self, points: Points, rows: Rows, members: NDArray[np.int64], steps: NDArray[np.float64], start: int,
              ) -> None:
        """Measure the distance to the own centroid where that may help; then compare with what is still needed.

        Where it is not measured, all centroids are needed, the own one among them.
        """
        squares = np.full(len(members), np.inf)
        ids = rows.ids[members]
        if ids[0] >= 0:
            # At best the own centroid came nearer by as much as it moved.
            best_gap = rows.gap(members) + 2 * self.moved[ids]
            helps = np.flatnonzero(needed(best_gap, steps) < len(steps))
            for part in tiles(len(helps), _TILE_ROWS):
                squares[helps[part]] = self._measure_own(points, rows, members[helps[part]])
        need = needed(rows.gap(members), steps)
        order = np.argsort(-need, kind="stable")
        begin = 0
        while begin < len(order):
            head = int(need[order[begin]])
            tile = order[begin:begin + min(_TILE_ROWS, max(16, _SCORE_ELEMENTS // (head + 1)))]
            step = float(steps[-1 - head]) if head < len(steps) else -np.inf
            if head:
                self._compare(points, rows, members[tile], squares[tile], (start, start + head), step)
            else:
                rows.other[members[tile]] = down(rows.other[members[tile]] - step)
            begin += len(tile)

    def _load(self, points: Points, members: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Centred points float32 [r, D], their squared norms and the error of any score, float64 [r]."""
        tile = self._tiles[0, :len(members)]
        tile.copy_(torch.from_numpy(points[members]))
        tile -= self._middle
        squares = torch.linalg.vector_norm(tile, dim=1).double().square()
        spread = (squares.sqrt() * (1 + 1e-4) + self._reach) ** 2
        return tile, squares, (1.01 * tile.shape[1] + 16) * _ROUNDING * spread

    def _measure_own(self, points: Points, rows: Rows, members: NDArray[np.int64]) -> NDArray[np.float64]:
        """Squared distances to the rows' own centroids [r]; rows.own follows."""
        tile, _, error = self._load(points, members)
        delta = self._tiles[1, :len(members)]
        places = torch.from_numpy(self.place[rows.ids[members]]).to(self.device)
        torch.index_select(self._centred, 0, places, out=delta)
        delta -= tile
        squares = torch.linalg.vector_norm(delta, dim=1).double().square()
        rows.own[members] = up((squares + error).sqrt().cpu().numpy())
        found: NDArray[np.float64] = squares.cpu().numpy()
        return found

    def _compare(self, points: Points, rows: Rows, members: NDArray[np.int64], own: NDArray[np.float64],
                 places: tuple[int, int], step: float) -> None:
        """Nearest of the own centroid and those at `places`; no other moved farther than `step`."""
        tile, squares, error = self._load(points, members)
        scores = self._score(tile, places)
        head = places[1] - places[0]
        ids = rows.ids[members]
        # The own centroid takes the last column, unless it is among the others.
        apart = np.where((ids >= 0) & (self.place[ids] >= places[1]), own, np.inf)
        scores[:, head] = torch.from_numpy(apart).to(self.device) - squares
        columns, best, second = two_least(scores)
        unsure = second.double() <= best.double() + 2 * error
        candidates = np.append(self.order[places[0]:places[1]], NO_ID)
        winners = candidates[columns.cpu().numpy()]
        at = torch.nonzero(unsure)[:, 0]
        if len(at):
            scores[at, columns[at]] = best[at]
            pairs = torch.nonzero(scores[at].double() <= (best.double() + 2 * error)[at, None]).cpu().numpy()
            second[at] = best[at]
            local = at.cpu().numpy()
            found = candidates[pairs[:, 1]]
            found = np.where(found == NO_ID, ids[local][pairs[:, 0]], found)
            winners[local] = nearest_of(points[members[local]], self.centroids, pairs[:, 0], found)
        rows.ids[members] = np.where(winners == NO_ID, ids, winners)
        rows.own[members] = up((best + squares + error).clamp(min=0).sqrt().cpu().numpy())
        other = (second + squares - error).clamp(min=0).sqrt().cpu().numpy()
        rows.other[members] = down(np.minimum(other, rows.other[members] - step))

    def _score(self, tile: Tensor, places: tuple[int, int]) -> Tensor:
        """Squared distances less the point's own square, float32 [r, head + 1]; the last column is left to fill."""
        head = places[1] - places[0]
        if self._scores.numel() < len(tile) * (head + 1):
            self._scores = torch.empty(len(tile) * (head + 1), device=self.device)
        scores = self._scores[:len(tile) * (head + 1)].view(len(tile), head + 1)
        part = slice(*places)
        torch.addmm(self._squares[part], tile, self._centred[part].T, alpha=-2, out=scores[:, :head])
        return scores
