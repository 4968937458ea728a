"""Crop, mirror, normalise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cfvideo.data.transforms import MEAN, STD, eval_clip, normalised, statistics_of, train_clip


def frames(num_frames: int = 3, height: int = 10, width: int = 12) -> NDArray[np.uint8]:
    """Every pixel of a frame is different in red; green holds the frame number."""
    made = np.zeros((num_frames, height, width, 3), np.uint8)
    made[..., 0] = np.arange(height * width).reshape(height, width)
    made[..., 1] = np.arange(num_frames)[:, None, None]
    return made


def restored(clip: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels = (clip.transpose(1, 2, 3, 0) * STD + MEAN) * 255
    return np.rint(levels).astype(np.uint8)


@pytest.mark.parametrize("view", [{}, {"mean": [0.45, 0.4, 0.35], "std": [0.225, 0.3, 0.2]}])
def test_normalised_as_torch_would(view: dict[str, list[float]]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    clip = normalised(levels, statistics_of({"num_frames": 2, **view}))
    mean, std = (torch.tensor(view.get(name, default), dtype=torch.float64)[:, None, None, None]
                 for name, default in (("mean", MEAN), ("std", STD)))
    expected = (torch.from_numpy(levels).permute(3, 0, 1, 2).double() / 255 - mean) / std
    assert clip.dtype == np.float32
    assert clip.shape == (3, 2, 16, 16)
    np.testing.assert_allclose(clip, expected.numpy(), atol=2e-6)


@pytest.mark.parametrize(("size", "crop_px", "top", "left"), [
    ((10, 12), 6, 2, 3), ((10, 12), 10, 0, 1), ((10, 10), 10, 0, 0),
    ((11, 13), 8, 2, 2),  # 1.5 and 2.5 both round to 2, as in torchvision's CenterCrop
    ((9, 12), 4, 2, 4)])
def test_central_crop(size: tuple[int, int], crop_px: int, top: int, left: int) -> None:
    whole = frames(2, *size)
    clip = restored(eval_clip(whole, crop_px=crop_px))
    np.testing.assert_array_equal(clip, whole[:, top:top + crop_px, left:left + crop_px])


def test_random_crops_are_crops_and_every_one_comes_up() -> None:
    whole, places = frames(), set()
    for seed in range(300):
        clip = restored(train_clip(whole, crop_px=8, flip=True, rng=np.random.default_rng(seed)))
        mirrored = bool(clip[0, 0, 0, 0] > clip[0, 0, 1, 0])
        upright = clip[:, :, ::-1] if mirrored else clip
        top, left = divmod(int(upright[0, 0, 0, 0]), 12)
        np.testing.assert_array_equal(upright, whole[:, top:top + 8, left:left + 8])  # one crop for all frames
        places.add((top, left, mirrored))
    assert places == {(top, left, mirrored) for top in range(3) for left in range(5) for mirrored in (False, True)}


def test_no_mirroring_where_left_and_right_are_classes() -> None:
    for seed in range(30):
        clip = restored(train_clip(frames(), crop_px=8, flip=False, rng=np.random.default_rng(seed)))
        assert clip[0, 0, 0, 0] < clip[0, 0, 1, 0]


def test_the_same_generator_gives_the_same_clip() -> None:
    one, two, other = (train_clip(frames(), crop_px=4, flip=True, rng=np.random.default_rng(seed))
                       for seed in (1, 1, 2))
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != other.tobytes()


def test_a_crop_larger_than_the_frame_says_which_keys() -> None:
    with pytest.raises(ValueError, match="CLIP.CROP_PX must not exceed CLIP.SHORT_EDGE_PX"):
        eval_clip(frames(), crop_px=11)
