"""Posters and animations say what the frames show, within their size."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cfvideo.core.inspection.clips import MAX_CLIP_BYTES, clip_of
from tests.core.report.sample import picture

MAX_POSTER_BYTES = 14 << 10


def opened(uri: str, kind: str) -> Image.Image:
    assert uri.startswith(f"data:image/{kind};base64,")
    return Image.open(BytesIO(b64decode(uri.split(",")[1])))


def shown(moving: Image.Image, frame: int) -> NDArray[np.float64]:
    moving.seek(frame)
    return np.asarray(moving.convert("RGB"), np.float64)


def test_an_animation_holds_every_frame_in_order_and_the_poster_is_the_middle_one() -> None:
    frames = np.stack([picture(seed, 96, 128) for seed in range(5)])
    clip = clip_of(frames)
    moving = opened(clip.moving, "webp")
    assert (moving.n_frames, moving.size, moving.info["loop"]) == (5, (128, 96), 0)
    for number in range(len(frames)):
        differences = [np.abs(shown(moving, number) - other).mean() for other in frames]
        assert int(np.argmin(differences)) == number
        assert moving.info["duration"] == 125
        assert differences[number] < 8
    assert np.abs(np.asarray(opened(clip.poster, "jpeg"), np.float64) - frames[2]).mean() < 8


def test_a_single_frame_does_not_move() -> None:
    clip = clip_of(picture(1, 96, 96)[None])
    assert clip.moving == ""
    assert opened(clip.poster, "jpeg").size == (96, 96)


@pytest.mark.parametrize("shape", [(8, 96, 192, 3), (8, 96, 3000, 3), (7, 96, 20, 3)])
def test_no_video_can_make_a_page_large(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    clip = clip_of(noise)
    sizes = [len(b64decode(uri.split(",")[1])) for uri in (clip.moving, clip.poster)]
    assert sizes[0] <= MAX_CLIP_BYTES
    assert sizes[1] <= MAX_POSTER_BYTES
    moving = opened(clip.moving, "webp")
    assert moving.size[0] <= 192
    assert moving.n_frames >= 4
    shown(moving, 1)
    assert moving.info["duration"] * moving.n_frames in (1000, 875)  # fewer frames stand longer


def test_a_still_scene_is_one_picture() -> None:
    clip = clip_of(np.repeat(picture(3, 96, 96)[None], 8, axis=0))
    assert opened(clip.moving, "webp").size == (96, 96)
