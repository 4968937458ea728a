"""Which frames a clip is made of: pure arithmetic on frame numbers, no files, no random state.

T frames per clip, n clips. A clip spans `clip_span(T, stride)` frames of the video, half-open [start, start + span).

A video shorter than the clip starts at frame 0 and repeats its last frame, as torchcodec's samplers do: every row
keeps a clip, and the repeated frames show no motion that the video does not have.

Beside other libraries (tests/data/test_clip_sampling.py holds each line):
- PyTorchVideo's ConstantClipsPerVideoSampler starts clip i at i / n of the way to the last start: of 10 s in 6 clips
  of 32 frames at 30 Hz the last 1.5 s are never seen. Ours goes by i / (n - 1) and covers the first and last frame. It
  also counts in seconds, which give other frames under other decoders; ours counts frames.
- torchcodec's clips_at_regular_indices covers both ends too, but cuts starts off where we round to the nearest frame
  (its clips lie up to one frame earlier), and puts a single clip at the start where ours lies in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def clip_span(num_frames: int, stride: int) -> int:
    """Frames of the video from the first to the last frame of a clip, both counted."""
    if num_frames < 1 or stride < 1:
        raise ValueError(f"a clip has at least one frame and a stride of at least 1, got {num_frames} and {stride}")
    return (num_frames - 1) * stride + 1


def _last_start(num_video_frames: int, span: int) -> int:
    if num_video_frames < 1:
        raise ValueError("a video without frames has no clips")
    return max(0, num_video_frames - span)


def uniform_starts(num_video_frames: int, span: int, num_clips: int) -> list[int]:
    """First frames of n clips spread evenly, the first at frame 0 and the last ending with the video.

    start_i = round(i * (num_video_frames - span) / (n - 1)), halves to the even number; a single clip is centred.
    """
    if num_clips < 1:
        raise ValueError(f"at least one clip, got {num_clips}")
    last = _last_start(num_video_frames, span)
    if num_clips == 1:
        return [last // 2]
    return [round(i * last / (num_clips - 1)) for i in range(num_clips)]


def random_start(num_video_frames: int, span: int, rng: np.random.Generator) -> int:
    """First frame of a clip, evenly from all places where the clip fits; 0 where it never does."""
    return int(rng.integers(_last_start(num_video_frames, span) + 1))


def random_clip(num_video_frames: int, *, num_frames: int, stride: int, rng: np.random.Generator) -> list[int]:
    """The frame numbers of one clip from `random_start` on."""
    start = random_start(num_video_frames, clip_span(num_frames, stride), rng)
    return clip_indices(start, num_frames, stride, num_video_frames)


def uniform_clips(num_video_frames: int, *, num_frames: int, stride: int, num_clips: int) -> list[int]:
    """The frame numbers of all clips from `uniform_starts` on, one clip after the other: n * T of them."""
    starts = uniform_starts(num_video_frames, clip_span(num_frames, stride), num_clips)
    return [i for start in starts for i in clip_indices(start, num_frames, stride, num_video_frames)]


def clip_indices(start: int, num_frames: int, stride: int, num_video_frames: int) -> list[int]:
    """The T frame numbers of one clip; those past the end are the video's last frame."""
    if not 0 <= start < num_video_frames:
        raise ValueError(f"start {start} lies outside a video of {num_video_frames} frames")
    return [min(start + i * stride, num_video_frames - 1) for i in range(num_frames)]
