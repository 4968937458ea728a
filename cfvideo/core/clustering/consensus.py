"""Several labellings of the same rows made into one: k-means on their one-hot codes, side by side.

K-means-based consensus clustering (Wu et al., IEEE TKDE 27, 2015) with its utility U_c, category utility; Topchy, Jain
and Punch (IEEE PAMI 27, 2005) derive the same from quadratic mutual information. The partition that the squared
distances make is the one that predicts the labels of all sources best, each source counting alike. It takes N x r
integers and costs N x K x sum(K_i), linear in N, where evidence accumulation (Fred and Jain, 2002) needs the N x N
co-association matrix; whether two rows share a cluster in many sources is what both go by.

Codes are zeros and ones, exact in float16, and are made from the ids whenever a block is read; nothing is stored of
them. A source that has no label for a row has zeros there, so that the others decide.

Shapes: N rows, n of them, r sources, K_i clusters of source i, D = sum(K_i), K clusters of the consensus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.clustering.bounds import tiles
from cfvideo.core.clustering.exact import Points
from cfvideo.core.clustering.points import PointSet
from cfvideo.core.clustering.sampling import over_ranks, sampled
from cfvideo.core.clustering.search import block_rows
from cfvideo.core.clustering.seeding import ROWS_PER_CENTROID
from cfvideo.core.clustering.state import Solution
from cfvideo.core.distributed import current, sum_over_ranks
from cfvideo.core.features import FeatureBlock
from cfvideo.core.randomness import numpy_generator

# K x D at most: the sums of a fit take 8 bytes of each, in every process.
MAX_NUMBERS = 1 << 27
_NONE = -1


@dataclass(frozen=True)
class LabelSets:
    """Label ids int32 [N, r], -1 = none, as a source of features. sizes: K_i of each."""

    labels: NDArray[np.int32]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, label_sets: Sequence[NDArray[np.int32]]) -> LabelSets:
        """Of int32 [N] each. Ids are renamed in the order of the rows that carry them first, so that which id a source
        gave a cluster cannot matter."""
        renamed = [_by_first_row(labels) for labels in label_sets]
        return cls(np.stack(renamed, axis=1), tuple(int(labels.max(initial=_NONE)) + 1 for labels in renamed))

    @property
    def num_rows(self) -> int:
        """N."""
        return len(self.labels)

    @property
    def dim(self) -> int:
        """D."""
        return sum(self.sizes)

    def own_rows(self) -> NDArray[np.int64]:
        """int64 [n]: this process's rows, as far as some source has a label for them."""
        start, stop = current().share(self.num_rows)
        return start + np.flatnonzero((self.labels[start:stop] != _NONE).any(axis=1))

    def codes(self, rows: NDArray[np.int64]) -> Points:
        """float16 [n, D]."""
        out, first = np.zeros((len(rows), self.dim), np.float16), 0
        for labels, size in zip(self.labels[rows].T, self.sizes, strict=True):
            has = np.flatnonzero(labels != _NONE)
            out[has, first + labels[has]] = 1
            first += size
        return out

    def blocks(self, *, start: int, stop: int) -> Iterator[FeatureBlock]:
        """Codes of rows [start, stop), as `FeatureStore.blocks` gives features."""
        for block in tiles(stop - start, block_rows(self.dim)):
            rows = np.arange(start + block.start, min(start + block.stop, stop))
            yield FeatureBlock(int(rows[0]), self.codes(rows), (self.labels[rows] != _NONE).any(axis=1))

    def points(self, rows: NDArray[np.int64]) -> PointSet:
        """The codes of `rows` as points of a fit."""
        # The squared length of a code is the number of labels in it.
        limbs = np.array([np.count_nonzero(self.labels[rows] != _NONE), 0, 0])
        return PointSet(lambda start, stop: self.codes(rows[start:stop]), len(rows), self.dim, limbs, largest=1.0)

    def starting_solution(self, rows: NDArray[np.int64], num_clusters: int, *, init: str, seed: int, restart: int,
                          progress: Callable[[int], None] = lambda num: None) -> Solution:
        """`seeding.starting_solution` on ids instead of codes, which at many clusters would not fit in memory.

        rows: this process's. Every process gets the same, from a sample of all processes' rows.
        """
        total = np.array([len(rows)])
        sum_over_ranks(total)
        share = min(1.0, ROWS_PER_CENTROID * num_clusters / int(total[0]))
        own = rows[sampled(rows, share, seed=seed, purpose=f"seeding {restart}")]
        sample = over_ranks(own)
        rng = numpy_generator(seed, "consensus", restart)
        pick = _random if init == "random" else _plus_plus
        chosen = sample[pick(self.labels[sample], num_clusters, rng, progress)]
        return Solution(self.codes(chosen).astype(np.float32), np.zeros(len(chosen), np.int32))


def _by_first_row(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    size = int(labels.max(initial=_NONE)) + 1
    has = np.flatnonzero(labels != _NONE)
    first = np.full(size, len(labels))
    first[labels[has[::-1]]] = has[::-1]
    new = np.full(size + 1, _NONE, np.int32)
    used = np.argsort(first, kind="stable")[:np.count_nonzero(first < len(labels))]
    new[used] = np.arange(len(used))
    return new[labels]


def _plus_plus(sample: NDArray[np.int32], num_clusters: int, rng: np.random.Generator, progress: Callable[[int], None],
               ) -> list[int]:
    """k-means++ (Arthur and Vassilvitskii, 2007) by the codes' squared distances, which are small whole numbers."""
    chosen, distance = [int(rng.integers(len(sample)))], np.full(len(sample), np.iinfo(np.int64).max)
    while True:
        progress(1)
        pick = sample[chosen[-1]]
        apart = (sample != pick) * ((sample != _NONE).astype(np.int64) + (pick != _NONE))
        distance = np.minimum(distance, apart.sum(axis=1))
        total = np.cumsum(distance)
        if len(chosen) == num_clusters or total[-1] == 0:
            return chosen
        chosen.append(int(np.searchsorted(total, rng.integers(total[-1]), side="right")))


def _random(sample: NDArray[np.int32], num_clusters: int, rng: np.random.Generator, progress: Callable[[int], None],
            ) -> NDArray[np.int64]:
    """Distinct rows, at random."""
    order = rng.permutation(len(sample))
    _, first = np.unique(sample[order], axis=0, return_index=True)
    chosen: NDArray[np.int64] = order[np.sort(first)[:num_clusters]]
    progress(len(chosen))
    return chosen

