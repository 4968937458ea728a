"""k-means: our own Lloyd loop around FAISS's exact nearest-neighbour search.

Why not `faiss.Kmeans`: it sums its objective in float32 and stops on it, which is wrong above some 17 million points
(facebookresearch/faiss#1962), takes 256 points per centroid unless told otherwise, and keeps no state. Here sums are
float64 over float16-representable points, hence exact in any order where points are L2-normalised: multiples of 2^-24
not above 1 in size add without rounding up to 2^29 rows. Unnormalised features keep that property up to
2^29 / max |x| rows; beyond, results still repeat, as blocks always come in the order of rows.

Shapes: n points of a block, K clusters, D feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from cfvideo.core.errors import ConfigError
from cfvideo.core.randomness import numpy_generator
from cfvideo.core.tensors import load_tensors, save_tensors

# Every search is one block of this many rows, filled up with zeros: a matrix product's last bits depend on its shape,
# and results must not depend on how the points come in.
SEARCH_ROWS = 4_096
# k-means++ looks at this many rows per centroid at most; it costs one distance per row and centroid.
SEEDING_ROWS_PER_CENTROID = 64
# How far the halves of a split cluster move apart, relative to the centroid (FAISS: 1/1024).
_SPLIT = np.float32(1.0 / 1024.0)

Points = NDArray[np.float32]
Blocks = Callable[[], Iterator[Points]]


def prepare(features: NDArray[np.float16], *, l2_normalise: bool) -> Points:
    """Points to cluster, float32 [n, D] holding float16 values; zero vectors stay zero."""
    points = features.astype(np.float32)
    if l2_normalise:
        norms = np.linalg.norm(points, axis=1, keepdims=True)
        points = (points / np.maximum(norms, np.float32(1e-12))).astype(np.float16).astype(np.float32)
    return points


@dataclass(frozen=True)
class KMeansModel:
    """Preprocessing and centroids in one object, so that fit and assignment cannot differ.

    centroids: float32 [K, D].
    """

    centroids: NDArray[np.float32]
    l2_normalise: bool

    def assign(self, features: NDArray[np.float16]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """features float16 [n, D] -> nearest centroid int32 [n] and squared distance float32 [n]."""
        return nearest(prepare(features, l2_normalise=self.l2_normalise), self.centroids)

    def save(self, path: Path) -> None:
        """Write centroids and preprocessing."""
        save_tensors(path, {"centroids": torch.from_numpy(self.centroids)}, {"l2_normalise": self.l2_normalise})

    @classmethod
    def load(cls, path: Path) -> KMeansModel:
        """Read what `save` wrote; IntegrityError where damaged."""
        tensors, header = load_tensors(path)
        return cls(tensors["centroids"].numpy(), bool(header["l2_normalise"]))


def nearest(points: Points, centroids: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Exact nearest centroid: ids int32 [n] and squared L2 distances float32 [n]."""
    import faiss

    index = faiss.IndexFlatL2(centroids.shape[1])
    index.add(centroids)
    ids, distances = np.empty(len(points), np.int32), np.empty(len(points), np.float32)
    for start in range(0, len(points), SEARCH_ROWS):
        block = points[start:start + SEARCH_ROWS]
        filled = np.zeros((SEARCH_ROWS, points.shape[1]), np.float32)
        filled[:len(block)] = block
        found = index.search(filled, 1)
        distances[start:start + len(block)] = found[0][:len(block), 0]
        ids[start:start + len(block)] = found[1][:len(block), 0]
    return ids, distances


@dataclass
class LloydState:
    """Where a fit stands: saved after every iteration, so that a restart loses at most one."""

    centroids: NDArray[np.float32]
    objective: list[float] = field(default_factory=list)
    num_split: list[int] = field(default_factory=list)
    finished: bool = False

    def save(self, path: Path) -> None:
        """Publish atomically."""
        header = {"objective": self.objective, "num_split": self.num_split, "finished": self.finished}
        save_tensors(path, {"centroids": torch.from_numpy(self.centroids)}, header)

    @classmethod
    def load(cls, path: Path) -> LloydState:
        """Read what `save` wrote; IntegrityError where damaged."""
        tensors, header = load_tensors(path)
        return cls(tensors["centroids"].numpy(), header["objective"], header["num_split"], header["finished"])


def seeding_sample(blocks: Blocks, num_points: int, num_clusters: int, *, seed: int) -> Points:
    """The points that starting centroids are chosen from: a seeded sample, gathered without holding all points."""
    most = min(num_points, SEEDING_ROWS_PER_CENTROID * num_clusters)
    wanted = np.zeros(num_points, bool)
    wanted[numpy_generator(seed, "seeding", num_clusters).choice(num_points, most, replace=False)] = True
    parts, start = [], 0
    for points in blocks():
        parts.append(points[wanted[start:start + len(points)]])
        start += len(points)
    return np.concatenate(parts)


def seed_centroids(sample: Points, num_clusters: int, *, init: str, seed: int) -> NDArray[np.float32]:
    """Starting centroids [K, D] from a sample [n, D]: random rows, or k-means++ (Arthur, Vassilvitskii 2007)."""
    if len(sample) < num_clusters:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {num_clusters} clusters need as many usable rows, D_cf has only "
                          f"{len(sample)}; lower CLUSTER.NUM_CLUSTERS or add videos")
    rng = numpy_generator(seed, "kmeans", num_clusters)
    if init == "random":
        return sample[np.sort(rng.choice(len(sample), num_clusters, replace=False))]
    return _plus_plus(sample, num_clusters, rng)


def _plus_plus(points: Points, num_clusters: int, rng: np.random.Generator) -> NDArray[np.float32]:
    squared = np.einsum("nd,nd->n", points, points, dtype=np.float64)
    chosen = [int(rng.integers(len(points)))]
    distance = np.full(len(points), np.inf)
    for _ in range(num_clusters - 1):
        last = points[chosen[-1]]
        fresh = squared + squared[chosen[-1]] - 2.0 * (points @ last)
        distance = np.minimum(distance, np.maximum(fresh, 0.0))
        distance[chosen[-1]] = 0.0
        total = np.cumsum(distance)
        # Every point coincides with a centroid: any choice is as good, repair splits it later.
        pick = rng.integers(len(points)) if total[-1] <= 0 else np.searchsorted(total, rng.random() * total[-1])
        chosen.append(min(int(pick), len(points) - 1))
    centroids: NDArray[np.float32] = points[np.asarray(chosen)]
    return centroids


def lloyd_step(blocks: Blocks, state: LloydState) -> LloydState:
    """One iteration: assign every point, average in float64, split clusters for the empty ones."""
    num_clusters, dim = state.centroids.shape
    sums, counts, objective = np.zeros((num_clusters, dim)), np.zeros(num_clusters, np.int64), 0.0
    for points in blocks():
        ids, distances = nearest(points, state.centroids)
        one_hot = csr_matrix((np.ones(len(ids)), ids, np.arange(len(ids) + 1)), shape=(len(ids), num_clusters))
        sums += one_hot.T @ points.astype(np.float64)
        counts += np.bincount(ids, minlength=num_clusters)
        objective += float(np.maximum(distances, 0).sum(dtype=np.float64))
    means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    num_split = _split_largest(means, counts)
    return LloydState(means, [*state.objective, objective], [*state.num_split, num_split])


def _split_largest(centroids: NDArray[np.float32], counts: NDArray[np.int64]) -> int:
    """Give each empty cluster half of the largest one, in place, as FAISS does; returns how many were empty."""
    empty = np.flatnonzero(counts == 0)
    signs = np.where(np.arange(centroids.shape[1]) % 2 == 0, _SPLIT, -_SPLIT)
    for cluster in empty:
        largest = int(np.argmax(counts))
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
