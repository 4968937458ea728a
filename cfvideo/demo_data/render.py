"""Frames of one video: a digit (or two) moving over a piece of a photograph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cfvideo.demo_data.motions import Path
from cfvideo.demo_data.pictures import DIGIT_PX, Pictures

Frame = NDArray[np.uint8]
# A digit of natural size fills this share of the canvas; the background is darkened so that it stands out.
DIGIT_SHARE = 0.8
BACKGROUND_LIGHT = 0.15


def background(pictures: Pictures, size_px: int, rng: np.random.Generator) -> Frame:
    """A random square of a random photo, scaled and darkened: uint8 [size_px, size_px, 3]."""
    photo = pictures.photos[int(rng.integers(len(pictures.photos)))]
    edge = int(rng.integers(96, 257))
    top, left = (int(rng.integers(length - edge + 1)) for length in photo.shape[:2])
    crop = Image.fromarray(photo[top:top + edge, left:left + edge])
    scaled = np.asarray(crop.resize((size_px, size_px), Image.Resampling.BILINEAR), dtype=np.float64)
    return (scaled * BACKGROUND_LIGHT).astype(np.uint8)


def ink(rng: np.random.Generator) -> NDArray[np.float64]:
    """A light colour, float64 [3] in 0 ... 255."""
    return rng.uniform(150.0, 255.0, 3)


def _coverage(digit: Frame, path: Path, frame: int, size_px: int) -> NDArray[np.float64]:
    """How much the digit covers each pixel of one frame: float64 [size_px, size_px] in 0 ... 1."""
    step = DIGIT_PX / (DIGIT_SHARE * size_px * path.scale[frame])
    cos, sin = step * np.cos(path.angle[frame]), step * np.sin(path.angle[frame])
    centre_x, centre_y = (size_px / 2 * (1 + place[frame]) for place in (path.x, path.y))
    # Pillow asks where in the digit each output pixel comes from: the inverse of turn, scale and shift.
    affine = (cos, sin, DIGIT_PX / 2 - cos * centre_x - sin * centre_y,
              -sin, cos, DIGIT_PX / 2 + sin * centre_x - cos * centre_y)
    moved = Image.fromarray(digit).transform((size_px, size_px), Image.Transform.AFFINE, affine,
                                             resample=Image.Resampling.BILINEAR)
    return np.asarray(moved, dtype=np.float64) / 255.0


def render(ground: Frame, digits: Sequence[Frame], paths: Sequence[Path],
           inks: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """Every frame with all digits painted over `ground` in turn: uint8 [T, size_px, size_px, 3]."""
    size_px = ground.shape[0]
    frames = np.repeat(ground[None].astype(np.float64), len(paths[0].x), axis=0)
    for digit, path, colour in zip(digits, paths, inks, strict=True):
        for number, frame in enumerate(frames):
            alpha = _coverage(digit, path, number, size_px)[..., None]
            frame += alpha * (colour - frame)
    return np.rint(frames).astype(np.uint8)
