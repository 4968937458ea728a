"""What one row asks of a decoder, and doing it. Free of torch, so that worker processes start fast and stay small.

T frames, n views. A job holds all that its answer depends on, as plain values that travel as JSON: the same job gives
the same bytes in a thread, in any worker process, and on a second attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cfvideo.core.media import Media, MediaPart
from cfvideo.core.picture_views import Resize, Window, eval_window, fixed_height, short_edge, train_window
from cfvideo.data.clip_sampling import random_clip, uniform_clips
from cfvideo.data.decode import Choose, Decoded, decode_frames
from cfvideo.data.health import examine
from cfvideo.data.pixels import Crop, Frames


@dataclass(frozen=True)
class Job:
    """One row, opened once.

    row, name: how errors name it. path: the file or folder, absolute; offset, length: the part of it (-1: all).
    kind: train, eval, thumbnail, preview or examine. options: what the kind needs; plain JSON values.
    packets: folder of packet indexes; empty for none.
    """

    row: int
    name: str
    path: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    offset: int = 0
    length: int = -1
    decoder: str = "auto"
    max_pixels: int = 16_777_216
    packets: str = ""


class Answer(NamedTuple):
    """frames: uint8 [T, H, W, 3], none for examinations. facts: what an examination found; else what decoded them."""

    frames: Frames
    facts: Mapping[str, Any]


def do(job: Job) -> Answer:
    """Decode. Raises DecodeError for whatever is wrong with the file."""
    return _KINDS[job.kind](job)


def _media(job: Job) -> Media:
    path = Path(job.path)
    return path if job.length < 0 else MediaPart(path, job.offset, job.length)


def _read(job: Job, choose: Choose, resize: Resize, crop: Crop | None = None) -> Decoded:
    return decode_frames(_media(job), choose=choose, resize=resize, max_pixels=job.max_pixels, row=job.row,
                         name=job.name, decoder=job.decoder, crop=crop,
                         packets=Path(job.packets) if job.packets else None, keep=_comes_again(job))


def _comes_again(job: Job) -> bool:
    """Whether a row is read often enough for an index of its packets, which takes 3 to 5 later visits to pay off.

    Making one took 6 to 10 ms for 10 s of 340 x 256 (20 to 30 ms for 120 s of 640 x 360) and saves 2 to 3 (7 to 12) on
    each later visit, 2026-11-25. Extraction reads a row once, and so does the first epoch, which may be the only one.
    """
    return job.kind == "train" and job.options["epoch"] > 0


def chooser(job: Job) -> tuple[Choose, np.random.Generator | None]:
    """Which frames a train or eval job reads, and for train jobs the generator that goes on to draw the crop."""
    view = job.options
    num_frames, stride = view["num_frames"], view["frame_stride"]
    if job.kind == "eval":
        return partial(uniform_clips, num_frames=num_frames, stride=stride, num_clips=view["num_views"]), None
    rng = np.random.default_rng([view["seed"], view["epoch"], job.row, 0])
    return partial(random_clip, num_frames=num_frames, stride=stride, rng=rng), rng


def _clips(job: Job) -> Answer:
    """train: a random clip, crop and mirroring, drawn from (seed, epoch, row) alone. eval: the central crop of n
    uniform clips, one after the other: n * T frames."""
    view, (choose, rng) = job.options, chooser(job)
    window: list[Window] = []

    def crop(height: int, width: int) -> tuple[int, int, int]:
        window.append(eval_window(height, width, crop_px=view["crop_px"]) if rng is None else
                      train_window(height, width, crop_px=view["crop_px"], flip=view["flip"], rng=rng))
        return window[0].top, window[0].left, view["crop_px"]

    frames, decoder = _read(job, choose, short_edge(view["short_edge_px"]), crop)
    return Answer(frames[:, :, ::-1] if window[0].mirrored else frames, {"decoder": decoder})


def _thumbnail(job: Job) -> Answer:
    """The middle frame."""
    decoded = _read(job, lambda num_frames: [num_frames // 2], fixed_height(job.options["height_px"]))
    return Answer(decoded.frames, {"decoder": decoded.decoder})


def _preview(job: Job) -> Answer:
    """Evenly spaced frames of the middle clip."""
    view = job.options
    shown = min(view["num_shown"], view["num_frames"])

    def choose(num_frames: int) -> list[int]:
        clip = uniform_clips(num_frames, num_frames=view["num_frames"], stride=view["frame_stride"], num_clips=1)
        return [clip[round(place * (len(clip) - 1) / max(1, shown - 1))] for place in range(shown)]

    decoded = _read(job, choose, fixed_height(view["height_px"]))
    return Answer(decoded.frames, {"decoder": decoded.decoder})


def _examine(job: Job) -> Answer:
    facts = examine(_media(job), num_decoded=job.options["num_decoded"], max_pixels=job.max_pixels, row=job.row,
                    name=job.name)
    return Answer(np.zeros((0, 0, 0, 3), np.uint8), facts)


_KINDS: dict[str, Callable[[Job], Answer]] = {"train": _clips, "eval": _clips, "thumbnail": _thumbnail,
                                              "preview": _preview, "examine": _examine}
