"""Opening media that strangers made: regular files only, or a part of one. FIFOs and devices are refused unopened."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from cfvideo.core.media import Media, MediaPart


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


def content_of(path: Path) -> bytes:
    """All bytes of a file that may have changed or vanished since it was last looked at. Raises MediaError."""
    try:
        file, _ = open_regular(path)
        with file:
            return file.read()
    except OSError as error:
        raise MediaError("undecodable", f"the file cannot be read: {error}") from error


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
