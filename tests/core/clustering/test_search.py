"""The ids are those of exact arithmetic, whatever is skipped, in whatever company and on however many threads."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.clustering import search as search_module
from cfvideo.core.clustering.bounds import Rows, needed
from cfvideo.core.clustering.search import Search
from tests.core.clustering.made_points import CPU, brute_force, mixture
from tests.source_tree import ROOT


def _search(centroids: np.ndarray, moved: np.ndarray | None = None) -> Search:
    return Search(centroids, groups=np.zeros(len(centroids), np.int32), device=CPU,
                  moved=np.zeros(len(centroids)) if moved is None else moved)


def _ids(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    rows = Rows.unknown(len(points))
    _search(centroids).update(lambda: points, rows, None)
    return rows.ids


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 12), st.sampled_from([0.0, 1e-4, 0.01, 0.3, 3.0]))
def test_after_any_walk_of_the_centroids_ids_and_bounds_are_right(seed: int, num_centroids: int, dim: int,
                                                                  pace: float) -> None:
    """Small integers make many exact ties; steps of all sizes make all lengths of heads."""
    rng = np.random.default_rng(seed)
    points = rng.integers(-3, 4, size=(150, dim)).astype(np.float16)
    centroids = rng.integers(-3, 4, size=(num_centroids, dim)).astype(np.float32)
    rows, moved = Rows.unknown(len(points)), np.zeros(num_centroids)
    for _ in range(5):
        _search(centroids, moved).update(lambda: points, rows, None)
        assert np.array_equal(rows.ids, brute_force(points, centroids))
        distances = np.sqrt(((points[:, None].astype(np.float64) - centroids[None]) ** 2).sum(-1))
        own = distances[np.arange(len(points)), rows.ids]
        distances[np.arange(len(points)), rows.ids] = np.inf
        assert (rows.own >= own).all()
        assert (rows.other <= distances.min(1)).all()
        steps = rng.normal(size=centroids.shape) * pace * (rng.random(num_centroids) < 0.5)[:, None]
        after = (centroids + steps).astype(np.float32)
        moved = np.linalg.norm(after.astype(np.float64) - centroids, axis=1)
        centroids = after


def test_near_ties_are_decided_alike_in_any_company() -> None:
    """Centroids that float32 products cannot tell apart: a point's id must not depend on who is searched with it."""
    rng = np.random.default_rng(0)
    points = mixture(3000, 64, 3, unit=True)
    centre = points[:1].astype(np.float32)
    centroids = np.concatenate([centre * (1 + rng.normal(size=(20, 64)).astype(np.float32) * 1e-6), centre + 0.5])
    rows = Rows.unknown(len(points))
    _search(centroids).update(lambda: points, rows, None)
    distances = np.sort(np.sqrt(((points[:, None].astype(np.float64) - centroids[None]) ** 2).sum(-1)), axis=1)
    assert (rows.own >= distances[:, 0]).all()
    assert (rows.other <= distances[:, 1]).all()
    whole = rows.ids
    assert np.array_equal(whole, brute_force(points, centroids))
    assert len(np.unique(whole)) > 5
    for start, stop in ((0, 1), (7, 300), (2000, 3000)):
        assert np.array_equal(_ids(points[start:stop], centroids), whole[start:stop])
    order = rng.permutation(len(points))
    assert np.array_equal(_ids(points[order], centroids), whole[order])


def test_equal_centroids_go_to_the_lowest_id() -> None:
    points = mixture(200, 4)
    centroids = np.repeat(points[:3].astype(np.float32), 4, axis=0)
    assert set(_ids(points, centroids)) <= {0, 4, 8}


def test_a_common_offset_costs_no_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of a dead network: almost all alike. Were products not centred, every pair would be a near tie."""
    offset = np.linspace(5, 10, 32).astype(np.float16)
    points = (offset + mixture(2000, 32, 5) * np.float16(0.01)).astype(np.float16)
    centroids = points[:40].astype(np.float32)
    pairs = []
    decide = search_module.nearest_of
    monkeypatch.setattr(search_module, "nearest_of", lambda points, centroids, rows, ids: (
        pairs.append(len(rows)), decide(points, centroids, rows, ids))[1])
    assert np.array_equal(_ids(points, centroids), brute_force(points, centroids))
    assert sum(pairs) < 400


def test_rows_that_need_not_be_looked_at_are_not_read() -> None:
    points, centroids = mixture(300, 8), mixture(6, 8, seed=1).astype(np.float32)
    rows = Rows.unknown(len(points))
    _search(centroids).update(lambda: points, rows, None)

    def must_not_be_called() -> np.ndarray:
        raise AssertionError

    clear = np.flatnonzero(rows.other - rows.own > 0.01)
    few = Rows(rows.ids[clear], rows.own[clear], rows.other[clear])
    _search(centroids, np.full(6, 1e-3)).update(must_not_be_called, few, None)
    assert len(clear) > 200


def test_needed_counts_what_moved_as_far_as_the_gap() -> None:
    steps = np.array([0.0, 0.0, 0.1, 0.2, 0.5])
    assert needed(np.array([1.0, 0.5, 0.3, 0.2, 0.05, 0.0, -1.0]), steps).tolist() == [0, 1, 1, 2, 3, 5, 5]


THREADS = """
import sys, hashlib, numpy as np, torch
torch.set_num_threads(int(sys.argv[1]))
from tests.core.clustering.made_points import mixture, fitted
points = mixture(4000, 48, 30, unit=True)
steps, lloyd = fitted(points, points[:60].astype(np.float32), 6)
print(hashlib.sha256(steps[-1].centroids.tobytes() + lloyd.rows.ids.tobytes()).hexdigest(), steps[-1].objective)
"""


def test_threads_leave_no_trace() -> None:
    said = {subprocess.run([sys.executable, "-c", THREADS, threads], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout for threads in ("1", "2")}
    assert len(said) == 1


def test_coarser_products_change_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU that was allowed TF32: factors of 11 bits, and a bound that knows it."""
    points = mixture(5000, 4, 1)
    centroids = (points[:500] + np.float32(0.37)).astype(np.float32)
    multiply = torch.addmm

    def coarse(values: torch.Tensor) -> torch.Tensor:
        return ((values.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)

    monkeypatch.setattr(torch, "addmm", lambda bias, x, c, *, alpha, out: multiply(
        bias, coarse(x), coarse(c.T).T, alpha=alpha, out=out))
    assert not np.array_equal(_ids(points, centroids), brute_force(points, centroids))  # torch was not told
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    assert np.array_equal(_ids(points, centroids), brute_force(points, centroids))


@pytest.mark.gpu
def test_a_gpu_gives_the_same_ids() -> None:
    points, centroids = mixture(20_000, 64, 50, unit=True), mixture(300, 64, 50, seed=1, unit=True).astype(np.float32)
    rows = Rows.unknown(len(points))
    search = Search(centroids, groups=np.zeros(300, np.int32), moved=np.zeros(300), device=torch.device("cuda"))
    search.update(lambda: points, rows, None)
    assert np.array_equal(rows.ids, _ids(points, centroids))
