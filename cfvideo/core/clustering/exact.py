"""Arithmetic that comes out the same in any order: what makes a fit one function of its points and its seed.

A matrix product's last bits depend on its shape, its threads and its device. So products here only propose; whatever
could go either way is decided by `squared_distances`, which looks at one pair at a time. Sums are integers: a float16
value is a multiple of 2^-24, and integers add in any order.

Shapes: m pairs, n points, K clusters, D feature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import ConfigError

Points = NDArray[np.float16]
Centroids = NDArray[np.float32]

# One unit of the integer sums.
UNIT = 2.0 ** -24
_PAIR_ELEMENTS = 1 << 21
_LIMB = 2.0 ** 24


def squared_distances(points: Points, centroids: Centroids) -> NDArray[np.float64]:
    """Squared L2 distance of each pair, float64 [m], from points and centroids [m, D].

    Each row is added up by itself, in NumPy's order for D numbers: its company and the threads leave no trace.
    """
    out = np.empty(len(points))
    step = max(1, _PAIR_ELEMENTS // max(1, points.shape[1]))
    for start in range(0, len(points), step):
        delta = points[start:start + step].astype(np.float64) - centroids[start:start + step]
        out[start:start + step] = np.add.reduce(delta * delta, axis=1)
    return out


def nearest_of(points: Points, centroids: Centroids, rows: NDArray[np.int64], ids: NDArray[np.int64],
               ) -> NDArray[np.int64]:
    """The nearest candidate of each point, ties to the lowest id.

    Args:
        points: [n, D].
        centroids: [K, D].
        rows: [m], the point of each candidate: ascending, every point at least once.
        ids: [m], the candidates.
    """
    if len(rows) > 4 * len(points):
        # Many candidates each: points that repeat themselves (a blank video, a dead network) are looked at once.
        as_bytes = np.ascontiguousarray(points).view(np.dtype((np.void, points.itemsize * points.shape[1])))[:, 0]
        _, first, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
        chosen = np.isin(rows, first)
        renumbered = np.searchsorted(np.sort(first), rows[chosen])
        winners = _nearest_of(points[np.sort(first)], centroids, renumbered, ids[chosen])
        return winners[np.argsort(np.argsort(first))[inverse]]
    return _nearest_of(points, centroids, rows, ids)


def _nearest_of(points: Points, centroids: Centroids, rows: NDArray[np.int64], ids: NDArray[np.int64],
                ) -> NDArray[np.int64]:
    distances = np.empty(len(rows))
    step = max(1, _PAIR_ELEMENTS // max(1, points.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        distances[part] = squared_distances(points[rows[part]], centroids[ids[part]])
    order = np.lexsort((ids, distances, rows))
    first = np.flatnonzero(np.diff(rows[order], prepend=-1))
    return ids[order[first]]


def square_limbs(points: Points) -> NDArray[np.int64]:
    """The sum of all squared norms as three integers that add without rounding: int64 [3], weights 1, 2^-24, 2^-48.

    A float64 norm up to 32 is a multiple of 2^-48, so nothing is lost; of larger norms, nothing that float64 held.
    """
    squares = points.astype(np.float64)
    norms = np.add.reduce(squares * squares, axis=1)
    high = np.floor(norms)
    middle = np.floor((norms - high) * _LIMB)
    low = ((norms - high) * _LIMB - middle) * _LIMB
    return np.array([part.astype(np.int64).sum() for part in (high, middle, low)])


def joined_limbs(limbs: NDArray[np.int64]) -> float:
    """The number that `square_limbs`, or a sum of them, stands for, rounded once."""
    high, middle, low = (int(part) for part in limbs)
    return ((high << 48) + (middle << 24) + low) / (1 << 48)


def check_range(num_rows: int, largest: float) -> None:
    """ConfigError where the integer sums of so many points could leave 63 bits: 5e11 rows of unit vectors."""
    if num_rows * largest / UNIT >= 2.0 ** 63:
        raise ConfigError(f"CLUSTER.L2_NORMALISE: False with features up to {largest:g} in {num_rows:,} rows is beyond "
                          "what can be added exactly; set it to True")
