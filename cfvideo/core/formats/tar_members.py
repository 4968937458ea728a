"""Members of a tar file, with where their bytes lie. Nothing is extracted, and only what is asked for is read.

POSIX ustar, its pax extension (path and size) and GNU long names; compressed archives cannot be read in place. The
module reads headers itself because Python's tarfile ends quietly at a damaged header, reads headers of any size into
memory and follows negative sizes. Sizes here are bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable

BLOCK = 512
MAX_HEADER_BYTES = 1 << 20
_MOST_DIGITS = 20
_PLAIN, _FOLDER = (b"0", b"\0", b"7"), b"5"
_REFUSED = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe",
            b"S": "a sparse file", b"D": "a folder dump", b"M": "a part of a file in several volumes"}
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstd"}


@dataclass(frozen=True)
class Member:
    """A plain file in a tar file: its name as it stands there, where its content begins, and how long it is."""

    name: bytes
    offset: int
    size: int


class TarReader:
    """One shard, open for reading."""

    def __init__(self, shard: Path, file: BinaryIO) -> None:
        self.shard, self._file = shard, file
        self._end = os.fstat(file.fileno()).st_size

    def content(self, member: Member, limit: int) -> bytes:
        """A small member's bytes. Raises DataError where it is larger than `limit`."""
        if member.size > limit:
            raise self.error(member.name, f"has {member.size:,} bytes; at most {limit:,} are read")
        return os.pread(self._file.fileno(), member.size, member.offset)

    def error(self, member: bytes, cause: str) -> DataError:
        """An error that names shard and member."""
        return DataError(f"{self.shard}: member {printable(member)!r} {cause}")

    def members(self) -> Iterator[Member]:
        """Every plain file in order. Raises DataError for anything but files and folders, and for a broken archive."""
        position, extended = 0, dict[str, bytes]()
        while (header := self._header(position)) is not None:
            kind, size = header[156:157], self._size(header, position, extended)
            after = position + BLOCK + -(-size // BLOCK) * BLOCK
            name = extended.get("path", _name(header))
            if after > self._end:
                raise self.error(name, f"reaches to byte {after:,}, but the file is cut short at {self._end:,}")
            if kind in (b"L", b"x"):
                extended |= self._extension(kind, position, size)
            elif kind not in (b"g", b"K"):
                extended = {}
                if kind != _FOLDER and not name.endswith(b"/"):
                    yield self._plain(kind, name, position + BLOCK, size)
            position = after
        self._check_end(position)

    def _plain(self, kind: bytes, name: bytes, offset: int, size: int) -> Member:
        if kind not in _PLAIN:
            what = _REFUSED.get(kind, f"of the unknown kind {kind!r}")
            raise self.error(name, f"is {what}; only plain files are read")
        return Member(name, offset, size)

    def _header(self, position: int) -> bytes | None:
        """The header block at a position; None for the block of zeros that ends an archive."""
        header = os.pread(self._file.fileno(), BLOCK, position)
        if position == 0 and header[:2] in _COMPRESSED and header[257:262] != b"ustar":
            raise DataError(f"{self.shard}: compressed ({_COMPRESSED[header[:2]]}); members are read in place, so "
                            "undo the compression first")
        if len(header) < BLOCK:
            raise DataError(f"{self.shard}: ends at byte {self._end:,} without the zeros that close a tar file: it is "
                            "cut short, or no tar file")
        if not any(header):
            return None
        stated = _number(header[148:156])
        if stated != sum(header) - sum(header[148:156]) + 8 * 32:
            raise DataError(f"{self.shard}: the header at byte {position:,} is damaged, or this is no tar file")
        return header

    def _size(self, header: bytes, position: int, extended: dict[str, bytes]) -> int:
        size = _number(header[124:136])
        if header[156:157] not in (b"x", b"L", b"g", b"K") and "size" in extended:
            stated = extended["size"]  # 19 digits hold any size; int() raises beyond 4,300
            size = int(stated) if stated.isdigit() and len(stated) < _MOST_DIGITS else None
        if size is None or size < 0:
            raise DataError(f"{self.shard}: the header at byte {position:,} states no valid size")
        if header[156:157] in (b"1", b"2", b"3", b"4", b"5", b"6"):
            return 0
        return size

    def _extension(self, kind: bytes, position: int, size: int) -> dict[str, bytes]:
        if size > MAX_HEADER_BYTES:
            raise DataError(f"{self.shard}: the extended header at byte {position:,} has {size:,} bytes")
        content = os.pread(self._file.fileno(), size, position + BLOCK)
        if kind == b"L":
            return {"path": content.rstrip(b"\0")}
        try:
            records = dict(_pax_records(content))
        except ValueError as error:
            raise DataError(f"{self.shard}: the extended header at byte {position:,} is damaged") from error
        if any(key.startswith("GNU.sparse") for key in records):
            raise DataError(f"{self.shard}: the extended header at byte {position:,} is of a sparse file; only plain "
                            "files are read")
        return records

    def _check_end(self, position: int) -> None:
        """After the end mark come zeros only: something else was never read by anyone."""
        self._file.seek(position)
        while block := self._file.read(1 << 20):
            if any(block):
                raise DataError(f"{self.shard}: more data follows the end mark at byte {position:,}: a zeroed "
                                "header, or archives put behind each other")


def open_shard(shard: Path) -> BinaryIO:
    """Open a tar file. Raises DataError for what is not there or not a file; a pipe or device is never opened."""
    try:
        if not stat.S_ISREG(os.stat(shard).st_mode):
            raise DataError(f"{shard}: not a regular file (folder, pipe or device)")
        return open(shard, "rb", buffering=0)
    except OSError as error:
        raise DataError(f"{shard}: the shard cannot be read ({error.strerror})") from error


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int | None:
    """Octal digits, or GNU's big-endian binary for what does not fit; None where it is neither."""
    if field[0] in (0o200, 0o377):
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] == 0o377 else 0)
    digits = field.replace(b"\0", b" ").strip() or b"0"
    return int(digits, 8) if all(48 <= digit < 56 for digit in digits) else None


def _pax_records(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Records 'length key=value\\n', the length counting all of it; the archive may fill up with zeros."""
    at, end = 0, len(content.rstrip(b"\0"))
    while at < end:
        digits, blank, _ = content[at:at + _MOST_DIGITS].partition(b" ")
        length = int(digits) if blank and digits.isdigit() else 0
        key, separator, value = content[at + len(digits) + 1:at + length].partition(b"=")
        if length < 5 or at + length > end or not separator or not value.endswith(b"\n"):
            raise ValueError("a record is damaged")
        yield key.decode("utf-8", "replace"), value[:-1]
        at += length
