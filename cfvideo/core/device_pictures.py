"""Pictures on the device that decoded them: scaling and normalising. T pictures, H x W pixels."""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate

from cfvideo.core.picture_views import Statistics


def scaled(pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """uint8 [T, H, W, 3] -> float32 whole levels [T, h, w, 3], antialiased (triangle filter). size: (h, w)."""
    if tuple(pictures.shape[1:3]) == size:
        return pictures.float()
    planes = pictures.permute(0, 3, 1, 2).float()
    small = interpolate(planes, size=size, mode="bilinear", align_corners=False, antialias=True)
    return small.round_().clamp_(0, 255).permute(0, 2, 3, 1)


def normalised(levels: torch.Tensor, statistics: Statistics) -> torch.Tensor:
    """Levels [..., 3] in [0, 255] -> float32 [..., 3], (level / 255 - mean) / std per channel."""
    mean, std = (torch.tensor(values, dtype=torch.float64, device=levels.device) for values in statistics)
    return levels.float() * (1.0 / (255.0 * std)).float() - (mean / std).float()
