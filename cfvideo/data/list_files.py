"""Lists of videos in text files: lines, the paths in them, and errors that name file and line."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable, refusal_of_path
from cfvideo.core.index import Index

_BOM = b"\xef\xbb\xbf"


def lines_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """('file:line', content) of every line that is not blank; CR LF and a byte order mark are dropped."""
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                content = (line.removeprefix(_BOM) if number == 1 else line).strip(b" \t\r\n")
                if content:
                    yield f"{path}:{number}", content
    except OSError as error:
        raise DataError(f"{path}: the list cannot be read ({error.strerror}); give the path of a list file") from error


@dataclass
class Rows:
    """Rows of an index while a list is read; labels are numbers in the order of `label_names`."""

    root: Path
    paths: list[bytes] = field(default_factory=list)
    labels: list[list[int]] = field(default_factory=list)
    _seen: dict[bytes, str] = field(default_factory=dict)

    def add(self, where: str, path: bytes, labels: Sequence[int]) -> None:
        """Append a row. Raises DataError for a path that is refused or was listed before."""
        refusal = refusal_of_path(path)
        if refusal is not None:
            raise DataError(f"{where}: path {printable(path)!r} {refusal}")
        path = posixpath.normpath(path)
        if path in self._seen:
            raise DataError(f"{where}: {printable(path)} is listed twice, first in {self._seen[path]}")
        self._seen[path] = where
        self.paths.append(path)
        self.labels.append(sorted(set(labels)))

    def index(self, label_names: Sequence[str]) -> Index:
        """The finished index; the size of a file that is not there is -1."""
        prefix = os.fsencode(self.root)
        sizes = [_size_bytes(posixpath.join(prefix, path)) for path in self.paths]
        return Index.build(paths=self.paths, sizes=sizes, labels=self.labels, label_names=label_names, root=self.root)


def _size_bytes(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def without_rare_labels(index: Index, min_rows: int) -> Index:
    """Drop labels that fewer than `min_rows` rows carry (paper, supplement C: 50); the rows stay."""
    offsets, values = index.labels_csr()
    kept = np.flatnonzero(np.bincount(values, minlength=len(index.label_names)) >= min_rows)
    if min_rows <= 1 or len(kept) == len(index.label_names):
        return index
    if len(kept) == 0:
        raise DataError(f"no label has MIN_ROWS_PER_LABEL = {min_rows} rows; the index has {index.num_rows} rows")
    renumbered = {int(old): new for new, old in enumerate(kept)}
    labels = [[renumbered[label] for label in row.tolist() if label in renumbered]
              for row in np.split(values, offsets[1:-1])]
    return Index.build(paths=index.table.column("path"), sizes=index.sizes_bytes, labels=labels,
                       label_names=[index.label_names[label] for label in kept], root=index.root)
