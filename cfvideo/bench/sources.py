"""The videos that decoding is measured on, encoded on the spot.

Photographs under a moving camera with sensor noise and cuts, a sprite in motion: H.264 with x264's defaults, near the
450 kbit/s that Kinetics copies of this size have. K250 and K12: 340 x 256, a key frame every 250 or 12 frames; S: 640 x
360, long. Their bit rates, and with them every ratio, depend on the content: ratios are for files like these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 30
_SHOT_FRAMES = 150
_SPRITE = np.array([200, 60, 30], np.float32)


@dataclass(frozen=True)
class Source:
    """One video. group: which of the kinds it stands for. repeats: how often the same packets follow one another."""

    name: str
    group: str
    size: tuple[int, int]
    num_frames: int
    gop: int
    crf: float
    seed: int
    repeats: int = 1

    @property
    def file_name(self) -> str:
        """Tells all fields apart, so that a kept file is never taken for another."""
        width, height = self.size
        return f"{self.name}_{width}x{height}_{self.num_frames}x{self.repeats}_{self.gop}_{self.crf}.mp4"


SOURCES = (
    Source("k250_0", "K250", (340, 256), 300, 250, 19.5, 0),
    Source("k250_1", "K250", (340, 256), 300, 250, 19.5, 1),
    Source("k12_0", "K12", (340, 256), 300, 12, 23.0, 2),
    Source("k12_1", "K12", (340, 256), 300, 12, 23.0, 3),
    Source("s_0", "S", (640, 360), 300, 250, 24.0, 4, repeats=6),
)


def shortened(source: Source, num_frames: int) -> Source:
    """The same kind of video, small, for trying the measurement itself."""
    return replace(source, num_frames=num_frames, size=(source.size[0] // 4 * 2, source.size[1] // 4 * 2), repeats=1)


def make(source: Source, folder: Path) -> Path:
    """Encode a source, unless it lies there already.

    Raises DataError where the photographs cannot be had.
    """
    path = folder / source.file_name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.mp4")
        _encode(source, temporary)
        temporary.replace(path)
    return path


def _encode(source: Source, path: Path) -> None:
    import av

    with av.open(os.fspath(path), "w") as container:
        options = {"g": str(source.gop), "crf": str(source.crf), "threads": "1"}
        stream: Any = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
        (stream.width, stream.height), stream.pix_fmt = source.size, "yuv420p"
        packets = []
        for picture in pictures(source):
            packets += stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24"))
        packets += stream.encode()
        for repeat in range(source.repeats):
            for packet in packets:
                container.mux(_later(packet, repeat * source.num_frames, stream))


def _later(packet: Any, num_frames: int, stream: Any) -> Any:
    """A copy of an encoder's packet that many frames later."""
    import av

    copy: Any = av.Packet(bytes(packet))
    ticks = int(num_frames / (FRAMES_PER_SECOND * packet.time_base))
    copy.pts, copy.dts, copy.time_base = packet.pts + ticks, packet.dts + ticks, packet.time_base
    copy.is_keyframe, copy.stream = packet.is_keyframe, stream
    return copy


def pictures(source: Source) -> Iterator[NDArray[np.uint8]]:
    """num_frames of uint8 [H, W, 3]."""
    from PIL import Image

    from cfvideo.demo_data.pictures import load_pictures

    rng, photos, (width, height) = np.random.default_rng([source.seed]), load_pictures().photos, source.size
    for start in range(0, source.num_frames, _SHOT_FRAMES):
        photo = Image.fromarray(photos[(start // _SHOT_FRAMES + source.seed) % len(photos)])
        photo = photo.resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
        path = rng.uniform((0, 0), (0.35, 0.35)), rng.uniform((0.4, 0.4), (0.6, 0.6))
        noise = rng.normal(0, 1.5, (height + 64, width + 64, 3)).astype(np.float32)
        for i in range(start, min(start + _SHOT_FRAMES, source.num_frames)):
            yield _picture(photo, path, noise, (i - start) / _SHOT_FRAMES, i, rng)


def _picture(photo: Any, path: tuple[Any, Any], noise: NDArray[np.float32], time: float, frame: int,
             rng: np.random.Generator) -> NDArray[np.uint8]:
    """time: how far through the shot, [0, 1)."""
    height, width = noise.shape[0] - 64, noise.shape[1] - 64
    zoom = 1.0 + 0.2 * np.sin(2 * np.pi * time)
    x, y = (path[0] * (1 - time) + path[1] * time) * (width, height) * 0.8 + rng.normal(0, 0.4, 2) + 2
    view = photo.resize((width, height), box=(x, y, min(x + width * zoom, 2 * width), min(y + height * zoom,
                                                                                          2 * height)))
    down, across = rng.integers(0, 64, 2)
    picture = np.asarray(view, np.float32) + noise[down:down + height, across:across + width]
    side = height // 5
    top, left = (int((wave + 1) / 2 * (room - side)) for wave, room in ((np.cos(frame / 11), height),
                                                                       (np.sin(frame / 17), width)))
    picture[top:top + side, left:left + side] = 0.3 * picture[top:top + side, left:left + side] + 0.7 * _SPRITE
    levels: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return levels
