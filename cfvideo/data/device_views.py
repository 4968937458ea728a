"""Decoded pictures -> the clips a network reads, on the device that they lie on: turn, scale, crop, normalise.

The twin of `cfvideo.data.pixels` and `cfvideo.data.transforms` for tensors: the same sizes, crops and numbers, and the
same scaling (triangle filter over the whole footprint) within a grey level.
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate

from cfvideo.core.picture_views import Statistics, Window

_FRAMES_AT_ONCE = 32  # floating-point pictures at full size held at a time


def device_views(pictures: torch.Tensor, orientation: tuple[bool, bool, bool], size: tuple[int, int], window: Window,
                 crop_px: int, num_views: int, statistics: Statistics) -> torch.Tensor:
    """uint8 [n * T, H, W, 3] as stored -> float32 [n, T, crop, crop, 3], normalised, on the same device.

    orientation: see `cfvideo.data.pixels.display_orientation`. size: (H, W) upright and scaled, pixels.
    """
    crops = [_crop(_scaled(upright(some, orientation), size), window, crop_px)
             for some in torch.split(pictures, _FRAMES_AT_ONCE)]
    return views_of_frames(torch.cat(crops), num_views, statistics)


def views_of_frames(frames: torch.Tensor, num_views: int, statistics: Statistics) -> torch.Tensor:
    """Levels [n * T, H, W, 3] in [0, 255] -> float32 [n, T, H, W, 3], zero mean and unit deviation per channel."""
    mean, std = (torch.tensor(values, dtype=torch.float64, device=frames.device) for values in statistics)
    normalised = frames.float() * (1.0 / (255.0 * std)).float() - (mean / std).float()
    return normalised.reshape(num_views, -1, *frames.shape[1:])


def upright(pictures: torch.Tensor, orientation: tuple[bool, bool, bool]) -> torch.Tensor:
    """[T, H, W, 3] as stored -> as displayed."""
    transposed, mirrored, upside_down = orientation
    turned = pictures.transpose(1, 2) if transposed else pictures
    return turned.flip([axis for axis, is_set in ((2, mirrored), (1, upside_down)) if is_set])


def _scaled(pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """uint8 [T, H, W, 3] -> float32 whole levels [T, h, w, 3]."""
    if tuple(pictures.shape[1:3]) == size:
        return pictures.float()
    planes = pictures.permute(0, 3, 1, 2).float()
    scaled = interpolate(planes, size=size, mode="bilinear", align_corners=False, antialias=True)
    return scaled.round_().clamp_(0, 255).permute(0, 2, 3, 1)


def _crop(frames: torch.Tensor, window: Window, crop_px: int) -> torch.Tensor:
    crop = frames[:, window.top:window.top + crop_px, window.left:window.left + crop_px]
    return crop.flip(2) if window.mirrored else crop
