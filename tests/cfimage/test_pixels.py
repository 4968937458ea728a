"""Pixels of planned views: NumPy's are right by hand, and the device's twin gives the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cfimage.decode import Picture
from cfimage.pixels import picture_views, tensor_views
from cfimage.views import Plan
from cfvideo.core.picture_views import Window
from tests.cfimage.pictures import Pixels, encoded, smooth

PIXELS = smooth(40, 30)
# No scaling: whatever happens to the pixels can be written down.
PLAN = Plan((40, 30), 20, (Window(3, 5),))


def views(plan: Plan) -> Pixels:
    return picture_views(Picture(encoded(PIXELS)), plan)


def test_squares() -> None:
    several = replace(PLAN, windows=(Window(0, 0), Window(10, 20), Window(3, 5, mirrored=True)))
    found = views(several)
    np.testing.assert_array_equal(found[0], PIXELS[:20, :20])
    np.testing.assert_array_equal(found[1], PIXELS[10:, 20:])
    np.testing.assert_array_equal(found[2], PIXELS[3:23, 5:25][:, ::-1])


def test_padding_is_black_and_comes_before_the_square() -> None:
    found = views(replace(PLAN, pad_px=4, windows=(Window(0, 0),)))[0]
    assert not found[:4].any()
    assert not found[:, :4].any()
    np.testing.assert_array_equal(found[4:, 4:], PIXELS[:16, :16])


def test_grey_is_pillows() -> None:
    expected = np.asarray(Image.fromarray(PIXELS).convert("L").convert("RGB"))
    np.testing.assert_array_equal(views(replace(PLAN, grey=True))[0], expected[3:23, 5:25])


def test_quarter_turns_come_first() -> None:
    plan = Plan((10, 15), 10, (Window(2, 0),), box=(4, 6, 14, 21), quarters=1)
    np.testing.assert_array_equal(views(plan)[0], np.rot90(PIXELS)[6:21, 4:14][2:12])


def test_patches_come_from_their_corners_of_the_mirrored_square() -> None:
    corners = ((12, 0), (0, 0), (6, 13))
    plan = replace(PLAN, windows=(Window(3, 5, mirrored=True),), corners=corners, patch_px=7)
    found, square = views(plan), PIXELS[3:23, 5:25][:, ::-1]
    assert found.shape == (1, 3, 7, 7, 3)
    for patch, (top, left) in zip(found[0], corners, strict=True):
        np.testing.assert_array_equal(patch, square[top:top + 7, left:left + 7])


@pytest.mark.parametrize("plan", [
    PLAN, replace(PLAN, pad_px=3, windows=(Window(0, 0), Window(16, 26, mirrored=True))),
    Plan((12, 12), 12, (Window(0, 0, mirrored=True),), box=(3, 1, 37, 25)),
    Plan((20, 15), 12, (Window(1, 2), Window(3, 8)), grey=True), Plan((12, 12), 12, (Window(0, 0),), (2, 5, 28, 31), 3),
    Plan((34, 25), 24, (Window(1, 4, mirrored=True),), corners=((0, 16), (8, 8)), patch_px=6)])
def test_the_device_gives_the_same_views(plan: Plan) -> None:
    expected = views(plan).astype(np.float32)
    found = tensor_views(torch.from_numpy(PIXELS.copy()), plan).numpy()
    assert found.shape == expected.shape
    is_scaled = plan.box is not None or plan.size != (40, 30)
    assert np.abs(found - expected).max() <= (1 if is_scaled else 0)
    np.testing.assert_array_equal(found, np.rint(found))
