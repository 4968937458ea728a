"""Starting centroids: distinct, seeded, as k-means++ wants them."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.core.clustering import seeding
from cfvideo.core.clustering.points import in_memory
from cfvideo.core.clustering.seeding import choose, starting_solution
from tests.core.clustering.made_points import mixture


def _start(points: np.ndarray, quotas: list[int], seed: int = 0, restart: int = 0,
           groups: np.ndarray | None = None, init: str = "kmeans++") -> np.ndarray:
    return starting_solution(in_memory(points, groups), np.array(quotas), init=init, seed=seed,
                             restart=restart).centroids


@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_seeds_and_restarts_choose_different_starts_and_repeat_themselves(init: str) -> None:
    points = mixture(unit=True)
    one, again, other, restart = (_start(points, [9], *words, init=init) for words in ((0, 0), (0, 0), (1, 0), (0, 1)))
    assert one.tobytes() == again.tobytes()
    assert len({start.tobytes() for start in (one, other, restart)}) == 3
    assert {row.tobytes() for row in one.astype(np.float16)} <= {row.tobytes() for row in points}


@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_fewer_distinct_points_than_clusters_give_each_once(init: str) -> None:
    points = mixture(5, 4)[np.arange(200) % 5]
    points[0] = 0
    points[5] = -0.0
    found = _start(points, [10], init=init)
    assert len(found) == len(np.unique(found, axis=0)) == 6


def test_points_too_close_to_tell_apart_are_still_distinct() -> None:
    points = np.ones((40, 3), np.float16)
    points[1::2, 0] += np.float16(2 ** -10)
    points[-1] = 30000
    assert len(_start(points, [3])) == 3


def test_plus_plus_spreads_over_the_mixture() -> None:
    rng = np.random.default_rng(0)
    points = (np.repeat(np.eye(8) * 20, 50, axis=0) + rng.normal(size=(400, 8)) * 0.1).astype(np.float16)
    hits = [len(np.unique(choose(points, 8, init=init, rng=np.random.default_rng(seed)).argmax(1)))
            for init in ("kmeans++", "random") for seed in range(5)]
    assert hits[:5] == [8] * 5
    assert sum(hits[5:]) < 40


def test_each_group_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "ROWS_PER_CENTROID", 20)
    points, groups = mixture(400, 6), (np.arange(400) % 4).astype(np.int32)
    solution = starting_solution(in_memory(points, groups), np.array([3, 0, 1, 2]), init="random", seed=0, restart=0)
    assert solution.groups.tolist() == [0, 0, 0, 2, 3, 3]
    for centroid, group in zip(solution.centroids, solution.groups, strict=True):
        assert centroid.astype(np.float16).tobytes() in {row.tobytes() for row in points[groups == group]}


def test_progress_counts_centroids() -> None:
    told: list[int] = []
    choose(mixture(), 7, init="kmeans++", rng=np.random.default_rng(0), progress=told.append)
    assert sum(told) == 7
