"""Starting centroids: distinct points of a sample, at random or by k-means++ (Arthur and Vassilvitskii, 2007).

Shapes: n points of a sample, K clusters, D feature.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.clustering.bounds import tiles
from cfvideo.core.clustering.exact import Centroids, Points
from cfvideo.core.clustering.points import PointSet
from cfvideo.core.clustering.sampling import from_first, over_ranks, sampled
from cfvideo.core.clustering.search import block_rows
from cfvideo.core.clustering.state import Solution
from cfvideo.core.distributed import current, sum_over_ranks
from cfvideo.core.randomness import numpy_generator

# k-means++ looks at about this many rows per centroid; it costs one distance per row and centroid.
ROWS_PER_CENTROID = 64


def starting_solution(points: PointSet, quotas: NDArray[np.int64], *, init: str, seed: int, restart: int,
                      progress: Callable[[int], None] = lambda num: None) -> Solution:
    """Starting centroids for restart number `restart`, the same on every rank, from a sample of all ranks' points.

    quotas: int64 [G], how many for each group of points.
    """
    counts = np.zeros(current().size, np.int64)
    counts[current().rank] = points.num_rows
    sizes = np.bincount(points.group_of(0, points.num_rows), minlength=len(quotas)).astype(np.int64)
    sum_over_ranks(counts, sizes)
    before = int(counts[:current().rank].sum())
    share = np.minimum(1.0, ROWS_PER_CENTROID * quotas / np.maximum(sizes, 1))
    parts, of_group = [np.zeros((0, points.dim), np.float16)], [np.zeros(0, np.int32)]
    for block in tiles(points.num_rows, block_rows(points.dim)):
        start, stop = block.start, min(block.stop, points.num_rows)
        groups = points.group_of(start, stop)
        wanted = sampled(before + np.arange(start, stop), share[groups], seed=seed, purpose=f"seeding {restart}")
        parts.append(points.read(start, stop)[wanted])
        of_group.append(groups[wanted])
    sample, groups = over_ranks(np.concatenate(parts)), over_ranks(np.concatenate(of_group))
    chosen = []
    for group in np.flatnonzero(quotas):
        rng = numpy_generator(seed, "kmeans", restart, int(group))
        found = choose(sample[groups == group], int(quotas[group]), init=init, rng=rng, progress=progress)
        chosen.append((found, np.full(len(found), group, np.int32)))
    return Solution(from_first(np.concatenate([one for one, _ in chosen])), np.concatenate([g for _, g in chosen]))


def choose(sample: Points, num_clusters: int, *, init: str, rng: np.random.Generator,
           progress: Callable[[int], None] = lambda num: None) -> Centroids:
    """Starting centroids float32 [K', D]; K' < num_clusters only where the sample has fewer distinct points."""
    chosen = (_random if init == "random" else _plus_plus)(sample, num_clusters, rng, progress)
    centroids: Centroids = sample[np.asarray(chosen)].astype(np.float32)
    return centroids


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
