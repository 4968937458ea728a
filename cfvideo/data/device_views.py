"""Decoded pictures -> the clips a network reads, on the device that they lie on: turn, scale, crop, normalise.

The twin of `cfvideo.data.pixels` and `cfvideo.data.transforms` for tensors: the same sizes, crops and numbers, and the
same scaling (triangle filter over the whole footprint) within a grey level.
"""

from __future__ import annotations

import torch

from cfvideo.core.device_pictures import normalised, scaled
from cfvideo.core.picture_views import Statistics, Window

_FRAMES_AT_ONCE = 32  # floating-point pictures at full size held at a time


def device_views(pictures: torch.Tensor, orientation: tuple[bool, bool, bool], size: tuple[int, int], window: Window,
                 crop_px: int, num_views: int, statistics: Statistics) -> torch.Tensor:
    """uint8 [n * T, H, W, 3] as stored -> float32 [n, T, crop, crop, 3], normalised, on the same device.

    orientation: see `cfvideo.data.pixels.display_orientation`. size: (H, W) upright and scaled, pixels.
    """
    crops = [_crop(scaled(upright(some, orientation), size), window, crop_px)
             for some in torch.split(pictures, _FRAMES_AT_ONCE)]
    return views_of_frames(torch.cat(crops), num_views, statistics)


def views_of_frames(frames: torch.Tensor, num_views: int, statistics: Statistics) -> torch.Tensor:
    """Levels [n * T, H, W, 3] in [0, 255] -> float32 [n, T, H, W, 3], zero mean and unit deviation per channel."""
    return normalised(frames, statistics).reshape(num_views, -1, *frames.shape[1:])


def upright(pictures: torch.Tensor, orientation: tuple[bool, bool, bool]) -> torch.Tensor:
    """[T, H, W, 3] as stored -> as displayed."""
    transposed, mirrored, upside_down = orientation
    turned = pictures.transpose(1, 2) if transposed else pictures
    return turned.flip([axis for axis, is_set in ((2, mirrored), (1, upside_down)) if is_set])


def _crop(frames: torch.Tensor, window: Window, crop_px: int) -> torch.Tensor:
    crop = frames[:, window.top:window.top + crop_px, window.left:window.left + crop_px]
    return crop.flip(2) if window.mirrored else crop
