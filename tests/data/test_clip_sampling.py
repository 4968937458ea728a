"""Clip sampling by hand-written tables."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from cfvideo.data.clip_sampling import (
    clip_indices,
    clip_span,
    random_clip,
    random_start,
    uniform_clips,
    uniform_starts,
)


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


# --- beside the samplers of other libraries: where ours differs, and why ------------------------------------------

def test_all_frames_of_a_video_at_once() -> None:
    assert uniform_clips(12, num_frames=3, stride=2, num_clips=2) == [0, 2, 4, 7, 9, 11]
    rng = np.random.default_rng(0)
    clips = [random_clip(7, num_frames=3, stride=2, rng=rng) for _ in range(50)]
    assert {tuple(clip) for clip in clips} == {(0, 2, 4), (1, 3, 5), (2, 4, 6)}
    assert random_clip(2, num_frames=3, stride=2, rng=rng) == [0, 1, 1]


def test_pytorchvideos_uniform_clips_never_reach_the_end() -> None:
    """Its clip i starts at i / n of the way to the last start, ours at i / (n - 1): the tail of a video is unseen."""
    sampling = pytest.importorskip("pytorchvideo.data.clip_sampling")
    num_video_frames, rate, num_clips, span = 300, 30, 6, 32
    theirs = []
    sampler = sampling.ConstantClipsPerVideoSampler(clip_duration=Fraction(span, rate), clips_per_video=num_clips,
                                                    augs_per_clip=1)
    for _ in range(num_clips):
        clip = sampler(None, Fraction(num_video_frames, rate), {})
        theirs.append((int(clip.clip_start_sec * rate), int(clip.clip_end_sec * rate)))
    assert clip.is_last_clip
    assert [start for start, _ in theirs] == [0, 44, 89, 134, 178, 223]
    assert theirs[-1][1] == 255  # the last 45 frames, 1.5 of 10 seconds
    ours = uniform_starts(num_video_frames, span, num_clips)
    assert (ours[0], ours[-1] + span) == (0, num_video_frames)


class NumberedFrames:
    """As much of torchcodec's decoder as its samplers ask for; a frame is its own number."""

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames

    def __len__(self) -> int:
        return self.num_frames

    def get_frames_at(self, indices: list[int]) -> object:
        from torchcodec import FrameBatch

        numbers = torch.tensor([int(index) for index in indices])
        return FrameBatch(data=numbers[:, None, None, None], pts_seconds=numbers.double(),
                          duration_seconds=torch.ones(len(numbers)))


@pytest.mark.parametrize(("num_video_frames", "num_frames", "stride", "num_clips"), [
    (300, 32, 1, 6), (300, 8, 4, 10), (60, 32, 1, 6), (33, 32, 1, 6), (32, 32, 1, 6), (31, 32, 1, 6), (8, 32, 1, 2),
    (1, 32, 1, 3), (97, 8, 2, 7)])
def test_torchcodecs_regular_clips_are_ours_but_for_the_rounding(num_video_frames: int, num_frames: int, stride: int,
                                                                 num_clips: int) -> None:
    """Both cover the first and the last frame and repeat the last frame of short videos. It cuts starts off where we
    round, so that its clips lie up to one frame earlier."""
    sampling = pytest.importorskip("torchcodec.samplers")
    theirs = sampling.clips_at_regular_indices(
        NumberedFrames(num_video_frames), num_clips=num_clips, num_frames_per_clip=num_frames,
        num_indices_between_frames=stride).data.reshape(num_clips, num_frames).numpy()
    ours = np.reshape(uniform_clips(num_video_frames, num_frames=num_frames, stride=stride, num_clips=num_clips),
                      (num_clips, num_frames))
    assert (theirs[0] == ours[0]).all()
    assert (theirs[-1] == ours[-1]).all()
    late = ours - theirs
    assert ((late >= 0) & (late <= 1)).all()


def test_one_clip_is_ours_in_the_middle_and_torchcodecs_at_the_start() -> None:
    sampling = pytest.importorskip("torchcodec.samplers")
    theirs = sampling.clips_at_regular_indices(NumberedFrames(300), num_clips=1, num_frames_per_clip=32).data.flatten()
    assert int(theirs[0]) == 0
    assert uniform_starts(300, 32, 1) == [134]
