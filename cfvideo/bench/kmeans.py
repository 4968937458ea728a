"""k-means timed: all methods on the same points from the same centroids, interleaved in random order, ratios paired
within a round.

What is timed is the processor time of the whole process, as in `decode.py`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.bench.decode import machine
from cfvideo.bench.kmeans_methods import METHODS, Task, inertia, network_like, peak_mib
from cfvideo.core.clustering.points import in_memory
from cfvideo.core.errors import ConfigError

SIZES = (400, 1600)
_PEAK_ROWS = 4096


@dataclass
class Timings:
    """seconds[K][method], peak_flops[K]: one value per round. inertia[K][method], peak_mib[method]."""

    seconds: dict[int, dict[str, list[float]]] = field(default_factory=dict)
    peak_flops: dict[int, list[float]] = field(default_factory=dict)
    inertia: dict[int, dict[str, float]] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)

    def ratio(self, num_clusters: int, method: str, other: str) -> float:
        """Median over rounds of time(method) / time(other)."""
        seconds = self.seconds[num_clusters]
        return float(np.median(np.divide(seconds[method], seconds[other])))


def measure(*, num_rows: int, dim: int, num_iterations: int, num_rounds: int, sizes: Sequence[int] = SIZES,
            methods: Sequence[str] = tuple(METHODS), seed: int = 0,
            progress: Callable[[str], None] = lambda text: None) -> Timings:
    """Time every method for every K, `num_rounds` times; then measure each one's memory once, at the largest K."""
    if find_spec("faiss") is None:
        raise ConfigError("bench kmeans: faiss is not installed; pip install faiss-cpu")
    rng, timings = np.random.default_rng([seed]), Timings()
    points = network_like(num_rows, dim, seed=seed)
    wide = points.astype(np.float32)
    starts = {size: wide[np.sort(rng.choice(num_rows, size, replace=False))] for size in sizes}
    few = Task(in_memory(points[:64]), wide[:64], wide[:4].copy(), 1)
    for method in methods:  # imports and first calls are not what is measured
        _timed(method, few)
    for number in range(num_rounds):
        for size, start in starts.items():
            timings.peak_flops.setdefault(size, []).append(_matrix_product_rate(wide, start))
            for i in rng.permutation(len(methods)):
                progress(f"round {number + 1} of {num_rounds}: K = {size}, {methods[i]}")
                task = Task(in_memory(points), wide, start.copy(), num_iterations)
                seconds, centroids = _timed(methods[i], task)
                timings.seconds.setdefault(size, {}).setdefault(methods[i], []).append(seconds)
                timings.inertia.setdefault(size, {}).setdefault(methods[i], inertia(task.points, centroids))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points.f16"
        points.tofile(file)
        for method in methods:
            progress(f"memory: {method}")
            timings.peak_mib[method] = peak_mib(method, file, points.shape, max(sizes), 1)
    return timings


def _timed(method: str, task: Task) -> tuple[float, NDArray[np.float32]]:
    start = time.process_time()
    centroids = METHODS[method](task)
    return time.process_time() - start, centroids


def _matrix_product_rate(points: NDArray[np.float32], centroids: NDArray[np.float32]) -> float:
    """FLOP per second of the plain product that a search cannot do without, the best of a few."""
    block, other = torch.from_numpy(points[:_PEAK_ROWS]), torch.from_numpy(centroids).T
    out = torch.empty(len(block), other.shape[1])
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        torch.mm(block, other, out=out)
        best = min(best, time.process_time() - start)
    return 2.0 * len(block) * other.shape[0] * other.shape[1] / best


def summary(timings: Timings, *, num_rows: int, dim: int, num_iterations: int) -> dict[str, Any]:
    """What the JSON holds: ours over the other, so smaller is better; share_of_peak: 2 N K D per iteration over time,
    above 1 where work is saved."""
    sizes, largest = list(timings.seconds), max(timings.seconds)
    keys: dict[str, Any] = {f"k{size}_time_over_faiss": timings.ratio(size, "ours", "faiss") for size in sizes}
    keys["inertia_over_faiss"] = max(timings.inertia[size]["ours"] / timings.inertia[size]["faiss"] for size in sizes)
    keys["inertia_over_best"] = max(timings.inertia[size]["ours"] / min(timings.inertia[size].values())
                                    for size in sizes)
    keys["time_over_sklearn"] = timings.ratio(largest, "ours", "sklearn_lloyd")
    shares = {str(size): {method: float(np.median(2.0 * num_rows * dim * size * num_iterations
                                                  / (np.array(seconds) * timings.peak_flops[size])))
                          for method, seconds in timings.seconds[size].items() if method != "sklearn_mini_batch"}
              for size in sizes}
    keys["share_of_peak"] = shares[str(largest)]["ours"]
    keys["memory_over_faiss"] = timings.peak_mib["ours"] / timings.peak_mib["faiss"]
    over_ours = {str(size): {method: timings.ratio(size, method, "ours") for method in timings.seconds[size]}
                 for size in sizes}
    return {**keys, "time_over_ours": over_ours, "shares_of_peak": shares, "peak_mib": timings.peak_mib,
            "inertia": {str(size): values for size, values in timings.inertia.items()},
            "rows": num_rows, "dim": dim, "iterations": num_iterations,
            "rounds": len(timings.peak_flops[largest]), "machine": machine()}
