"""Opening video files that strangers made: regular files only, known containers only, nothing else opened on the way.

The file is handed to FFmpeg as a file object, so neither its name (`concat:a|b`, `http://...`) nor its content (an HLS
playlist called .mp4) can make FFmpeg open anything. FIFOs and devices are refused before they are opened.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from cfvideo.core.media import Media, MediaPart
from cfvideo.data.file_end import is_cut_short

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Demuxers that read one file and nothing else. Playlists (hls, concat, dash) are left out on purpose.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf"


class OpenVideo(NamedTuple):
    """An open file: its container, its first video stream (cover pictures left aside), and what the file itself says.

    is_cut: the container states a length that the file does not reach.
    """

    container: InputContainer
    stream: VideoStream
    size_bytes: int
    is_cut: bool


class MediaError(Exception):
    """A file whose frames cannot be had. status: missing, refused, undecodable or no_video; cause: a sentence."""

    def __init__(self, status: str, cause: str) -> None:
        super().__init__(f"{status}: {cause}")
        self.status, self.cause = status, cause


class FileSlice(io.RawIOBase):
    """The bytes [offset, offset + size) of an open file as a file of their own; closes the file with itself."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self._file, self._offset, self._size, self._position = file, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)[:max(0, self._size - self._position)]  # type: ignore[arg-type]  # any buffer
        count = os.preadv(self._file.fileno(), [view], self._offset + self._position) if view else 0
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"position {start + offset} before the start of the file")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()


def is_folder(media: Media) -> bool:
    """Whether a folder of frames is meant rather than a file."""
    return os.path.isdir(media.path if isinstance(media, MediaPart) else media)


def open_media(media: Media) -> tuple[BinaryIO, int]:
    """Open a regular file, or the part of one, as a file object with its size in bytes. Raises MediaError."""
    file, found = open_regular(media.path if isinstance(media, MediaPart) else media)
    if not isinstance(media, MediaPart):
        return file, found.st_size
    if media.offset + media.length > found.st_size or media.length == 0:
        file.close()
        raise MediaError("undecodable", f"bytes {media.offset} to {media.offset + media.length} of a file of "
                                        f"{found.st_size}: it was cut short, or is another file than at indexing")
    return cast(BinaryIO, FileSlice(file, media.offset, media.length)), media.length


def open_regular(path: Path) -> tuple[BinaryIO, os.stat_result]:
    """Open a file for reading, without a buffer. Raises MediaError for all that is no file with content."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise MediaError("missing", f"the file cannot be found: {error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise MediaError("refused", "not a regular file (folder, pipe or device)")
    if found.st_size == 0:
        raise MediaError("undecodable", "the file is empty")
    return open(path, "rb", buffering=0), found


@contextmanager
def open_video(path: Media, *, max_pixels: int) -> Iterator[OpenVideo]:
    """Open a video for the length of a `with` block.

    Raises MediaError for what is refused, and av.FFmpegError or OSError as FFmpeg meets them.
    """
    import av

    options = {"format_whitelist": CONTAINERS, "max_pixels": str(max_pixels)}
    file, size_bytes = open_media(path)
    with file:
        is_cut = is_cut_short(file, size_bytes)
        with av.open(file, options=options, metadata_errors="replace", buffer_size=1 << 16) as container:
            stream = _first_video_stream(container)
            if stream is None:
                raise MediaError("undecodable", "the file ends early, before its video") if is_cut else MediaError(
                    "no_video", "the file holds no video stream")
            _configure(stream, max_pixels)
            yield OpenVideo(container, stream, size_bytes, is_cut)


def _configure(stream: VideoStream, max_pixels: int) -> None:
    codec = stream.codec_context
    if codec is None:
        raise MediaError("undecodable", "no decoder for this codec")
    if codec.width * codec.height > max_pixels:
        raise MediaError("refused", f"pictures of {codec.width} x {codec.height} are larger than the {max_pixels} "
                                    "pixels that DATA.MAX_FRAME_PIXELS allows")
    if codec.width * codec.height == 0:
        # FFmpeg forgets the size of VP9 and MJPEG pictures when it finds them too large.
        raise MediaError("undecodable", "the pictures have no size, or one larger than the "
                                        f"{max_pixels} pixels that DATA.MAX_FRAME_PIXELS allows")
    codec.options = {"max_pixels": str(max_pixels)}
    # One thread per decoder: the work is spread over videos, and frame threads would delay every first frame.
    codec.thread_count, codec.thread_type = 1, "NONE"


def _first_video_stream(container: InputContainer) -> VideoStream | None:
    from av.stream import Discard, Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            for other in container.streams:
                if other is not stream:
                    other.discard = Discard.all  # sound need not be read
            return stream
    return None
