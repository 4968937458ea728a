"""uint8 frames -> the float32 clip a network reads: crop, mirror, normalise.

T frames, H x W pixels, C = 3. Scaling to the short edge happens while decoding (`cfvideo.data.pixels.short_edge`),
where it costs least. Random choices come from the generator that is passed in, never from global state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cfvideo.data.pixels import Frames

if TYPE_CHECKING:
    Clip = NDArray[np.float32]

# Kinetics statistics of RGB in [0, 1], as torchvision's and ig65m's video models use them.
MEAN = (0.43216, 0.394666, 0.37645)
STD = (0.22803, 0.22145, 0.216989)
_SCALE = (1.0 / (255.0 * np.array(STD))).astype(np.float32)
_SHIFT = (np.array(MEAN) / np.array(STD)).astype(np.float32)


def normalised(frames: Frames) -> Clip:
    """uint8 [T, H, W, 3] -> float32 [3, T, H, W], zero mean and unit deviation per channel over Kinetics.

    The memory stays channels-last: the networks read it so, and nothing is moved.
    """
    clip = frames * _SCALE
    clip -= _SHIFT
    moved: Clip = clip.transpose(3, 0, 1, 2)
    return moved


def cropped(frames: Frames, top: int, left: int, side_px: int) -> Frames:
    """The square [top, top + side) x [left, left + side) of every frame."""
    return frames[:, top:top + side_px, left:left + side_px]


def train_clip(frames: Frames, *, crop_px: int, flip: bool, rng: np.random.Generator) -> Clip:
    """A random crop, mirrored half of the time where `flip` is set: uint8 [T, H, W, 3] -> float32 [3, T, crop, crop].

    All frames of a clip share the crop and the mirroring. Draws top, left, mirror, in this order.
    """
    bottom, right = _room(frames, crop_px)
    crop = cropped(frames, int(rng.integers(bottom + 1)), int(rng.integers(right + 1)), crop_px)
    mirrored = flip and rng.random() < 0.5
    return normalised(crop[:, :, ::-1] if mirrored else crop)


def eval_clip(frames: Frames, *, crop_px: int) -> Clip:
    """The central crop: uint8 [T, H, W, 3] -> float32 [3, T, crop, crop]; halves round to even, as in torchvision."""
    bottom, right = _room(frames, crop_px)
    return normalised(cropped(frames, round(bottom / 2), round(right / 2), crop_px))


def _room(frames: Frames, crop_px: int) -> tuple[int, int]:
    bottom, right = frames.shape[1] - crop_px, frames.shape[2] - crop_px
    if min(bottom, right) < 0:
        raise ValueError(f"a crop of {crop_px} pixels does not fit into frames of {frames.shape[2]} x "
                         f"{frames.shape[1]}; CLIP.CROP_PX must not exceed CLIP.SHORT_EDGE_PX")
    return bottom, right
