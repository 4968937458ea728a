"""Pictures that need no package, so that these tests are quick."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.demo_data.pictures import Pictures


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Ten digits (filled squares of different sizes) and one photo of noise."""
    digits = np.zeros((10, 28, 28), dtype=np.uint8)
    for label in range(10):
        digits[label, 9 - label // 2:19 + label // 2, 9:19] = 255
    photo = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return Pictures(digits, np.arange(10), (photo,), "made_up")
