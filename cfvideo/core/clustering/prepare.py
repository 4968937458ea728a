"""From features to the points that are clustered: PCA, whitening, length. Saved with the centroids, so that fit and
assignment cannot differ.

Shapes: n rows, D feature, P projected feature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.clustering.exact import Points
from cfvideo.core.errors import ConfigError

_ROUNDING = 2.0 ** -53
# Directions of less variance than this share of the first are noise of float16, and are not blown up.
_LEAST_VARIANCE = 1e-7


@dataclass(frozen=True)
class Projection:
    """y = x @ matrix - offset. matrix: float32 [D, P]; offset: float64 [P]."""

    matrix: NDArray[np.float32]
    offset: NDArray[np.float64]

    def __call__(self, points: Points) -> Points:
        """Projected points float16 [n, P]: the exact value, rounded; the product's shape and threads do not show.

        A float64 product tells between which two numbers the exact one lies. Where those round to different float16
        values, which is one number in 1e11, the sum is done exactly.
        """
        wide, matrix = points.astype(np.float64), self.matrix.astype(np.float64)
        found = wide @ matrix - self.offset
        reach = np.linalg.norm(wide, axis=1)[:, None] * np.linalg.norm(matrix, axis=0)
        error = (matrix.shape[0] + 4) * _ROUNDING * (reach + np.abs(self.offset)) + 1e-300
        with np.errstate(over="ignore"):
            low: Points = (found - error).astype(np.float16)
            high = (found + error).astype(np.float16)
        for row, column in zip(*np.nonzero(low != high), strict=True):
            products = wide[row] * matrix[:, column]  # 11 times 24 bits: exact
            low[row, column] = math.fsum([*products, -self.offset[column]])
        return low


def mean_of_views(features: Points) -> Points:
    """float16 [n, D]: a row's mean where several views of it were kept, [n, V, D] (paper, section 4.1.2)."""
    return features if features.ndim == 2 else features.mean(axis=1, dtype=np.float64).astype(np.float16)


def fit_projection(sample: Points, dim: int, *, whiten: bool) -> Projection:
    """PCA of a sample [n, D] to P = `dim` numbers; whitened to variance 1 each, if asked.

    On one thread, as LAPACK's last bits depend on their number.

    Raises:
        ConfigError: more dimensions than features or rows have.
    """
    from threadpoolctl import threadpool_limits

    most = max(0, min(sample.shape[1], len(sample) - 1))
    if dim > most:
        raise ConfigError(f"CLUSTER.PCA_DIM: {dim} dimensions asked of {len(sample)} rows of {sample.shape[1]} "
                          f"features; set it to at most {most}, or 0 for no PCA")
    wide = sample.astype(np.float64)
    mean = wide.mean(axis=0)
    wide -= mean
    with threadpool_limits(1):
        variances, directions = np.linalg.eigh(wide.T @ wide / (len(sample) - 1))
    variances, directions = variances[::-1][:dim], directions[:, ::-1][:, :dim]
    # An eigenvector's sign is anyone's choice: its largest entry is positive.
    directions = directions * np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(dim)])
    if whiten:
        directions = directions / np.sqrt(np.maximum(variances, max(_LEAST_VARIANCE * variances[0], 1e-30)))
    matrix = directions.astype(np.float32)
    return Projection(matrix, np.add.reduce(mean[:, None] * matrix, axis=0))


@dataclass(frozen=True)
class Preparation:
    """What is done to features before they are clustered: first the projection, if any, then the length."""

    l2_normalise: bool
    projection: Projection | None = None

    def __call__(self, features: Points) -> Points:
        """Points to cluster, float16 [n, D or P]; zero vectors stay zero."""
        points = features if self.projection is None else self.projection(features)
        if not self.l2_normalise:
            return points
        wide = points.astype(np.float64)
        lengths = np.sqrt(np.add.reduce(wide * wide, axis=1))
        unit: Points = (wide / np.maximum(lengths, 1e-12)[:, None]).astype(np.float16)
        return unit
