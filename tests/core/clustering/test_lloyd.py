"""Lloyd's algorithm: exact sums in any order, repair, agreement with a reference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cfvideo.core.clustering.lloyd import converged, split_largest
from tests.core.clustering.made_points import brute_force, fitted, mixture


def test_centroids_are_the_same_bytes_for_any_order_of_rows() -> None:
    points = mixture(2000, 24, 9, unit=True)
    start = points[:40].astype(np.float32)
    whole, _ = fitted(points, start, 8)
    shuffled, _ = fitted(points[np.random.default_rng(0).permutation(2000)], start, 8)
    assert [step.centroids.tobytes() for step in whole] == [step.centroids.tobytes() for step in shuffled]
    assert [step.objective for step in whole] == [step.objective for step in shuffled]


@pytest.mark.parametrize("unit", [False, True])
def test_each_step_is_the_definition(unit: bool) -> None:
    """Against float64 arithmetic that skips nothing, including large unnormalised values."""
    points = mixture(900, 12, 7, unit=unit)
    if not unit:
        points[::50] *= np.float16(500)
    centroids = points[:25].astype(np.float32)
    before = np.full(900, -1)
    for step in fitted(points, centroids, 10)[0]:
        ids = brute_force(points, centroids)
        true = math.fsum((points[i].astype(float) - centroids[ids[i]]) @ (points[i].astype(float) - centroids[ids[i]])
                         for i in range(900)) / 900
        assert step.objective == pytest.approx(true, rel=1e-9)
        assert step.share_moved == np.mean(ids != before)
        for k in np.unique(ids):
            mean = [math.fsum(column) for column in points[ids == k].T.astype(float)] / np.sum(ids == k)
            if step.num_split == 0:
                assert np.allclose(step.centroids[k], mean, rtol=1e-7, atol=1e-7)
        centroids, before = step.centroids, ids


def test_a_cluster_whose_members_stayed_is_bit_equal() -> None:
    points = mixture(1500, 16, 30)
    steps, _ = fitted(points, points[:60].astype(np.float32), 12)
    still = [(one.centroids == two.centroids).all(1).mean() for one, two in zip(steps, steps[1:], strict=False)]
    assert still[-1] > 0.5


def test_inertia_is_close_to_scikit_learns_from_the_same_start() -> None:
    from sklearn.cluster import KMeans

    points = mixture(600, 8, 6)
    start = points[:10].astype(np.float32)
    steps, _ = fitted(points, start, 60)
    theirs = KMeans(10, init=start, n_init=1, max_iter=60, tol=0).fit(points.astype(np.float32))
    assert steps[-1].objective * 600 == pytest.approx(theirs.inertia_, rel=0.005)


def test_objective_never_rises() -> None:
    steps, _ = fitted(mixture(), mixture(6, seed=1).astype(np.float32), 12)
    assert all(a.objective >= b.objective for a, b in zip(steps, steps[1:], strict=False))


def test_an_empty_cluster_takes_half_of_the_largest() -> None:
    points = mixture(centres=1)
    start = np.stack([points.mean(0), np.full(8, 1000)]).astype(np.float32)
    steps, lloyd = fitted(points, start, 2)
    assert [step.num_split for step in steps] == [1, 0]
    assert set(lloyd.rows.ids.tolist()) == {0, 1}


def test_an_empty_cluster_is_repaired_within_its_group() -> None:
    centroids, counts = np.arange(8, dtype=np.float32).reshape(4, 2), np.array([9, 0, 0, 4])
    assert split_largest(centroids, counts, np.array([0, 0, 1, 1], np.int32)) == 2
    assert counts.tolist() == [5, 4, 2, 2]
    assert np.allclose(centroids[2], centroids[3], rtol=0.01)


def test_rows_stay_in_their_group() -> None:
    points, row_groups = mixture(400, 6, 3), np.arange(400).astype(np.int32) % 3
    groups = np.array([0, 0, 2, 2, 2], np.int32)  # group 1 has no centroid
    steps, lloyd = fitted(points, points[[0, 3, 2, 5, 8]].astype(np.float32), 4, groups=groups, row_groups=row_groups)
    ids = lloyd.rows.ids
    assert (ids[row_groups == 1] == -1).all()
    for group in (0, 2):
        mine = row_groups == group
        own = np.flatnonzero(groups == group)
        found, alone = fitted(points[mine], points[[0, 3, 2, 5, 8]][own].astype(np.float32), 4)
        assert np.array_equal(own[alone.rows.ids], ids[mine])
        assert found[-1].centroids.tobytes() == steps[-1].centroids[own].tobytes()


@pytest.mark.parametrize(("num", "start"), [(20, np.ones((5, 4))), (20, np.zeros((5, 4))), (1, np.ones((1, 4)))])
def test_constant_points_end_without_nan(num: int, start: np.ndarray) -> None:
    points = np.broadcast_to(start[0], (num, 4)).astype(np.float16)
    steps, _ = fitted(points, start.astype(np.float32), 3)
    assert all(np.isfinite(step.centroids).all() and step.objective == pytest.approx(0, abs=1e-5) for step in steps)


def test_one_cluster_is_the_mean() -> None:
    points = mixture()
    steps, _ = fitted(points, points[:1].astype(np.float32), 1)
    assert np.allclose(steps[0].centroids[0], points.astype(np.float64).mean(0), atol=1e-6)


def test_spherical_centroids_have_length_one() -> None:
    steps, _ = fitted(mixture(unit=True), mixture(8, unit=True, seed=1).astype(np.float32), 5, spherical=True)
    assert np.allclose(np.linalg.norm(steps[-1].centroids, axis=1), 1, atol=1e-6)


def test_converged_compares_the_last_two() -> None:
    assert not converged([3.0], 0.5)
    assert converged([2.0, 2.0], 0.0)
    assert not converged([2.0, 1.9], 0.0)
    assert converged([2.0, 1.9], 0.1)
