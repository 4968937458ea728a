"""Real encoded videos, made on the spot, in which every picture carries its own frame number.

The number is drawn as a 4 x 4 board of black and white fields that fills the picture (16 bits, most significant bit
first, row by row), so that it survives lossy codecs, scaling and odd sizes and can be read back from any decoder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BOARD = 4
Picture = NDArray[np.uint8]


def board(number: int, width: int, height: int) -> Picture:
    """uint8 [H, W, 3]: the picture of a frame number in [0, 65536)."""
    bits = np.array([number >> bit & 1 for bit in reversed(range(BOARD * BOARD))]).reshape(BOARD, BOARD)
    rows, columns = (np.arange(size) * BOARD // size for size in (height, width))
    return np.repeat((40 + 170 * bits[rows][:, columns, None]).astype(np.uint8), 3, axis=2)


def number_of(picture: Picture) -> int:
    """The frame number that a decoded picture [H, W, 3] carries."""
    height, width = picture.shape[:2]
    number = 0
    for row in range(BOARD):
        for column in range(BOARD):
            y, x = (2 * row + 1) * height // (2 * BOARD), (2 * column + 1) * width // (2 * BOARD)
            number = number << 1 | int(picture[y, x].mean() > 125)
    return number


def numbers_of(pictures: Picture) -> list[int]:
    """Frame numbers of [T, H, W, 3]."""
    return [number_of(picture) for picture in pictures]


@dataclass(frozen=True)
class Recipe:
    """How a video is encoded. times: presentation time of each frame in milliseconds, for variable frame rates."""

    num_frames: int = 48
    size: tuple[int, int] = (64, 48)
    extension: str = "mp4"
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    gop: int = 12
    b_frames: int = 2
    codec_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    times_ms: Callable[[int], int] | None = None
    first_number: int = 0
    matrix: tuple[int, ...] | None = None
    sound: bool = False


def _irregular(frame: int) -> int:
    """Variable frame rate: 25 pictures a second, then 5, with holes."""
    return 40 * frame + (160 * (frame - 20) if frame > 20 else 0) + 400 * (frame // 7)


_X264 = {"preset": "veryfast"}
_OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:b-pyramid=2"}
RECIPES: dict[str, Recipe] = {
    "gop12": Recipe(codec_options=_X264),
    "gop250": Recipe(gop=250, b_frames=3, codec_options=_X264),
    "pyramid": Recipe(gop=250, codec_options={"x264-params": "bframes=8:b-pyramid=2:b-adapt=0:ref=4"}),
    "open_gop": Recipe(codec_options=_OPEN_GOP),
    "baseline": Recipe(b_frames=0, codec_options={"profile": "baseline"}),
    "interlaced": Recipe(codec_options={"x264-params": "tff=1"}),
    "intra_refresh": Recipe(b_frames=0, codec_options={"x264-params": "intra-refresh=1:keyint=12"}),
    "mkv": Recipe(extension="mkv"),
    "mkv_open_gop": Recipe(extension="mkv", codec_options=_OPEN_GOP),
    "vfr_mkv": Recipe(extension="mkv", times_ms=_irregular),
    "vfr_mp4": Recipe(times_ms=_irregular),
    "mov": Recipe(extension="mov"),
    "fragmented": Recipe(container_options={"movflags": "frag_keyframe+empty_moov"}),
    "late_start": Recipe(times_ms=lambda frame: 1500 + 40 * frame),
    "sound": Recipe(sound=True),
    "ts": Recipe(extension="ts"),
    "ts_open_gop": Recipe(extension="ts", codec_options=_OPEN_GOP),
    "avi_mpeg4": Recipe(extension="avi", codec="mpeg4"),
    "avi_h264": Recipe(extension="avi"),
    "avi_mjpeg": Recipe(extension="avi", codec="mjpeg", pixel_format="yuvj420p"),
    "mp4_mpeg4": Recipe(codec="mpeg4"),
    "mpeg_ps": Recipe(extension="mpg", codec="mpeg2video"),
    "flv": Recipe(extension="flv"),
    "asf": Recipe(extension="wmv", codec="mpeg4"),
    "hevc": Recipe(codec="libx265", codec_options={"preset": "ultrafast", "x265-params": "log-level=none:bframes=3"}),
    "hevc_open_gop": Recipe(codec="libx265", codec_options={
        "x265-params": "log-level=none:open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0"}),
    "ten_bit": Recipe(codec="libx265", pixel_format="yuv420p10le",
                      codec_options={"preset": "ultrafast", "x265-params": "log-level=none"}),
    "h264_444": Recipe(pixel_format="yuv444p"),
    "vp9": Recipe(extension="webm", codec="libvpx-vp9", codec_options={"deadline": "realtime", "cpu-used": "8"}),
    "vp9_altref": Recipe(extension="webm", codec="libvpx-vp9",
                         codec_options={"cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "vp8_altref": Recipe(extension="webm", codec="libvpx",
                         codec_options={"cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "av1": Recipe(extension="mkv", codec="libsvtav1",
                  codec_options={"preset": "8", "crf": "10", "svtav1-params": "enable-tf=0:lp=1"}),
    "odd_size": Recipe(size=(85, 63), extension="webm", codec="libvpx-vp9",
                       codec_options={"deadline": "realtime", "cpu-used": "8"}),
    "frames_1": Recipe(num_frames=1),
    "frames_8": Recipe(num_frames=8),
    "frames_31": Recipe(num_frames=31),
}


def write_video(path: Path, recipe: Recipe) -> Path:
    """Encode a video whose frame i shows board(first_number + i)."""
    with av.open(os.fspath(path), "w", options=dict(recipe.container_options)) as container:
        options = {"g": str(recipe.gop), "bf": str(recipe.b_frames), "sc_threshold": "0", **recipe.codec_options}
        if not recipe.codec.startswith(("libx26", "mpeg")):
            options = dict(recipe.codec_options)
        stream: Any = container.add_stream(recipe.codec, rate=25, options=options)
        stream.width, stream.height = recipe.size
        stream.pix_fmt = recipe.pixel_format
        stream.codec_context.thread_count = 1
        if recipe.times_ms is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if recipe.matrix is not None:
            stream.set_display_matrix(list(recipe.matrix))
        sound: Any = container.add_stream("aac", rate=8000) if recipe.sound else None
        for i in range(recipe.num_frames):
            frame = av.VideoFrame.from_ndarray(board(recipe.first_number + i, *recipe.size), "rgb24")
            if recipe.times_ms is not None:
                frame.pts, frame.time_base = recipe.times_ms(i), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            _write_silence(container, sound)
    return path


def _write_silence(container: Any, stream: Any) -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
    frame.sample_rate = 8000
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_kind(folder: Path, kind: str, **changes: Any) -> Path:
    """Encode one of RECIPES, changed in some fields, as folder/kind.extension."""
    recipe = replace(RECIPES[kind], **changes)
    return write_video(folder / f"{kind}.{recipe.extension}", recipe)


def write_audio_only(path: Path) -> Path:
    """A file with sound and no picture."""
    with av.open(os.fspath(path), "w") as container:
        _write_silence(container, container.add_stream("aac", rate=8000))
    return path


def remux(source: Path, path: Path, *, options: Mapping[str, str] | None = None, skip_until_ms: int | None = None
          ) -> Path:
    """Copy the packets of a video into another container without decoding.

    skip_until_ms: start the presentation here, in the middle of a group of pictures, through an edit list (mp4).
    """
    with av.open(os.fspath(source)) as old, av.open(os.fspath(path), "w", options=dict(options or {})) as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        for packet in old.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            if skip_until_ms is not None:
                shift = int(Fraction(skip_until_ms, 1000) / stream.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copy
            new.mux(packet)
    return path


def cut(source: Path, path: Path, share: float) -> Path:
    """The first part of a file, as a broken download leaves it."""
    data = source.read_bytes()
    path.write_bytes(data[:int(len(data) * share)])
    return path


def overstated(source: Path, path: Path, num_frames: int) -> Path:
    """A copy whose header states another number of frames: mp4 (stts) with a constant rate, or AVI (avih and strh)."""
    data = bytearray(source.read_bytes())
    places = [data.index(b"stts") + 12] if source.suffix == ".mp4" else [data.index(b"avih") + 24,
                                                                        data.index(b"strh") + 40]
    for place in places:
        data[place:place + 4] = num_frames.to_bytes(4, "big" if source.suffix == ".mp4" else "little")
    path.write_bytes(data)
    return path


def damaged(source: Path, path: Path, *, start: float, stop: float) -> Path:
    """A file with a part of its bytes zeroed."""
    data = bytearray(source.read_bytes())
    begin, end = int(len(data) * start), int(len(data) * stop)
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    return path


def write_frames(path: Path, pictures: Sequence[Any], *, size: tuple[int, int] | None = None, codec: str = "libx264",
                 pixel_format: str = "yuv444p", options: Mapping[str, str] | None = None, colorspace: int | None = None,
                 color_range: int | None = None) -> Path:
    """Encode given pictures.

    pictures: RGB [H, W, 3] for 4:2:0 formats; for yuv444p [H, W, 3] of Y, U, V stored as they are; with `size`, one
        (Y, U, V) colour per picture, in any planar format; or frames of that format, with `size`.
    colorspace, color_range: tags written into the stream, as FFmpeg numbers them.
    """
    with av.open(os.fspath(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=dict(options or {}))
        stream.width, stream.height = size or pictures[0].shape[1::-1]
        stream.pix_fmt, stream.codec_context.thread_count = pixel_format, 1
        for tag, value in (("colorspace", colorspace), ("color_range", color_range)):
            if value is not None:
                setattr(stream.codec_context, tag, value)
        for picture in pictures:
            frame = _frame(picture, size, pixel_format)
            for tag, value in (("colorspace", colorspace), ("color_range", color_range)):
                if value is not None:
                    setattr(frame, tag, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _frame(picture: Any, size: tuple[int, int] | None, pixel_format: str) -> av.VideoFrame:
    if isinstance(picture, av.VideoFrame):
        return picture
    if size is None and pixel_format != "yuv444p":
        return av.VideoFrame.from_ndarray(picture, "rgb24")
    width, height = size or picture.shape[1::-1]
    frame = av.VideoFrame(width, height, pixel_format)
    for channel, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
        rows[:, :plane.width] = picture[channel] if size else picture[:, :, channel]
    return frame
