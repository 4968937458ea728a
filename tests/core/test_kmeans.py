"""k-means: exact sums, repair, restart, agreement with a reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core.errors import ConfigError
from cfvideo.core.kmeans import (
    SEEDING_ROWS_PER_CENTROID,
    KMeansModel,
    LloydState,
    Points,
    converged,
    lloyd_step,
    nearest,
    prepare,
    seed_centroids,
    seeding_sample,
)

faiss = pytest.importorskip("faiss", reason="k-means searches with FAISS: pip install faiss-cpu")


def _mixture(num: int = 600, dim: int = 8, centres: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(centres, dim)) * 4
    return (means[rng.integers(centres, size=num)] + rng.normal(size=(num, dim))).astype(np.float16)


def _fit(points: Points, start: np.ndarray, iterations: int, order: list[slice]) -> LloydState:
    state = LloydState(start)

    def blocks() -> Iterator[Points]:
        yield from (points[part] for part in order)

    for _ in range(iterations):
        state = lloyd_step(blocks, state)
    return state


def test_centroids_are_the_same_bytes_for_any_block_order() -> None:
    points = prepare(_mixture(), l2_normalise=True)
    start = seed_centroids(points, 12, init="kmeans++", seed=0)
    whole = _fit(points, start, 8, [slice(0, 600)])
    pieces = _fit(points, start, 8, [slice(450, 600), slice(0, 7), slice(7, 450)])
    assert whole.centroids.tobytes() == pieces.centroids.tobytes()


def test_objective_never_rises_and_equals_its_definition() -> None:
    points = prepare(_mixture(), l2_normalise=False)
    start = seed_centroids(points, 6, init="random", seed=1)
    state = _fit(points, start, 12, [slice(0, 600)])
    assert all(a >= b - 1e-6 * a for a, b in zip(state.objective, state.objective[1:], strict=False))
    first = ((points[:, None].astype(np.float64) - start[None]) ** 2).sum(-1).min(1).sum()
    assert state.objective[0] == pytest.approx(first, rel=1e-5)


def test_inertia_is_close_to_scikit_learns_from_the_same_start() -> None:
    from sklearn.cluster import KMeans

    points = prepare(_mixture(), l2_normalise=False)
    start = seed_centroids(points, 10, init="kmeans++", seed=2)
    ours = _fit(points, start, 60, [slice(0, 600)])
    theirs = KMeans(10, init=start, n_init=1, max_iter=60, tol=0).fit(points)
    assert ours.objective[-1] == pytest.approx(theirs.inertia_, rel=0.005)


def test_a_points_distance_does_not_depend_on_its_company() -> None:
    rng = np.random.default_rng(0)
    points, centroids = rng.normal(size=(5000, 24)).astype(np.float32), rng.normal(size=(40, 24)).astype(np.float32)
    ids, distances = nearest(points, centroids)
    for start, stop in ((0, 1), (7, 300), (4000, 5000)):
        some_ids, some = nearest(points[start:stop], centroids)
        assert some.tobytes() == distances[start:stop].tobytes()
        assert np.array_equal(some_ids, ids[start:stop])


def test_nearest_matches_brute_force() -> None:
    rng = np.random.default_rng(0)
    points, centroids = rng.normal(size=(50, 5)).astype(np.float32), rng.normal(size=(7, 5)).astype(np.float32)
    ids, distances = nearest(points, centroids)
    brute = ((points[:, None] - centroids[None]) ** 2).sum(-1)
    assert np.array_equal(ids, brute.argmin(1))
    assert np.allclose(distances, brute.min(1), atol=1e-4)


def test_an_empty_cluster_takes_half_of_the_largest() -> None:
    points = prepare(_mixture(centres=1), l2_normalise=False)
    start = np.stack([points.mean(0), np.full(8, 1000, np.float32)])
    state = _fit(points, start, 1, [slice(0, 600)])
    assert state.num_split == [1]
    ids, _ = nearest(points, state.centroids)
    assert set(ids.tolist()) == {0, 1}


@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_all_equal_points_end_without_nan(init: str) -> None:
    points = np.ones((20, 4), np.float32)
    state = _fit(points, seed_centroids(points, 5, init=init, seed=0), 3, [slice(0, 20)])
    assert np.isfinite(state.centroids).all()
    assert np.isfinite(state.objective).all()


def test_fewer_rows_than_clusters_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="CLUSTER.NUM_CLUSTERS: 5 clusters need as many"):
        seed_centroids(np.ones((4, 2), np.float32), 5, init="random", seed=0)


def test_one_cluster_is_the_mean() -> None:
    points = prepare(_mixture(), l2_normalise=False)
    state = _fit(points, seed_centroids(points, 1, init="random", seed=0), 1, [slice(0, 600)])
    assert np.allclose(state.centroids[0], points.astype(np.float64).mean(0), atol=1e-5)


def test_zero_vectors_survive_normalisation() -> None:
    assert not prepare(np.zeros((2, 3), np.float16), l2_normalise=True).any()
    assert np.allclose(np.linalg.norm(prepare(_mixture(), l2_normalise=True), axis=1), 1, atol=2e-3)


def test_seeds_choose_different_starts_and_repeat_themselves() -> None:
    points = prepare(_mixture(), l2_normalise=True)
    one, again, other = (seed_centroids(points, 9, init="kmeans++", seed=seed) for seed in (0, 0, 1))
    assert one.tobytes() == again.tobytes() != other.tobytes()


def test_the_seeding_sample_does_not_depend_on_blocks() -> None:
    points = prepare(_mixture(), l2_normalise=True)
    whole = seeding_sample(lambda: iter([points]), 600, 2, seed=0)
    pieces = seeding_sample(lambda: iter([points[:5], points[5:400], points[400:]]), 600, 2, seed=0)
    assert len(whole) == 2 * SEEDING_ROWS_PER_CENTROID
    assert whole.tobytes() == pieces.tobytes()


def test_state_and_model_round_trip(tmp_path: Path) -> None:
    state = LloydState(np.eye(3, dtype=np.float32), [2.0, 1.0], [0, 1])
    state.save(tmp_path / "state")
    again = LloydState.load(tmp_path / "state")
    assert (again.objective, again.num_split, again.finished) == ([2.0, 1.0], [0, 1], False)
    KMeansModel(state.centroids, True).save(tmp_path / "model")
    model = KMeansModel.load(tmp_path / "model")
    assert model.l2_normalise
    assert model.assign(np.array([[0, 5, 0]], np.float16))[0].tolist() == [1]


def test_converged_compares_the_last_two() -> None:
    assert not converged([3.0], 0.5)
    assert converged([2.0, 2.0], 0.0)
    assert not converged([2.0, 1.9], 0.0)
    assert converged([2.0, 1.9], 0.1)
