"""Arithmetic that comes out the same in any order."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.clustering import exact
from cfvideo.core.clustering.exact import check_range, joined_limbs, nearest_of, square_limbs, squared_distances
from cfvideo.core.errors import ConfigError
from tests.core.clustering.made_points import mixture


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 80), st.integers(0, 1000))
def test_a_pairs_distance_does_not_depend_on_its_company(num: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, centroids = rng.normal(size=(num, dim)).astype(np.float16), rng.normal(size=(num, dim)).astype(np.float32)
    whole = squared_distances(points, centroids)
    assert all(squared_distances(points[i:i + 1], centroids[i:i + 1])[0] == whole[i] for i in range(0, num, 17))
    assert np.allclose(whole, ((points.astype(float) - centroids) ** 2).sum(1))


def test_the_sum_of_squares_is_exact() -> None:
    points = mixture(5000, 16, unit=True)
    points[0] = np.float16(2.0 ** -24)  # the smallest there is
    true = sum(Fraction(float(value)) ** 2 for value in points.reshape(-1))
    limbs = square_limbs(points)
    assert joined_limbs(limbs) == float(true)
    parts = square_limbs(points[4000:]) + square_limbs(points[:9]) + square_limbs(points[9:4000])
    assert parts.tolist() == limbs.tolist()


def test_the_sum_of_squares_keeps_what_float32_would_lose() -> None:
    """faiss.Kmeans sums its objective in float32, which stands still at 2^24 (facebookresearch/faiss#1962)."""
    limbs = square_limbs(np.ones((1000, 1), np.float16)) * 100_000
    assert joined_limbs(limbs) == 1e8
    saturated = np.float32(2 ** 24)
    assert saturated + np.float32(1) == saturated


def test_repeated_points_are_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    distinct = mixture(3, 4)
    points = distinct[[2, 0, 1, 1, 2, 2, 0]]
    centroids = mixture(9, 4, seed=1).astype(np.float32)
    rows, ids = np.repeat(np.arange(7), 9), np.tile(np.arange(9), 7)
    true = ((points[:, None].astype(float) - centroids) ** 2).sum(-1).argmin(1)
    seen = []
    count = exact.squared_distances
    monkeypatch.setattr(exact, "squared_distances", lambda a, b: (seen.append(len(a)), count(a, b))[1])
    assert nearest_of(points, centroids, rows, ids).tolist() == true.tolist()
    assert sum(seen) == 27


def test_numbers_beyond_exact_sums_are_refused() -> None:
    check_range(10 ** 9, 500.0)
    with pytest.raises(ConfigError, match="CLUSTER.L2_NORMALISE"):
        check_range(10 ** 9, 65504.0)
    assert math.log2(10 ** 9 * 65504 * 2 ** 24) > 63
