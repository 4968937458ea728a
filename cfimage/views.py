"""Which views of a picture a network sees: arithmetic and seeded draws only. Sizes are pixels, (width, height).

Training: turned where the task is RotNet, then a random part of random shape scaled to the crop (RandomResizedCrop;
Szegedy et al., 2015, with torchvision's numbers) or, where CROP_AREA is empty, a random square after scaling and
padding; then mirrored, then made grey. Evaluation: the short edge scaled, the central square; of several views the
i-th of n lies i / (n - 1) of the way from the upper left to the lower right corner. Or the whole picture, squeezed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cfimage.decode import Box, Size
from cfimage.jigsaw_order import CELLS, permutations
from cfvideo.core.picture_views import Window, eval_window, room, short_edge, train_window

# RandomResizedCrop's tries and shapes (torchvision's defaults).
_TRIES, _ASPECTS = 10, (3 / 4, 4 / 3)
ROTATIONS = 4


@dataclass(frozen=True)
class Plan:
    """The views of one picture.

    quarters: turns by 90 degrees, anticlockwise; box: the part that is kept then, None: all; size: what it is scaled
    to; pad_px: black pixels added on every side; windows: squares of side_px, a view each; grey: colours dropped;
    corners: (top, left) of patches of patch_px in the only window, where patches are the view; target: its class.
    """

    size: Size
    side_px: int
    windows: tuple[Window, ...]
    box: Box | None = None
    quarters: int = 0
    pad_px: int = 0
    grey: bool = False
    corners: tuple[tuple[int, int], ...] = ()
    patch_px: int = 0
    target: int = -1


def pretext_classes(task: str, view: Mapping[str, Any]) -> int:
    """Classes that the views of a task make of themselves; 0 for labels."""
    return int(view["permutations"]) if task == "jigsaw" else {"rotnet": ROTATIONS}.get(task, 0)


def train_plan(size: Size, view: Mapping[str, Any], rng: np.random.Generator) -> Plan:
    """One random view of a picture. view: fields of ClipSpec, and task where it is a pretext."""
    if view.get("task") == "jigsaw":
        return _puzzle(size, view, rng)
    if view.get("task") == "rotnet":
        quarters = int(rng.integers(ROTATIONS))
        plan = _part(size[::-1] if quarters % 2 else size, view, rng)
        return replace(plan, quarters=quarters, target=turns_of(quarters, is_mirrored=plan.windows[0].mirrored))
    return _part(size, view, rng)


def turns_of(quarters: int, *, is_mirrored: bool) -> int:
    """RotNet's class of a picture that is turned and then mirrored: the turns of its mirror image, the other way round.

    As if mirrored first (Gidaris et al.'s own code). Were it `quarters`, a left turn and its mirror image, the mirrored
    picture's right turn, would be two classes of one view; VISSL's configs, which mirror last, do that.
    """
    return (-quarters if is_mirrored else quarters) % ROTATIONS


def _part(size: Size, view: Mapping[str, Any], rng: np.random.Generator) -> Plan:
    """A random part of random shape, or where CROP_AREA is empty a random square."""
    if not view["crop_area"]:
        return _square(size, view["crop_px"], view, rng)
    side, box = view["crop_px"], random_box(size, view["crop_area"], rng)
    window = Window(0, 0, view["flip"] and bool(rng.random() < 0.5))
    return Plan((side, side), side, (window,), box, grey=_is_grey(view, rng))


def _square(size: Size, side_px: int, view: Mapping[str, Any], rng: np.random.Generator) -> Plan:
    """A random square of the scaled and padded picture."""
    width, height = short_edge(view["short_edge_px"])(*size)
    pad = view["pad_px"]
    window = train_window(height + 2 * pad, width + 2 * pad, crop_px=side_px, flip=view["flip"], rng=rng)
    return Plan((width, height), side_px, (window,), pad_px=pad, grey=_is_grey(view, rng))


def _is_grey(view: Mapping[str, Any], rng: np.random.Generator) -> bool:
    return bool(rng.random() < view["grey"])


def _puzzle(size: Size, view: Mapping[str, Any], rng: np.random.Generator) -> Plan:
    """A random square of 3 x 3 cells, a patch at random from each, in the order of a random permutation (the paper's
    appendix D): the i-th patch of the view is from cell permutation[i]."""
    cell, patch = view["cell_px"], view["patch_px"]
    plan = _square(size, CELLS * cell, view, rng)
    offsets = rng.integers(cell - patch + 1, size=(CELLS * CELLS, 2))
    corners = offsets + cell * np.stack(np.divmod(np.arange(CELLS * CELLS), CELLS), axis=1)
    target = int(rng.integers(view["permutations"]))
    ordered = tuple((int(top), int(left)) for top, left in corners[permutations()[target]])
    return replace(plan, corners=ordered, patch_px=patch, target=target)


def random_box(size: Size, area: tuple[float, float], rng: np.random.Generator) -> Box:
    """RandomResizedCrop's part of a picture: a random share of its area in a random shape, somewhere; after ten tries
    that do not fit, the largest central part of an allowed shape."""
    width, height = size
    for _ in range(_TRIES):
        pixels = width * height * rng.uniform(*area)
        aspect = math.exp(rng.uniform(math.log(_ASPECTS[0]), math.log(_ASPECTS[1])))
        across, down = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < across <= width and 0 < down <= height:
            top, left = int(rng.integers(height - down + 1)), int(rng.integers(width - across + 1))
            return left, top, left + across, top + down
    across, down = _fitting(width, height)
    left, top = (width - across) // 2, (height - down) // 2
    return left, top, left + across, top + down


def _fitting(width: int, height: int) -> Size:
    if width / height < _ASPECTS[0]:
        return width, max(1, round(width / _ASPECTS[0]))
    if width / height > _ASPECTS[1]:
        return max(1, round(height * _ASPECTS[1])), height
    return width, height


def eval_plan(size: Size, view: Mapping[str, Any], num_views: int) -> Plan:
    """The central square, or `num_views` squares along the diagonal; where "squeeze" is set, the whole picture."""
    side = view["crop_px"]
    if view.get("squeeze"):
        return Plan((side, side), side, (Window(0, 0),) * num_views)
    width, height = short_edge(view["short_edge_px"])(*size)
    if num_views == 1:
        return Plan((width, height), side, (eval_window(height, width, crop_px=side),))
    bottom, right = room(height, width, side)
    parts = [number / (num_views - 1) for number in range(num_views)]
    return Plan((width, height), side, tuple(Window(round(part * bottom), round(part * right)) for part in parts))
