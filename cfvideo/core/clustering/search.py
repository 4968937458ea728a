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

# Rows that are read and sorted at a time hold this many numbers: the more, the more alike are the rows of a tile.
BLOCK_ELEMENTS = 1 << 22
_SCORE_ELEMENTS = 1 << 20
_TILE_ROWS = 1024
_ROUNDING = 2.0 ** -24  # of float32
# Factors rounded to TF32 (11 bits) or bfloat16 (8 bits), by torch.set_float32_matmul_precision.
_FACTORS = {"highest": 0.0, "high": 2.0 ** -9, "medium": 2.0 ** -6}


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
        # Of |x - c|^2 in float32, relative to (|x| + |c|)^2: D for any order of summation, the rest for centring and
        # rounding; and what a product may be allowed to round its factors to. |x|^2 itself is float64.
        self._error = (1.01 * centroids.shape[1] + 32) * _ROUNDING + _FACTORS[torch.get_float32_matmul_precision()]
        self._middle = torch.from_numpy(self.centre).to(device)
        self._block = torch.empty((0, centroids.shape[1]), device=device)
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
        sizes, error = self._load(points, members)
        own = torch.full_like(sizes, torch.inf)
        ids = rows.ids[members]
        if ids[0] >= 0:
            # At best the own centroid came nearer by as much as it moved.
            best_gap = rows.gap(members) + 2 * self.moved[ids]
            helps = np.flatnonzero(needed(best_gap, steps) < len(steps))
            for part in tiles(len(helps), _TILE_ROWS):
                own[torch.from_numpy(helps[part])] = self._measure_own(helps[part], ids[helps[part]])
            rows.own[members[helps]] = up((own + error).sqrt().cpu().numpy()[helps])
        need = needed(rows.gap(members), steps)
        order = np.argsort(-need, kind="stable")
        begin = 0
        while begin < len(order):
            head = int(need[order[begin]])
            tile = order[begin:begin + min(_TILE_ROWS, max(16, _SCORE_ELEMENTS // (head + 1)))]
            step = float(steps[-1 - head]) if head < len(steps) else -np.inf
            if head:
                at = torch.from_numpy(tile).to(self.device)
                scores = self._score(at, (start, start + head), ids[tile], own[at] - sizes[at])
                self._settle(points, rows, members[tile], scores, (start, start + head), sizes[at], error[at], step)
            else:
                rows.other[members[tile]] = down(rows.other[members[tile]] - step)
            begin += len(tile)

    def _load(self, points: Points, members: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Fill the block with m centred points; their squared norms and the error of any score, float64 [m]."""
        if len(self._block) < len(members):
            self._block = torch.empty((len(members), points.shape[1]), device=self.device)
        sizes = torch.empty(len(members), dtype=torch.float64, device=self.device)
        for part in tiles(len(members), _TILE_ROWS):
            tile = self._block[:len(members)][part]
            # All rows of a block are in their own order, and need no gathering.
            tile.copy_(torch.from_numpy(points[part if len(members) == len(points) else members[part]]))
            tile -= self._middle
            sizes[part] = torch.linalg.vector_norm(tile, dim=1, dtype=torch.float64)
        return sizes.square(), self._error * (sizes + self._reach) ** 2

    def _measure_own(self, places: NDArray[np.int64], ids: NDArray[np.int32]) -> Tensor:
        """Squared distances, float64 [r], of the block's points at `places` to centroids `ids`."""
        tile, delta = self._tiles[:, :len(places)]
        torch.index_select(self._block, 0, torch.from_numpy(places).to(self.device), out=tile)
        torch.index_select(self._centred, 0, torch.from_numpy(self.place[ids]).to(self.device), out=delta)
        delta -= tile
        squares: Tensor = torch.linalg.vector_norm(delta, dim=1).double().square()
        return squares

    def _score(self, at: Tensor, places: tuple[int, int], ids: NDArray[np.int32], own: Tensor) -> Tensor:
        """Squared distances less the point's own square, float32 [r, head + 1], to the centroids at `places`.

        The last column is `own`, that of the centroid `ids`, unless that one is among the others.
        """
        head = places[1] - places[0]
        if self._scores.numel() < len(at) * (head + 1):
            self._scores = torch.empty(len(at) * (head + 1), device=self.device)
        scores, tile = self._scores[:len(at) * (head + 1)].view(-1, head + 1), self._tiles[0, :len(at)]
        part = slice(*places)
        torch.index_select(self._block, 0, at, out=tile)
        torch.addmm(self._squares[part], tile, self._centred[part].T, alpha=-2, out=scores[:, :head])
        apart = torch.from_numpy((ids >= 0) & (self.place[ids] >= places[1])).to(self.device)
        scores[:, head] = torch.where(apart, own, torch.inf)
        return scores

    def _settle(self, points: Points, rows: Rows, members: NDArray[np.int64], scores: Tensor, places: tuple[int, int],
                sizes: Tensor, error: Tensor, step: float) -> None:
        """The nearest of the candidates in `scores`, and new bounds; no other centroid moved farther than `step`."""
        columns, best, second = two_least(scores)
        limit = best.double() + 2 * error
        candidates = np.append(self.order[places[0]:places[1]], NO_ID)
        ids = rows.ids[members]
        winners = candidates[columns.cpu().numpy()]
        at = torch.nonzero(second.double() <= limit)[:, 0]
        if len(at):
            scores[at, columns[at]] = best[at]
            pairs = torch.nonzero(scores[at].double() <= limit[at, None]).cpu().numpy()
            second[at] = best[at]
            local = at.cpu().numpy()
            found = candidates[pairs[:, 1]]
            found = np.where(found == NO_ID, ids[local][pairs[:, 0]], found)
            winners[local] = nearest_of(points[members[local]], self.centroids, pairs[:, 0], found)
        rows.ids[members] = np.where(winners == NO_ID, ids, winners)
        rows.own[members] = up((best + sizes + error).clamp(min=0).sqrt().cpu().numpy())
        other = (second + sizes - error).clamp(min=0).sqrt().cpu().numpy()
        rows.other[members] = down(np.minimum(other, rows.other[members] - step))
