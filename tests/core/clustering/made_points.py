"""Points to cluster, made on the spot."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.lloyd import Lloyd, Step
from cfvideo.core.clustering.points import in_memory

CPU = torch.device("cpu")


def mixture(num: int = 600, dim: int = 8, centres: int = 6, seed: int = 0, *, unit: bool = False,
            ) -> NDArray[np.float16]:
    """float16 [num, dim] around `centres` means; of length 1 if asked."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(centres, dim)) * 4
    points = means[rng.integers(centres, size=num)] + rng.normal(size=(num, dim))
    if unit:
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float16)


def brute_force(points: NDArray[np.float16], centroids: NDArray[np.float32]) -> NDArray[np.int64]:
    """Nearest centroid int64 [n] in float64, ties to the lowest id."""
    delta = points[:, None].astype(np.float64) - centroids[None]
    found: NDArray[np.int64] = (delta * delta).sum(-1).argmin(1)
    return found


def fitted(points: NDArray[np.float16], start: NDArray[np.float32], num_iterations: int, *, spherical: bool = False,
           groups: NDArray[np.int32] | None = None, row_groups: NDArray[np.int32] | None = None,
           ) -> tuple[list[Step], Lloyd]:
    """The steps of a fit, and what is left of it."""
    of_centroid = np.zeros(len(start), np.int32) if groups is None else groups
    lloyd = Lloyd(in_memory(points, row_groups), groups=of_centroid, spherical=spherical, device=CPU)
    steps: list[Step] = []
    for _ in range(num_iterations):
        steps.append(lloyd.step(steps[-1].centroids if steps else start))
    return steps, lloyd
