"""Starting centroids: distinct points of a sample, at random or by k-means++ (Arthur and Vassilvitskii, 2007).

Shapes: n points of a sample, K clusters, D feature.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.clustering.exact import Centroids, Points

# k-means++ looks at about this many rows per centroid; it costs one distance per row and centroid.
ROWS_PER_CENTROID = 64


def choose(sample: Points, num_clusters: int, *, init: str, rng: np.random.Generator,
           progress: Callable[[int], None] = lambda num: None) -> Centroids:
    """Starting centroids float32 [K', D]; K' < num_clusters only where the sample has fewer distinct points."""
    chosen = (_random if init == "random" else _plus_plus)(sample, num_clusters, rng, progress)
    return sample[np.asarray(chosen)].astype(np.float32)


def _random(sample: Points, num_clusters: int, rng: np.random.Generator, progress: Callable[[int], None],
            ) -> list[int]:
    return _distinct(sample, [], num_clusters, rng, progress)


def _distinct(sample: Points, chosen: list[int], num_clusters: int, rng: np.random.Generator,
              progress: Callable[[int], None]) -> list[int]:
    """`chosen` and further rows in random order, none equal to another, until there are enough or no more."""
    # Adding zero makes 0.0 of -0.0.
    seen = {(sample[row] + np.float16(0)).tobytes() for row in chosen}
    for row in rng.permutation(len(sample)):
        if len(chosen) == num_clusters:
            break
        before = len(seen)
        seen.add((sample[row] + np.float16(0)).tobytes())
        if len(seen) > before:
            chosen.append(int(row))
            progress(1)
    return chosen


def _plus_plus(sample: Points, num_clusters: int, rng: np.random.Generator, progress: Callable[[int], None],
               ) -> list[int]:
    points = sample.astype(np.float32)
    points -= points.mean(axis=0, dtype=np.float64).astype(np.float32)
    # einsum goes through one row after the other on one thread, where a BLAS product would depend on threads.
    squared = np.einsum("nd,nd->n", points, points).astype(np.float64)
    noise = (points.shape[1] + 16) * 2.0 ** -24  # the products' rounding: equal points may differ by so much
    chosen = [int(rng.integers(len(points)))]
    distance = np.full(len(points), np.inf)
    while True:
        pick = chosen[-1]
        progress(1)
        size = squared + squared[pick]
        fresh = size - 2.0 * np.einsum("nd,d->n", points, points[pick])
        distance = np.minimum(distance, np.where(fresh > noise * size, fresh, 0.0))
        distance[pick] = 0.0
        total = np.cumsum(distance)
        if len(chosen) == num_clusters:
            return chosen
        if total[-1] <= 0:  # what is left lies on what is chosen, or nearly
            return _distinct(sample, chosen, num_clusters, rng, progress)
        chosen.append(min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(points) - 1))
