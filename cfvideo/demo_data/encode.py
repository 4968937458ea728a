"""H.264 or VP9 in mp4, the same bytes on every run, and files that appear whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import ConfigError, DataError

FRAMES_PER_SECOND = 12
# Two groups of pictures in a 20-frame video, and B-frames in each: decoders have to seek and to reorder.
# On processors with AVX-512 x264's own choice of code gave one video in three other bytes from run to run.
X264_OPTIONS = {"crf": "20", "preset": "veryfast", "g": "12", "threads": "1", "flags": "+bitexact",
                "x264-params": "cpu-independent=1"}
# What decoders without H.264 are shown on: DALI's on the CPU.
VP9_OPTIONS = {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "5", "g": "12", "threads": "1",
               "flags": "+bitexact"}
CODECS = {"h264": ("libx264", X264_OPTIONS), "vp9": ("libvpx-vp9", VP9_OPTIONS)}


def encode_mp4(frames: NDArray[np.uint8], codec: str = "h264") -> bytes:
    """frames uint8 [T, H, W, 3] (even H and W) -> an mp4 file with one yuv420p stream.

    codec: one of CODECS.

    One encoder thread, and no dates in the container, keep the bytes the same on every run.

    Raises:
        DataError: PyAV or its encoder is missing, or it refuses the frames.
    """
    try:
        import av
    except ImportError as error:
        raise DataError(f"the demo's videos are written with PyAV, which cannot be imported ({error}); "
                        "install it with: pip install av") from error
    mp4 = io.BytesIO()
    try:
        with av.open(mp4, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
            _encode_into(container, frames, *CODECS[codec])
    except (av.error.FFmpegError, ValueError) as error:
        raise DataError(f"PyAV {av.__version__} cannot encode frames of shape {frames.shape} as {codec}: {error}; "
                        f"height and width must be even, and PyAV needs {CODECS[codec][0]}, as in wheels") from error
    return mp4.getvalue()


def _encode_into(container: Any, frames: NDArray[np.uint8], encoder: str, options: dict[str, str]) -> None:
    import av

    stream = container.add_stream(encoder, rate=FRAMES_PER_SECOND, options=options)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = "yuv420p"
    for picture in frames:
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode(None))


def write_whole(path: Path, content: bytes) -> None:
    """Write a temporary neighbour of `path`, then rename it: no process ever sees half a file.

    Not flushed to the disk as `cfvideo.core.durable.write_bytes` does, which took 4 ms a file on an SSD and 11 s for
    the demo's: what a power cut leaves empty here is made again, and equal.

    Raises:
        ConfigError: the folder cannot be written.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from error
