"""Data sets as they lie on disk -> a frozen index.

| format | on disk |
|---|---|
| kinetics | `path/{class}/*.mp4`; classes in alphabetical order, as are the files |
| sports1m | a list of lines `path label[,label]`; `labels.txt` beside it, one name per line, is optional |
| weak_labels | a list of JSON lines `{"path": ..., "tags": [...]}`; label names are the sorted tags |

Paths in lists start from `root`. A listed file that does not exist stays a row, and becomes an invalid one when it is
read. Everything else that is wrong is a DataError with file and line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.index import Index
from cfvideo.data.list_files import Rows, lines_of, without_rare_labels

VIDEO_EXTENSIONS = (".3g2", ".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
                    ".ts", ".webm", ".wmv")
# Without names a label file may still not name half the integers: a stray id would make as many classes.
MAX_UNNAMED_LABELS = 1_000_000
Names = tuple[str, ...]


def read_index(*, format: str, path: Path, root: Path | None = None, min_rows_per_label: int = 1,
               label_names: Names | None = None) -> Index:
    """Read a data set.

    Args:
        format: kinetics, sports1m or weak_labels.
        path: the folder (kinetics) or the list file.
        root: the folder that the list's paths start from; None: the list's own.
        min_rows_per_label: labels with fewer rows are dropped; not where `label_names` fixes them.
        label_names: label space to read the labels in (the training split's, for a test split).

    Raises:
        DataError: missing or empty, or a line that is not what the format says, or a label outside `label_names`.
    """
    if format not in _READERS:
        raise DataError(f"unknown format {format!r}; allowed: {', '.join(_READERS)}")
    path = Path(path)
    index = _READERS[format](path, Path(root) if root is not None else path.parent, label_names)
    if index.num_rows == 0:
        raise DataError(f"{path}: holds no samples; check the path and the format ({format})")
    return index if label_names is not None else without_rare_labels(index, min_rows_per_label)


def _read_kinetics(folder: Path, root: Path, label_names: Names | None) -> Index:
    classes = [os.fsdecode(name) for name in _entries(folder, folders=True)]
    if not classes:
        raise DataError(f"{folder}: holds no class folders; kinetics expects {{class}}/*.mp4 below it")
    names = tuple(printable(os.fsencode(name)) for name in classes) if label_names is None else label_names
    ids = _ids(names)
    rows = Rows(folder)
    for name in classes:
        raw = os.fsencode(name)
        for file in _entries(folder / name, folders=False):
            label = _label_id(ids, printable(raw), f"{folder / name}")
            rows.add(str(folder / name), raw + b"/" + file, [label])
    if not rows.paths:
        raise DataError(f"{folder}: no class folder holds a video; extensions read: {' '.join(VIDEO_EXTENSIONS)}")
    return rows.index(names)


def _entries(folder: Path, *, folders: bool) -> list[bytes]:
    """Names of the sub-folders, or of the videos, sorted by their bytes; hidden ones are left out."""
    try:
        with os.scandir(os.fsencode(folder)) as entries:
            found = [entry for entry in entries if not entry.name.startswith(b".")]
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    kept = [entry for entry in found if (entry.is_dir() if folders else _is_video(entry))]
    inside = os.path.realpath(os.fsencode(folder if folders else folder.parent)) + b"/"
    for entry in kept:
        if entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
            raise DataError(f"{printable(entry.path)}: a symbolic link out of the data set's folder; copy the file, or "
                            "give the folder that holds both")
    return sorted(entry.name for entry in kept)


def _is_video(entry: os.DirEntry[bytes]) -> bool:
    return os.fsdecode(os.path.splitext(entry.name)[1]).lower() in VIDEO_EXTENSIONS and not entry.is_dir()


def _read_sports1m(path: Path, root: Path, label_names: Names | None) -> Index:
    names = label_names if label_names is not None else _names_beside(path)
    rows, limit = Rows(root), MAX_UNNAMED_LABELS if names is None else len(names)
    for where, line in lines_of(path):
        file, _, labels = line.replace(b"\t", b" ").rpartition(b" ")
        if not file:
            raise DataError(f"{where}: expected 'path label[,label]', got {printable(line)!r}")
        rows.add(where, line[:len(file)].rstrip(), [_number(where, label, limit) for label in labels.split(b",")])
    if names is None:
        names = tuple(str(label) for label in range(1 + max((max(row) for row in rows.labels), default=-1)))
    return rows.index(names)


def _number(where: str, text: bytes, limit: int) -> int:
    label = int(text) if text.isdigit() and len(text) < 10 else -1
    if not 0 <= label < limit:
        raise DataError(f"{where}: label {printable(text)!r} is not a whole number in [0, {limit})")
    return label


def _names_beside(path: Path) -> Names | None:
    file = path.parent / "labels.txt"
    if not file.exists():
        return None
    lines = list(lines_of(file))
    names = tuple(_text(where, line) for where, line in lines)
    if lines and lines[-1][0] != f"{file}:{len(lines)}":
        raise DataError(f"{file}: a blank line between names would shift the labels after it")
    _ids(names, str(file))
    return names


def _text(where: str, line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8: {printable(line)!r}") from error


def _read_weak_labels(path: Path, root: Path, label_names: Names | None) -> Index:
    records = [(where, *_record(where, line)) for where, line in lines_of(path)]
    names = label_names if label_names is not None else tuple(sorted({tag for *_, tags in records for tag in tags}))
    ids, rows = _ids(names), Rows(root)
    for where, file, tags in records:
        rows.add(where, file, [_label_id(ids, tag, where) for tag in tags])
    return rows.index(names)


def _record(where: str, line: bytes) -> tuple[bytes, list[str]]:
    try:
        record = json.loads(_text(where, line))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    path, tags = (record.get("path"), record.get("tags")) if isinstance(record, dict) else (None, None)
    if not isinstance(path, str) or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DataError(f'{where}: expected {{"path": "...", "tags": ["...", ...]}}, got {printable(line[:80])}')
    return _file_name(where, path), tags


def _file_name(where: str, path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: path {path!a} is not a file name") from error


def _ids(names: Sequence[str], where: str = "label_names") -> dict[str, int]:
    ids = {name: label for label, name in enumerate(names)}
    if len(ids) < len(names):
        twice = next(name for label, name in enumerate(names) if ids[name] != label)
        raise DataError(f"{where}: the label {twice!r} appears twice")
    return ids


def _label_id(ids: dict[str, int], name: str, where: str) -> int:
    if name not in ids:
        raise DataError(f"{where}: label {name!r} is unknown to the training split, which has {len(ids)} labels")
    return ids[name]


_READERS: dict[str, Callable[[Path, Path, Names | None], Index]] = {
    "kinetics": _read_kinetics, "sports1m": _read_sports1m, "weak_labels": _read_weak_labels}
