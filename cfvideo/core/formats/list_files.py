"""Lists of samples in text files: lines, the paths in them, and errors that name file and line."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable, refusal_of_path
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.index import Index
from cfvideo.core.index_builder import IndexBuilder, Progress, no_progress
from cfvideo.core.index_columns import single

_BOM = b"\xef\xbb\xbf"
_NOT_NORMAL = re.compile(rb"//|/\.|^\.|/$")  # what normpath may have something to do about; most paths need none


class Where(NamedTuple):
    """A line of a list, counted from 1; as text 'file:line'."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def lines_of(path: Path) -> Iterator[tuple[Where, bytes]]:
    """(where, content) of every line that is not blank; CR LF, blanks around and a byte order mark are dropped."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f"{path}: the list cannot be read (not a regular file); give the path of a list file")
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                content = (line.removeprefix(_BOM) if number == 1 else line).strip(b" \t\r\n")
                if content:
                    yield Where(path, number), content
    except OSError as error:
        raise DataError(f"{path}: the list cannot be read ({error.strerror}); give the path of a list file") from error


def text_of(where: Where, content: bytes) -> str:
    """UTF-8, or a DataError."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8: {printable(content)!r}") from error


class Rows:
    """Rows of an index while a list is read; labels are numbers in the order of `label_names`.

    Per row it keeps the columns of the index, a 64-bit hash and a line number: no Python object.
    """

    def __init__(self, root: Path, kind: MediaKind, *, with_parts: bool = False, progress: Progress = no_progress
                 ) -> None:
        self.root, self._kind = root, kind
        self._prefix = os.fsencode(root).rstrip(b"/") + b"/"
        self._builder = IndexBuilder(with_parts=with_parts, progress=progress)
        self._hashes, self._lines = array("q"), array("q")
        self._list: Path | None = None

    def __len__(self) -> int:
        return len(self._builder)

    def add(self, where: Where, path: bytes, labels: Sequence[int], *, offset: int = 0, length: int = -1) -> None:
        """Append a row. An absolute path below the root is taken as relative to it.

        Raises DataError for a path that is refused. Paths that were listed before are found at the end.
        """
        path = self._relative(where, path)
        self._list = where.file
        self._hashes.append(hash((path, offset, length)))
        self._lines.append(where.line)
        labels = sorted(set(labels)) if len(labels) > 1 else labels
        self._builder.append(path, _size_bytes(where, self._prefix + path, self._kind), labels, offset, length)

    def _relative(self, where: Where, path: bytes) -> bytes:
        if path.startswith(b"/") and path.startswith(self._prefix):
            path = path[len(self._prefix):]
        refusal = refusal_of_path(path)
        if refusal is not None:
            raise DataError(f"{where}: path {printable(path)!r} {refusal}")
        return posixpath.normpath(path) if _NOT_NORMAL.search(path) else path

    def index(self, label_names: Sequence[str], *, new_ids: NDArray[np.int32] | None = None) -> Index:
        """The finished index; the size of a file that is not there is -1. Raises DataError for a row listed twice."""
        index = self._builder.finish(label_names, root=self.root, new_ids=new_ids)
        twice = _first_repeat(index, np.frombuffer(self._hashes, np.int64))
        if twice is not None:
            first, second = (self._lines[row] for row in twice)
            raise DataError(f"{self._list}:{second}: {index.name_of(twice[1])} is listed twice, first in "
                            f"{self._list}:{first}")
        return index


def _first_repeat(index: Index, hashes: NDArray[np.int64]) -> tuple[int, int] | None:
    """Rows (first, second) of the earliest row that was there before, or None."""
    order = np.argsort(hashes, kind="stable")
    same = hashes[order][1:] == hashes[order][:-1]
    # Only rows whose hash comes twice are looked at: few, and different paths may share one.
    suspects = np.unique(np.concatenate([order[1:][same], order[:-1][same]]))
    columns = [single(index.table, name) for name in index.table.column_names if name in ("path", "offset", "length")]
    seen: dict[tuple[object, ...], int] = {}
    for row in suspects.tolist():
        first = seen.setdefault(tuple(column[row].as_py() for column in columns), row)
        if first != row:
            return first, row
    return None


def _size_bytes(where: Where, path: bytes, kind: MediaKind) -> int:
    """Size of a file, or of a folder of frames; -1 where there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return -1
    if stat.S_ISDIR(found.st_mode):
        return -1 if kind.frames_bytes is None else kind.frames_bytes(path)
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{where}: {printable(path)} is a pipe or a device, not a file; take it out of the list")
    return found.st_size
