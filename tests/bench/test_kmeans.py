"""That all methods are given the same and come to the same, and the arithmetic of the ratios."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cfvideo.bench import kmeans
from cfvideo.bench.kmeans import Timings, measure, summary
from cfvideo.bench.kmeans_methods import METHODS, Task, inertia, network_like, peak_mib
from cfvideo.core.clustering.points import in_memory


@pytest.fixture(scope="module")
def task() -> Task:
    points = network_like(900, 16)
    wide = points.astype(np.float32)
    return Task(in_memory(points), wide, wide[::45].copy(), 8)


@pytest.mark.parametrize("method", METHODS)
def test_methods_come_to_the_same(task: Task, method: str) -> None:
    if method == "faiss":
        pytest.importorskip("faiss")
    best = inertia(task.points, METHODS["ours"](task))
    found = METHODS[method](Task(task.points, task.wide, task.start.copy(), task.num_iterations))
    assert found.shape == task.start.shape
    assert inertia(task.points, found) == pytest.approx(best, rel=0.1 if "batch" in method else 0.002)


def test_inertia_is_its_definition(task: Task) -> None:
    true = ((task.floats[:, None].astype(float) - task.start) ** 2).sum(-1).min(1).sum()
    assert inertia(task.points, task.start) == pytest.approx(true, rel=1e-9)


def test_points_are_of_length_one_and_not_negative() -> None:
    points = network_like(200, 32).astype(float)
    assert np.allclose(np.linalg.norm(points, axis=1), 1, atol=2e-3)
    assert points.min() == 0


def test_ratios_are_paired_and_smaller_is_better() -> None:
    timings = Timings(seconds={40: {"ours": [1.0, 10.0, 2.0], "faiss": [2.0, 40.0, 4.0],
                                    "sklearn_lloyd": [4.0, 5.0, 8.0], "sklearn_mini_batch": [1.0, 1.0, 1.0]}},
                      peak_flops={40: [1e6, 1e5, 5e5]}, inertia={40: {"ours": 10.0, "faiss": 9.0, "other": 8.0}},
                      peak_mib={"ours": 100.0, "faiss": 400.0})
    result = summary(timings, num_rows=100, dim=10, num_iterations=5)
    assert result["k40_time_over_faiss"] == 0.5
    assert result["time_over_sklearn"] == 0.25
    assert result["inertia_over_faiss"] == pytest.approx(10 / 9)
    assert result["inertia_over_best"] == 1.25
    assert result["memory_over_faiss"] == 0.25
    assert result["share_of_peak"] == pytest.approx(2 * 100 * 10 * 40 * 5 / 1e6)
    assert "sklearn_mini_batch" not in result["shares_of_peak"]["40"]


def test_a_tiny_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(kmeans, "peak_mib", lambda *arguments: 1.0)
    timings = measure(num_rows=300, dim=8, num_iterations=2, num_rounds=2, sizes=(5, 10),
                      methods=("ours", "faiss", "sklearn_lloyd"))
    for size in (5, 10):
        assert {method: len(times) for method, times in timings.seconds[size].items()} == {
            "ours": 2, "faiss": 2, "sklearn_lloyd": 2}


def test_memory_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    points = network_like(20, 8)
    points.tofile(tmp_path / "points")
    held = np.ones(60_000_000)  # 480 MB here must not show there
    assert 50 < peak_mib("ours", tmp_path / "points", points.shape, 4, 1) < 700
    assert held[-1] == 1


def test_a_measurement_that_hangs_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "points")  # reading waits for a writer that never comes
    with pytest.raises(subprocess.TimeoutExpired):
        peak_mib("ours", tmp_path / "points", (20, 8), 4, 1, timeout_seconds=3)
