"""The ways to get clips out of a video that are compared, each as its users write it, on one thread.

All give finished uint8 RGB of 112 x 112, scaled to a short edge of 128 and cropped in the middle, but PyTorchVideo,
whose transforms give float32. F frames wanted, their numbers ascending.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cfvideo.core.picture_views import eval_window, short_edge
from cfvideo.data.clip_sampling import clip_indices, uniform_starts
from cfvideo.data.decode import read_frames
from cfvideo.data.video_reader import reading

CLIP_FRAMES = 32
SHORT_EDGE_PX, CROP_PX = 128, 112
MAX_PIXELS = 1 << 24


@dataclass(frozen=True)
class Task:
    """Clips of one video. starts: first frame of each clip. packets: folder of stored packet indexes."""

    path: Path
    starts: Sequence[int]
    num_video_frames: int
    packets: Path
    frames_per_second: int = 30

    @property
    def numbers(self) -> list[int]:
        return [i for start in self.starts for i in clip_indices(start, CLIP_FRAMES, 1, self.num_video_frames)]


Method = Callable[[Task], object]


def extraction_starts(num_video_frames: int) -> list[int]:
    """First frames of the six clips that features are extracted from."""
    return uniform_starts(num_video_frames, CLIP_FRAMES, 6)


def ours(task: Task) -> object:
    return read_frames(task.path, choose=lambda _: task.numbers, resize=short_edge(SHORT_EDGE_PX),
                       crop=_central, max_pixels=MAX_PIXELS, packets=task.packets)


def _central(height: int, width: int) -> tuple[int, int, int]:
    top, left, _ = eval_window(height, width, crop_px=CROP_PX)
    return top, left, CROP_PX


def floor(task: Task) -> object:
    """The needed frames decoded with the same plan, and nothing done with them."""
    with reading(task.path, max_pixels=MAX_PIXELS, packets=task.packets) as video:
        video.decode(set(task.numbers), lambda number, frame: None)
    return None


def decord_scaled(task: Task) -> object:
    """decord at its best: scaled while decoding, one call."""
    import decord

    width, height = short_edge(SHORT_EDGE_PX)(*_size_of(task.path))
    reader = decord.VideoReader(os.fspath(task.path), width=width, height=height, num_threads=1)
    frames = reader.get_batch(task.numbers).asnumpy()
    top, left = round((height - CROP_PX) / 2), round((width - CROP_PX) / 2)
    return np.ascontiguousarray(frames[:, top:top + CROP_PX, left:left + CROP_PX])


def decord_full(task: Task) -> object:
    """decord as most people use it: full-size frames, then torchvision."""
    import decord

    reader = decord.VideoReader(os.fspath(task.path), num_threads=1)
    return _resized(torch.from_numpy(reader.get_batch(task.numbers).asnumpy()).permute(0, 3, 1, 2))


def torchcodec_exact(task: Task) -> object:
    """torchcodec at its best: exact seeking, full-size frames, then torchvision."""
    decoders = importlib.import_module("torchcodec.decoders")
    decoder = decoders.VideoDecoder(os.fspath(task.path), seek_mode="exact", num_ffmpeg_threads=1)
    return _resized(decoder.get_frames_at(indices=task.numbers).data)


def _resized(frames: torch.Tensor) -> torch.Tensor:
    from torchvision.transforms import v2

    small: torch.Tensor = v2.functional.resize(frames, [SHORT_EDGE_PX], antialias=True)
    cropped: torch.Tensor = v2.functional.center_crop(small, [CROP_PX, CROP_PX]).contiguous()
    return cropped


def pytorchvideo(task: Task) -> object:
    """EncodedVideo, one get_clip per clip, then its transforms."""
    _let_pytorchvideo_import()
    from pytorchvideo.data.encoded_video import EncodedVideo
    from pytorchvideo.transforms import ShortSideScale, UniformTemporalSubsample
    from torchvision.transforms import CenterCrop, Compose

    transform = Compose([UniformTemporalSubsample(CLIP_FRAMES), ShortSideScale(SHORT_EDGE_PX), CenterCrop(CROP_PX)])
    video = EncodedVideo.from_path(os.fspath(task.path), decode_audio=False)
    try:
        spans = [(start / task.frames_per_second, (start + CLIP_FRAMES) / task.frames_per_second)
                 for start in task.starts]
        return [transform(video.get_clip(*span)["video"]) for span in spans]
    finally:
        video.close()


def _let_pytorchvideo_import() -> None:
    """PyTorchVideo 0.1.5 imports a module of torchvision that has gone; what it needs of it lives on elsewhere."""
    from torchvision.transforms import functional

    sys.modules.setdefault("torchvision.transforms.functional_tensor", functional)


def _size_of(path: Path) -> tuple[int, int]:
    """A user knows the size of the files they prepared; it is looked up once, outside of what is timed."""
    if path not in _sizes:
        from cfvideo.data.decode import probe

        info = probe(path)
        _sizes[path] = (info.width, info.height)
    return _sizes[path]


_sizes: dict[Path, tuple[int, int]] = {}
# Name in the JSON keys -> method.
RIVALS: dict[str, Method] = {"decord_scaled": decord_scaled, "decord": decord_full, "pytorchvideo": pytorchvideo,
                             "torchcodec": torchcodec_exact}
METHODS: dict[str, Method] = {"ours": ours, "floor": floor, **RIVALS}
PACKAGES = {"decord_scaled": "decord", "decord": "decord", "pytorchvideo": "pytorchvideo", "torchcodec": "torchcodec"}


def why_not(method: str, task: Task) -> str | None:
    """Try a method once. Returns what keeps it from running here, or None."""
    try:
        METHODS[method](task)
    except ImportError as error:
        return f"{PACKAGES.get(method, method)} cannot be imported: {_first_line(error)}"
    except (OSError, RuntimeError, ValueError, AttributeError) as error:  # torchcodec without FFmpeg: RuntimeError
        return f"{type(error).__name__}: {_first_line(error)}"
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]
