"""k-means as its users write it: ours, faiss.Kmeans, scikit-learn, a plain torch loop; all from the same start.

Shapes: N points, K centroids, D feature.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.lloyd import Lloyd
from cfvideo.core.clustering.points import PointSet, in_memory
from cfvideo.core.clustering.search import block_rows

# At full size a method may take an hour; what takes longer than this hangs.
_MOST_SECONDS = 4 * 3600.0
_TORCH_ROWS = 4096
_MINI_BATCH_PASSES = 5


@dataclass(frozen=True)
class Task:
    """points: float16 [N, D], in memory or read from a file. wide: the same as float32, which the others want; None
    where ours alone runs. start: float32 [K, D]."""

    points: PointSet
    wide: NDArray[np.float32] | None
    start: NDArray[np.float32]
    num_iterations: int

    @property
    def floats(self) -> NDArray[np.float32]:
        """The points as float32, all in memory."""
        if self.wide is not None:
            return self.wide
        return self.points.read(0, self.points.num_rows).astype(np.float32)


Centroids = NDArray[np.float32]


def ours(task: Task) -> Centroids:
    """`cfvideo.core.clustering`, without its early stop."""
    lloyd = Lloyd(task.points, groups=np.zeros(len(task.start), np.int32), spherical=False, device=torch.device("cpu"))
    centroids = task.start
    for _ in range(task.num_iterations):
        centroids = lloyd.step(centroids).centroids
    return centroids


def faiss_kmeans(task: Task) -> Centroids:
    """faiss.Kmeans on all points, without its early stop."""
    import faiss

    faiss.omp_set_num_threads(1)
    kmeans = faiss.Kmeans(task.start.shape[1], len(task.start), niter=task.num_iterations, min_points_per_centroid=1,
                          max_points_per_centroid=task.points.num_rows)
    if hasattr(kmeans.cp, "early_stop_threshold"):
        kmeans.cp.early_stop_threshold = -1.0
    kmeans.train(task.floats, init_centroids=task.start)
    return np.asarray(kmeans.centroids, np.float32)


def _sklearn(task: Task, algorithm: str) -> Centroids:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = KMeans(len(task.start), init=task.start, n_init=1, max_iter=task.num_iterations, tol=0,
                        algorithm=algorithm, copy_x=False).fit(task.floats)
    centroids: Centroids = fitted.cluster_centers_
    return centroids


def sklearn_lloyd(task: Task) -> Centroids:
    """scikit-learn's KMeans as it is."""
    return _sklearn(task, "lloyd")


def sklearn_elkan(task: Task) -> Centroids:
    """The same with Elkan's bounds: K of them for each point."""
    return _sklearn(task, "elkan")


def sklearn_mini_batch(task: Task) -> Centroids:
    """scikit-learn's MiniBatchKMeans, five passes: another algorithm, with another end."""
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = MiniBatchKMeans(len(task.start), init=task.start, n_init=1, max_iter=_MINI_BATCH_PASSES, tol=0,
                                 batch_size=max(1024, len(task.start)), max_no_improvement=None,
                                 random_state=0).fit(task.floats)
    centroids: Centroids = fitted.cluster_centers_
    return centroids


def plain_torch(task: Task) -> Centroids:
    """Matrix products over blocks, argmin, index_add_: what many write."""
    points, centroids = torch.from_numpy(task.floats), torch.from_numpy(task.start).clone()
    for _ in range(task.num_iterations):
        sums, counts = torch.zeros_like(centroids), torch.zeros(len(centroids))
        squares = centroids.square().sum(1)
        for block in torch.split(points, _TORCH_ROWS):
            ids = torch.addmm(squares, block, centroids.T, alpha=-2).argmin(1)
            sums.index_add_(0, ids, block)
            counts.index_add_(0, ids, torch.ones(len(ids)))
        centroids = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centroids)
    return centroids.numpy()


METHODS: dict[str, Callable[[Task], Centroids]] = {
    "ours": ours, "faiss": faiss_kmeans, "sklearn_lloyd": sklearn_lloyd, "sklearn_elkan": sklearn_elkan,
    "sklearn_mini_batch": sklearn_mini_batch, "torch": plain_torch}


def inertia(points: PointSet, centroids: Centroids) -> float:
    """Sum of squared distances to the nearest centroid."""
    lloyd = Lloyd(points, groups=np.zeros(len(centroids), np.int32), spherical=False, device=torch.device("cpu"))
    return lloyd.step(centroids).objective * points.num_rows


def network_like(num_rows: int, dim: int, *, seed: int = 0) -> NDArray[np.float16]:
    """Features such as a network's: a mixture whose directions fade like 1 / sqrt(i), rotated, cut off at zero as by a
    ReLU, of length 1; float16 [num_rows, dim]."""
    rng = np.random.default_rng(seed)
    fading = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(dim, dim)))[0].astype(np.float32)
    means = rng.normal(size=(max(1, num_rows // 30), dim)).astype(np.float32)
    points = np.empty((num_rows, dim), np.float16)
    for start in range(0, num_rows, block_rows(dim)):
        part = points[start:start + block_rows(dim)]
        noise = rng.normal(size=part.shape).astype(np.float32)
        block = np.maximum((means[rng.integers(len(means), size=len(part))] + noise) * fading @ rotation, 0)
        part[:] = block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-6)
    return points


def peak_mib(method: str, file: Path, shape: tuple[int, int], num_clusters: int, num_iterations: int, *,
             timeout_seconds: float = _MOST_SECONDS) -> float:
    """Peak memory of one method in a process of its own, whose points lie in a file of raw float16.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
    """
    words = [method, str(file), *map(str, (*shape, num_clusters, num_iterations))]
    code = "import sys; from cfvideo.bench.kmeans_methods import print_peak; print_peak(*sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True,
                          timeout=timeout_seconds)
    return float(done.stdout.splitlines()[-1])


def print_peak(method: str, file: str, *numbers: str) -> None:
    """What the process of `peak_mib` does."""
    torch.set_num_threads(1)
    num_rows, dim, num_clusters, num_iterations = map(int, numbers)
    few = np.fromfile(file, np.float16, num_clusters * dim).reshape(-1, dim)
    points: Any = PointSet(Path(file), num_rows, dim, in_memory(few).square_limbs, 1.0)
    METHODS[method](Task(points, None, few.astype(np.float32), num_iterations))
    # Not ru_maxrss, which starts at the parent's size.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
