"""A folder of numbered JPEGs read as a video: frame n is the n-th file, by number."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from cfvideo.core.file_names import printable
from cfvideo.core.media import Media, MediaPart
from cfvideo.core.media_file import MediaError
from cfvideo.data.frame_files import FrameGap, frame_names
from cfvideo.data.packet_plan import PacketTable
from cfvideo.data.video_reader import VideoReader

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

    from cfvideo.data.video_reader import Paint

MAX_FILE_BYTES = 1 << 28


class FrameFolder(VideoReader):
    """Frames of a folder, or of the part [offset, offset + length) of its frames. Raises MediaError."""

    def __init__(self, media: Media, max_pixels: int) -> None:
        part = media if isinstance(media, MediaPart) else MediaPart(media, 0, -1)
        self._folder, self._max_pixels = part.path, max_pixels
        names = _names(part.path)
        self._names = names if part.length < 0 else names[part.offset:part.offset + part.length]
        if part.length >= 0 and len(self._names) < part.length:
            raise MediaError("undecodable", f"the list names frames {part.offset} to {part.offset + part.length}, but "
                                            f"the folder holds {len(names)}")
        self.num_frames, self.codec, self.container = len(self._names), "mjpeg", "folder"
        numbers, self.truncated = range(self.num_frames), False
        self.table = PacketTable(times=numbers, keys=numbers, frames=numbers, truncated=False)

    def decode(self, wanted: Collection[int], paint: Paint) -> None:
        """Decode frames by number and have each painted. Raises MediaError where one is missing or damaged."""
        for number in sorted(set(wanted)):
            paint(number, self._decoded_file(self._names[number]))

    def _decoded_file(self, name: bytes) -> VideoFrame:
        from av import FFmpegError, Packet

        path = Path(self._folder) / os.fsdecode(name)
        try:
            frames = self._decoder_of_one().decode(Packet(_content(path)))
        except FFmpegError as error:
            raise MediaError("undecodable", f"{printable(name)}: {error}") from error
        if not frames or frames[0].is_corrupt:
            raise MediaError("undecodable", f"{printable(name)} is no whole JPEG picture")
        return frames[0]

    def _decoder_of_one(self) -> VideoCodecContext:
        from av.codec import CodecContext

        decoder = CodecContext.create("mjpeg", "r")
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(self._max_pixels), "err_detect": "explode"}
        return decoder


def _names(folder: Path) -> list[bytes]:
    try:
        names = frame_names(os.listdir(os.fsencode(folder)))
    except OSError as error:
        raise MediaError("missing", f"the folder cannot be read: {error.strerror}") from error
    except FrameGap as error:
        raise MediaError("undecodable", str(error)) from error
    if not names:
        raise MediaError("refused", "not a regular file (a folder that holds no frames 00001.jpg ...)")
    return names


def _content(path: Path) -> bytes:
    """A frame's bytes. Links are not followed: they could lead out of the data set."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise MediaError("undecodable", f"{printable(os.fsencode(path.name))} cannot be opened, or is a link: "
                                        f"{error.strerror}") from error
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
            raise MediaError("refused", f"{printable(os.fsencode(path.name))} is not a regular file, or too large")
        return file.read()
