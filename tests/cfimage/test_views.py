"""Which views are planned: sizes, windows, draws and the classes of pretext tasks."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from cfimage.jigsaw_order import permutations
from cfimage.views import Plan, eval_plan, pretext_classes, random_box, train_plan
from cfvideo.core.picture_views import Window
from cfvideo.core.specs import ClipSpec


def view(**changes: Any) -> dict[str, Any]:
    small = ClipSpec(short_edge_px=32, crop_px=24, cell_px=10, patch_px=7, permutations=50)
    return dataclasses.asdict(small) | changes


def plans(size: tuple[int, int], count: int = 300, **changes: Any) -> list[Plan]:
    return [train_plan(size, view(**changes), np.random.default_rng([7, seed])) for seed in range(count)]


@pytest.mark.parametrize(("num_views", "windows"), [
    (1, [(4, 14)]), (2, [(0, 0), (8, 29)]), (3, [(0, 0), (4, 14), (8, 29)])])
def test_evaluation_takes_squares_along_the_diagonal(num_views: int, windows: list[tuple[int, int]]) -> None:
    plan = eval_plan((500, 300), view(), num_views)
    assert (plan.size, plan.side_px) == ((53, 32), 24)
    assert plan.windows == tuple(Window(*window) for window in windows)
    assert (plan.box, plan.quarters, plan.pad_px, plan.grey, plan.corners) == (None, 0, 0, False, ())


@pytest.mark.parametrize("size", [(500, 300), (1, 9000), (24, 24)])
def test_whole_pictures_are_squeezed_into_the_square(size: tuple[int, int]) -> None:
    assert eval_plan(size, view(squeeze=True), 1) == Plan((24, 24), 24, (Window(0, 0),))


def test_evaluation_does_not_know_the_task() -> None:
    assert eval_plan((50, 40), view(task="jigsaw"), 2) == eval_plan((50, 40), view(), 2)


def test_random_boxes_have_torchvisions_areas_and_shapes() -> None:
    boxes = [random_box((400, 300), (0.2, 0.6), np.random.default_rng(seed)) for seed in range(2000)]
    widths, heights = (np.array([box[axis + 2] - box[axis] for box in boxes]) for axis in (0, 1))
    shares = widths * heights / (400 * 300)
    assert shares.min() > 0.19
    assert shares.max() < 0.61
    assert shares.mean() == pytest.approx(0.4, abs=0.01)  # uniform in area
    aspects = np.log(widths / heights)
    assert np.abs(aspects).max() <= math.log(4 / 3) + 0.02
    assert aspects.mean() == pytest.approx(0, abs=0.02)
    assert min(box[0] for box in boxes) >= 0
    assert min(box[1] for box in boxes) >= 0
    assert max(box[2] for box in boxes) <= 400
    assert max(box[3] for box in boxes) <= 300


@pytest.mark.parametrize(("size", "box"), [
    ((1000, 30), (480, 0, 520, 30)), ((30, 1000), (0, 480, 30, 520)), ((1, 1), (0, 0, 1, 1)), ((1, 9), (0, 4, 1, 5))])
def test_pictures_of_extreme_shapes_give_the_largest_central_part(size: tuple[int, int],
                                                                  box: tuple[int, int, int, int]) -> None:
    assert random_box(size, (1.0, 1.0), np.random.default_rng(0)) == box


def test_training_takes_boxes_half_of_them_mirrored() -> None:
    found = plans((60, 40))
    assert {plan.size for plan in found} == {(24, 24)}
    assert len({plan.box for plan in found}) > 250
    assert 0.4 < np.mean([plan.windows[0].mirrored for plan in found]) < 0.6
    assert not any(plan.windows[0].mirrored for plan in plans((60, 40), flip=False))
    assert {plan.target for plan in found} == {-1}
    assert {plan.grey for plan in found} == {False}
    assert 0.2 < np.mean([plan.grey for plan in plans((60, 40), grey=0.3)]) < 0.4


@pytest.mark.parametrize("area", [(), []])
def test_small_images_are_padded_and_cropped(area: Any) -> None:
    found = plans((32, 32), crop_area=area, crop_px=32, pad_px=4)
    assert {(plan.size, plan.side_px, plan.pad_px, plan.box) for plan in found} == {((32, 32), 32, 4, None)}
    for corner in (0, 1):
        assert {plan.windows[0][corner] for plan in found} == set(range(9))


@pytest.mark.parametrize("area", [(0.5, 1.0), ()])
def test_rotnet_turns_first_and_asks_by_how_much(area: tuple[float, ...]) -> None:
    found = plans((60, 40), task="rotnet", crop_area=area)
    turns = Counter(plan.quarters for plan in found)
    assert sorted(turns) == [0, 1, 2, 3]
    assert min(turns.values()) > 50
    for plan in found:
        mirrored = plan.windows[0].mirrored
        assert plan.target == (-plan.quarters % 4 if mirrored else plan.quarters)
        width, height = (40, 60) if plan.quarters % 2 else (60, 40)
        if area:
            assert plan.box is not None
            assert plan.box[2] <= width
            assert plan.box[3] <= height
        else:
            assert plan.size == ((32, 48) if plan.quarters % 2 else (48, 32))


def test_a_jigsaw_is_a_patch_of_every_cell_in_the_order_that_is_asked_for() -> None:
    found = plans((64, 48), task="jigsaw")
    offsets = []
    for plan in found:
        assert (plan.side_px, plan.size, plan.box) == (30, (42, 32), None)
        order = permutations()[plan.target]
        for (top, left), cell in zip(plan.corners, order, strict=True):
            row, column = divmod(int(cell), 3)
            offsets.append((top - 10 * row, left - 10 * column))
    assert set(offsets) == {(top, left) for top in range(4) for left in range(4)}
    assert len({plan.target for plan in found}) > 45
    assert max(plan.target for plan in found) == 49
    assert len({(plan.windows[0].top, plan.windows[0].left) for plan in found}) > 20
    assert 0.4 < np.mean([plan.windows[0].mirrored for plan in found]) < 0.6


def test_the_papers_puzzle_fits() -> None:
    clip = ClipSpec(short_edge_px=255, crop_px=224)
    plan = train_plan((500, 375), dataclasses.asdict(clip) | {"task": "jigsaw"}, np.random.default_rng(0))
    assert (plan.size, plan.side_px, plan.patch_px, len(plan.corners)) == ((340, 255), 255, 64, 9)


@pytest.mark.parametrize("task", [None, "rotnet", "jigsaw"])
def test_the_same_generator_gives_the_same_plan(task: str | None) -> None:
    assert plans((60, 40), 5, task=task, grey=0.5) == plans((60, 40), 5, task=task, grey=0.5)


def test_number_of_classes() -> None:
    assert [pretext_classes(task, view()) for task in ("labels", "rotnet", "jigsaw")] == [0, 4, 50]
    assert pretext_classes("labels", {}) == 0
