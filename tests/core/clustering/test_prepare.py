"""Preparation: PCA against a reference, exact rounding, lengths; the model's file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from cfvideo.core.clustering.model import KMeansModel
from cfvideo.core.clustering.prepare import Preparation, Projection, fit_projection
from cfvideo.core.errors import ConfigError, IntegrityError
from tests.core.clustering.made_points import mixture


@pytest.mark.parametrize("whiten", [False, True])
def test_pca_is_scikit_learns(whiten: bool) -> None:
    points = mixture(800, 12, 5)
    ours = fit_projection(points, 4, whiten=whiten)(points).astype(np.float64)
    theirs = PCA(4, whiten=whiten, svd_solver="full").fit_transform(points.astype(np.float64))
    for column in range(4):
        sign = np.sign(ours[:, column] @ theirs[:, column])
        assert np.allclose(ours[:, column], sign * theirs[:, column], atol=2e-2 if not whiten else 2e-3)
    if whiten:
        assert np.allclose(ours.var(0), 1, atol=0.01)


def test_projected_values_are_the_exact_ones_rounded() -> None:
    """A value half way between two float16 numbers, which the order of summation could push either way."""
    matrix = np.array([[1], [2.0 ** -11], [2.0 ** -51], [-2.0 ** -51]], np.float32)
    points = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 1]], np.float16)
    exact = [sum(Fraction(float(x)) * Fraction(float(w)) for x, w in zip(row, matrix[:, 0], strict=True))
             for row in points]
    half_way = 1 + Fraction(1, 2 ** 11)
    assert exact[0] == half_way
    assert exact[1] > half_way > exact[2]
    upper = np.float16(1 + 2.0 ** -10)
    assert Projection(matrix, np.zeros(1))(points)[:, 0].tolist() == [1.0, upper, 1.0]  # ties go to even


def test_a_rows_projection_does_not_depend_on_its_company() -> None:
    points = mixture(700, 40, 5)
    projection = fit_projection(points, 9, whiten=True)
    whole = projection(points)
    assert projection(points[3:4]).tobytes() == whole[3:4].tobytes()
    assert projection(points[::-1])[::-1].tobytes() == whole.tobytes()


def test_directions_without_variance_are_not_blown_up() -> None:
    points = np.zeros((50, 4), np.float16)
    points[:, 0] = np.arange(50)
    assert np.abs(fit_projection(points, 3, whiten=True)(points).astype(float)).max() < 10


def test_too_many_dimensions_are_refused() -> None:
    with pytest.raises(ConfigError, match="CLUSTER.PCA_DIM: 9 dimensions .* 8 features; set it to at most 8"):
        fit_projection(mixture(), 9, whiten=False)


def test_lengths_and_zero_vectors() -> None:
    prepare = Preparation(True)
    assert not prepare(np.zeros((2, 3), np.float16)).any()
    assert np.allclose(np.linalg.norm(prepare(mixture()).astype(float), axis=1), 1, atol=2e-3)
    assert Preparation(False)(mixture()).tobytes() == mixture().tobytes()


def test_the_model_keeps_all_that_assignment_needs(tmp_path: Path) -> None:
    points = mixture(300, 10, 4)
    prepare = Preparation(True, fit_projection(points, 3, whiten=True))
    labels = np.array([0, 0, 2, 2, 2], np.int32)
    model = KMeansModel(prepare(points)[:5].astype(np.float32), prepare, labels, restricted=True)
    model.save(tmp_path / "model")
    again = KMeansModel.load(tmp_path / "model")
    of_rows = (np.arange(300) % 4 - 1).astype(np.int32)
    ids, distances = model.assign(points, of_rows)
    assert np.array_equal(again.assign(points, of_rows)[0], ids)
    assert set(ids[of_rows == 0].tolist()) == {0, 1}
    assert set(ids[of_rows == 2].tolist()) <= {2, 3, 4}
    assert (ids[(of_rows == 1) | (of_rows == -1)] == -1).all()
    assert (np.isinf(distances) == (ids == -1)).all()
    with pytest.raises(ValueError, match="labels go with a per-label model"):
        again.assign(points)
    (tmp_path / "model").write_bytes((tmp_path / "model").read_bytes()[:-4])
    with pytest.raises(IntegrityError):
        KMeansModel.load(tmp_path / "model")
