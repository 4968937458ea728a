"""What is painted where."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfvideo.demo_data.motions import Path
from cfvideo.demo_data.pictures import Pictures
from cfvideo.demo_data.render import BACKGROUND_LIGHT, background, ink, render

WHITE = np.full(3, 255.0)
EMPTY = np.zeros((48, 48, 3), dtype=np.uint8)


def resting(x: float, y: float, scale: float = 1.0, angle: float = 0.0, num_frames: int = 1) -> Path:
    return Path(*(np.full(num_frames, value) for value in (x, y, scale, angle)))


def painted(digit: NDArray[np.uint8], path: Path) -> NDArray[np.float64]:
    return render(EMPTY, [digit], [path], [WHITE])[0, :, :, 0].astype(np.float64)


def centre(picture: NDArray[np.float64]) -> tuple[float, float]:
    rows, columns = np.indices(picture.shape)
    return float((columns * picture).sum() / picture.sum()), float((rows * picture).sum() / picture.sum())


def test_a_digit_appears_where_its_path_says(pictures: Pictures) -> None:
    x, y = centre(painted(pictures.digits[0], resting(0.5, -0.25)))
    assert abs(x - 35.5) < 0.6
    assert abs(y - 17.5) < 0.6


def test_scale_grows_the_digit_and_angle_turns_it_clockwise(pictures: Pictures) -> None:
    small, large = (painted(pictures.digits[0], resting(0, 0, scale)).sum() for scale in (0.7, 1.4))
    assert 3.4 < large / small < 4.6
    corner = np.zeros((28, 28), dtype=np.uint8)
    corner[12:16, 20:26] = 255  # right of the middle; a quarter turn clockwise puts it below
    x, y = centre(painted(corner, resting(0, 0, angle=np.pi / 2)))
    assert abs(x - 23.5) < 1.5
    assert y > 30


def test_two_digits_keep_the_ground_between_them(pictures: Pictures) -> None:
    ground = np.full((48, 48, 3), 40, dtype=np.uint8)
    digits = [pictures.digits[0], pictures.digits[0]]
    frame = render(ground, digits, [resting(-0.6, -0.6, 0.5), resting(0.6, 0.6, 0.5)], [WHITE, WHITE])[0]
    assert frame[10, 10].tolist() == frame[38, 38].tolist() == [255, 255, 255]
    assert frame[10, 38].tolist() == [40, 40, 40]


def test_background_is_a_darkened_piece_of_a_photo(pictures: Pictures) -> None:
    ground = background(pictures, 48, np.random.default_rng(1))
    assert ground.shape == (48, 48, 3)
    assert ground.dtype == np.uint8
    assert 0 < ground.max() <= 255 * BACKGROUND_LIGHT
    assert np.array_equal(ground, background(pictures, 48, np.random.default_rng(1)))
    assert not np.array_equal(ground, background(pictures, 48, np.random.default_rng(2)))
    assert ink(np.random.default_rng(0)).min() > ground.max()
