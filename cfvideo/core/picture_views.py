"""Which part of a picture a network sees: sizes, crops, numbers; the same for an image and the frames of a clip.

H x W pixels, C = 3. Random choices come from the generator that is passed in, never from global state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# (width, height) as displayed -> (width, height) as wanted, pixels.
Resize = Callable[[int, int], tuple[int, int]]


def short_edge(px: int) -> Resize:
    """Scale so that the shorter edge has `px` pixels; the longer one is rounded down, as in torchvision's Resize."""
    def resize(width: int, height: int) -> tuple[int, int]:
        return (px, px * height // width) if width <= height else (px * width // height, px)
    return resize


def fixed_height(px: int) -> Resize:
    """Scale to a height of `px` pixels, the width in proportion and at least 1."""
    return lambda width, height: (max(1, round(px * width / height)), px)


class Window(NamedTuple):
    """Where a square crop starts, pixels, and whether it is mirrored left to right."""

    top: int
    left: int
    mirrored: bool = False


def train_window(height: int, width: int, *, crop_px: int, flip: bool, rng: np.random.Generator) -> Window:
    """A random crop of H x W, mirrored half of the time where `flip` is set. Draws top, left, mirror, in this order."""
    bottom, right = room(height, width, crop_px)
    top, left = int(rng.integers(bottom + 1)), int(rng.integers(right + 1))
    return Window(top, left, flip and bool(rng.random() < 0.5))


def eval_window(height: int, width: int, *, crop_px: int) -> Window:
    """The central crop of H x W; halves round to even, as in torchvision."""
    bottom, right = room(height, width, crop_px)
    return Window(round(bottom / 2), round(right / 2))


def room(height: int, width: int, crop_px: int) -> tuple[int, int]:
    """How far down and to the right a square crop can start. Raises ValueError where it does not fit."""
    bottom, right = height - crop_px, width - crop_px
    if min(bottom, right) < 0:
        raise ValueError(f"a crop of {crop_px} pixels does not fit into {width} x {height}; CLIP.CROP_PX must not "
                         "exceed CLIP.SHORT_EDGE_PX")
    return bottom, right


class Statistics(NamedTuple):
    """Mean and standard deviation of red, green and blue in [0, 1] that a network was trained with."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


# Of samples that are fed as they were read.
UNCHANGED = Statistics((0.0,), (1.0,))


def statistics_of(view: Mapping[str, Any], usual: Statistics) -> Statistics:
    """The "mean" and "std" of a view, which imported networks bring along; the usual ones where it has none."""
    return Statistics(tuple(view.get("mean", usual.mean)), tuple(view.get("std", usual.std)))


def normalised(levels: NDArray[np.uint8], statistics: Statistics) -> NDArray[np.float32]:
    """uint8 [..., W, 3] -> float32 [..., W, 3], (level / 255 - mean) / std per channel."""
    mean, std = np.array(statistics.mean), np.array(statistics.std)
    # Whole lines at a time: NumPy took 6 to 10 times as long over three numbers at a time.
    width, lines = levels.shape[-2], levels.reshape(*levels.shape[:-2], -1)
    scaled: NDArray[np.float32] = np.multiply(lines, np.tile((1.0 / (255.0 * std)).astype(np.float32), width))
    scaled -= np.tile((mean / std).astype(np.float32), width)
    return scaled.reshape(levels.shape)
