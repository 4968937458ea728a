"""uint8 frames -> the float32 clip a network reads: crop, mirror, normalise.

T frames, H x W pixels, C = 3. Scaling to the short edge happens while decoding, where it costs least. Random choices
come from the generator that is passed in, never from global state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core import picture_views
from cfvideo.core.picture_views import Statistics, eval_window, train_window
from cfvideo.data.pixels import Frames

if TYPE_CHECKING:
    Clip = NDArray[np.float32]

# Kinetics statistics of RGB in [0, 1], as torchvision's and ig65m's video models use them.
MEAN = (0.43216, 0.394666, 0.37645)
STD = (0.22803, 0.22145, 0.216989)
KINETICS = Statistics(MEAN, STD)


def statistics_of(view: Mapping[str, Any]) -> Statistics:
    """The "mean" and "std" of a view; Kinetics' where it has none."""
    return picture_views.statistics_of(view, KINETICS)


def normalised(frames: Frames, statistics: Statistics = KINETICS) -> Clip:
    """uint8 [T, H, W, 3] -> float32 [3, T, H, W], zero mean and unit deviation per channel.

    The memory stays channels-last: the networks read it so, and nothing is moved.
    """
    moved: Clip = picture_views.normalised(frames, statistics).transpose(3, 0, 1, 2)
    return moved


def cropped(frames: Frames, top: int, left: int, side_px: int) -> Frames:
    """The square [top, top + side) x [left, left + side) of every frame."""
    return frames[:, top:top + side_px, left:left + side_px]


def train_crop(frames: Frames, *, crop_px: int, flip: bool, rng: np.random.Generator) -> Frames:
    """A random crop, mirrored half of the time where `flip` is set: uint8 [T, H, W, 3] -> uint8 [T, crop, crop, 3].

    All frames of a clip share the crop and the mirroring. Draws top, left, mirror, in this order.
    """
    top, left, mirrored = train_window(*frames.shape[1:3], crop_px=crop_px, flip=flip, rng=rng)
    crop = cropped(frames, top, left, crop_px)
    return crop[:, :, ::-1] if mirrored else crop


def train_clip(frames: Frames, *, crop_px: int, flip: bool, rng: np.random.Generator) -> Clip:
    """`train_crop`, normalised: uint8 [T, H, W, 3] -> float32 [3, T, crop, crop]."""
    return normalised(train_crop(frames, crop_px=crop_px, flip=flip, rng=rng))


def eval_crop(frames: Frames, *, crop_px: int) -> Frames:
    """The central crop: uint8 [T, H, W, 3] -> uint8 [T, crop, crop, 3]; halves round to even, as in torchvision."""
    top, left, _ = eval_window(*frames.shape[1:3], crop_px=crop_px)
    return cropped(frames, top, left, crop_px)


def eval_clip(frames: Frames, *, crop_px: int) -> Clip:
    """`eval_crop`, normalised: uint8 [T, H, W, 3] -> float32 [3, T, crop, crop]."""
    return normalised(eval_crop(frames, crop_px=crop_px))
