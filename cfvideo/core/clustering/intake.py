"""Which rows of a feature store a fit learns from, and the points that this process makes of its own ones.

Shapes: N rows of the index, n rows of a block, L labels, K clusters, D feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.clustering.exact import Points, check_range
from cfvideo.core.clustering.points import PointSet, on_disk
from cfvideo.core.clustering.prepare import Preparation, Projection, fit_projection, mean_of_views
from cfvideo.core.clustering.sampling import from_first, over_ranks, sampled
from cfvideo.core.clustering.seeding import ROWS_PER_CENTROID
from cfvideo.core.distributed import current, sum_over_ranks
from cfvideo.core.errors import ConfigError
from cfvideo.core.features import FeatureStore


@dataclass(frozen=True)
class Intake:
    """The usable rows of `store`: valid, and labelled where `labels` int32 [N] (-1: none) are given.

    check: called after each block read; raises to stop. seed: of all samples drawn here.
    """

    store: FeatureStore
    labels: NDArray[np.int32] | None
    seed: int
    check: Callable[[], None] = lambda: None

    def _blocks(self) -> Iterator[tuple[NDArray[np.int64], Points]]:
        """Numbers and features of this process's usable rows."""
        start, stop = current().share(self.store.num_rows)
        for block in self.store.blocks(start=start, stop=stop):
            usable = block.valid
            if self.labels is not None:
                usable = usable & (self.labels[block.start:block.start + len(usable)] >= 0)
            local = np.flatnonzero(usable)
            yield block.start + local, mean_of_views(block.features[local])
            self.check()

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Usable rows of all processes, by label: int64 [L], or [1] without labels."""
        counts = np.zeros(1 if self.labels is None else int(self.labels.max(initial=-1)) + 1, np.int64)
        for rows, _ in self._blocks():
            counts += np.bincount(self._groups(rows), minlength=len(counts))
        sum_over_ranks(counts)
        return counts

    def _groups(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        return np.zeros(len(rows), np.int32) if self.labels is None else self.labels[rows]

    def shares(self, share: float, quotas: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share of each label's rows to take: `share`, but enough of each for its clusters to start from."""
        if self.labels is None:
            return np.array([share])
        return np.maximum(share, np.minimum(1.0, ROWS_PER_CENTROID * quotas / np.maximum(self.sizes, 1)))

    def preparation(self, *, l2_normalise: bool, pca_dim: int, pca_whiten: bool, pca_rows: int) -> Preparation:
        """What to do to features; PCA is fitted on a sample of about `pca_rows` rows, the same on every process."""
        if pca_dim == 0:
            return Preparation(l2_normalise)
        share = pca_rows / max(1, int(self.sizes.sum()))
        parts = [features[sampled(rows, share, seed=self.seed, purpose="pca")] for rows, features in self._blocks()]
        own = np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float16)
        fitted = fit_projection(over_ranks(own), pca_dim, whiten=pca_whiten)
        return Preparation(l2_normalise, Projection(from_first(fitted.matrix), from_first(fitted.offset)))

    @cached_property
    def dim(self) -> int:
        """D."""
        return int(next(self.store.blocks(stop=1)).features.shape[-1])

    def points(self, path: Path, prepare: Preparation, shares: NDArray[np.float64]) -> PointSet:
        """This process's part of a sample of about the given share of each label's rows, as points in the file `path`.

        Raises:
            ConfigError: so many and so large numbers cannot be added exactly.
        """

        def blocks() -> Iterator[tuple[Points, NDArray[np.int32] | None]]:
            for rows, features in self._blocks():
                groups = self._groups(rows)
                wanted = sampled(rows, shares[groups], seed=self.seed, purpose="points")
                yield prepare(features[wanted]), None if self.labels is None else groups[wanted]

        dim = self.dim if prepare.projection is None else prepare.projection.matrix.shape[1]
        points = on_disk(path, blocks(), dim=dim)
        check_range(self.store.num_rows, points.largest)
        return points


def need_rows(found: int, num_clusters: int) -> None:
    """ConfigError where there are fewer rows than clusters."""
    if found < num_clusters:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {num_clusters} clusters asked of {found:,} usable rows of D_CF; set "
                          f"it to at most {found}, or use more rows: raise CLUSTER.SAMPLE_SHARE or "
                          "CLUSTER.MAX_POINTS_PER_CENTROID where they are set")
