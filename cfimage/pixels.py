"""The pixels of planned views: uint8 from a picture (NumPy), or float levels from a decoded tensor, on its device.

Both give the same views; scaling differs by a level (Pillow's and torch's triangle filters round differently).
n views, S side, P patch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from cfimage.decode import Picture, Pixels
from cfimage.views import Plan
from cfvideo.core.device_pictures import scaled

# Red, green and blue in grey, in 65536ths: ITU-R 601-2 luma as Pillow computes it.
GREY = (19595, 38470, 7471)
_HALF, _BITS = 0x8000, 16


def picture_views(picture: Picture, plan: Plan) -> Pixels:
    """uint8 [n, S, S, 3], or [1, 9, P, P, 3] where patches are the view."""
    levels = picture.scaled(plan.size, box=plan.box, quarters=plan.quarters)
    if plan.pad_px:
        levels = np.pad(levels, ((plan.pad_px, plan.pad_px), (plan.pad_px, plan.pad_px), (0, 0)))
    if plan.grey:
        luma = (levels @ np.array(GREY, np.int64) + _HALF) >> _BITS
        levels = np.repeat(luma.astype(np.uint8)[..., None], 3, axis=-1)
    squares = [levels[window.top:window.top + plan.side_px, window.left:window.left + plan.side_px]
               for window in plan.windows]
    views = [square[:, ::-1] if window.mirrored else square
             for square, window in zip(squares, plan.windows, strict=True)]
    if plan.corners:
        views = [np.stack([views[0][top:top + plan.patch_px, left:left + plan.patch_px] for top, left in plan.corners])]
    return np.stack(views)


def tensor_views(picture: torch.Tensor, plan: Plan) -> torch.Tensor:
    """uint8 [H, W, 3], upright, of a whole picture -> whole float levels in the shapes of `picture_views`."""
    turned = picture.rot90(plan.quarters)
    left, top, right, bottom = plan.box or (0, 0, turned.shape[1], turned.shape[0])
    levels = scaled(turned[None, top:bottom, left:right], plan.size[::-1])[0]
    if plan.pad_px:
        levels = F.pad(levels, (0, 0, *[plan.pad_px] * 4))
    if plan.grey:
        luma = torch.tensor(GREY, dtype=torch.float64, device=levels.device)
        grey = ((levels.double() @ luma + _HALF) / 2**_BITS).floor().to(levels.dtype)
        levels = grey[..., None].expand(*grey.shape, 3)
    squares = [levels[window.top:window.top + plan.side_px, window.left:window.left + plan.side_px]
               for window in plan.windows]
    views = [square.flip(1) if window.mirrored else square
             for square, window in zip(squares, plan.windows, strict=True)]
    if plan.corners:
        views = [torch.stack([views[0][top:top + plan.patch_px, left:left + plan.patch_px]
                              for top, left in plan.corners])]
    return torch.stack(views)
