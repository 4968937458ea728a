"""Clip sampling by hand-written tables."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.data.clip_sampling import clip_indices, clip_span, random_start, uniform_starts


@pytest.mark.parametrize(("num_frames", "stride", "span"), [(1, 1, 1), (8, 1, 8), (32, 1, 32), (8, 4, 29), (2, 64, 65)])
def test_span(num_frames: int, stride: int, span: int) -> None:
    assert clip_span(num_frames, stride) == span


@pytest.mark.parametrize(("num_video_frames", "span", "num_clips", "starts"), [
    (300, 32, 6, [0, 54, 107, 161, 214, 268]),
    (300, 32, 10, [0, 30, 60, 89, 119, 149, 179, 208, 238, 268]),
    (300, 32, 1, [134]),
    (33, 32, 6, [0, 0, 0, 1, 1, 1]),
    (24, 8, 3, [0, 8, 16]),
    (9, 8, 2, [0, 1]),
    (11, 8, 3, [0, 2, 3]),  # 1.5 rounds to the even number
    (32, 32, 6, [0] * 6),
    (31, 32, 6, [0] * 6),
    (8, 32, 10, [0] * 10),
    (1, 32, 1, [0]),
    (1, 1, 2, [0, 0]),
])
def test_uniform_starts(num_video_frames: int, span: int, num_clips: int, starts: list[int]) -> None:
    assert uniform_starts(num_video_frames, span, num_clips) == starts


@pytest.mark.parametrize("num_video_frames", [1, 8, 31, 32, 33, 100, 1_000_003])
@pytest.mark.parametrize("num_clips", [2, 6, 10])
def test_uniform_clips_reach_both_ends_and_stay_inside(num_video_frames: int, num_clips: int) -> None:
    starts = uniform_starts(num_video_frames, 32, num_clips)
    clips = [clip_indices(start, 32, 1, num_video_frames) for start in starts]
    assert starts == sorted(starts)
    assert clips[0][0] == 0
    assert clips[-1][-1] == num_video_frames - 1
    assert all(0 <= i < num_video_frames for clip in clips for i in clip)


@pytest.mark.parametrize(("start", "num_frames", "stride", "num_video_frames", "indices"), [
    (0, 4, 1, 10, [0, 1, 2, 3]),
    (6, 4, 1, 10, [6, 7, 8, 9]),
    (2, 4, 3, 12, [2, 5, 8, 11]),
    (0, 4, 1, 1, [0, 0, 0, 0]),
    (0, 4, 1, 3, [0, 1, 2, 2]),
    (0, 4, 2, 4, [0, 2, 3, 3]),
])
def test_short_videos_repeat_the_last_frame(start: int, num_frames: int, stride: int, num_video_frames: int,
                                            indices: list[int]) -> None:
    assert clip_indices(start, num_frames, stride, num_video_frames) == indices


def test_random_starts_cover_every_place_and_no_other() -> None:
    rng = np.random.default_rng(0)
    drawn = {random_start(35, 32, rng) for _ in range(200)}
    assert drawn == {0, 1, 2, 3}
    assert {random_start(num, 32, rng) for num in (1, 8, 31, 32) for _ in range(5)} == {0}


@pytest.mark.parametrize("call", [
    lambda: clip_span(0, 1), lambda: clip_span(8, 0), lambda: uniform_starts(0, 8, 1), lambda: uniform_starts(8, 8, 0),
    lambda: clip_indices(8, 4, 1, 8), lambda: clip_indices(-1, 4, 1, 8),
    lambda: random_start(0, 4, np.random.default_rng(0))])
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"clip|start|frames"):
        call()  # type: ignore[operator]
