"""Weak labels: JSON lines `{"path": ..., "tags": [...]}`; label names are the sorted tags."""

from __future__ import annotations

import json
import os

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.list_files import Where, lines_of, text_of
from cfvideo.core.formats.source import NamedLabels, Source
from cfvideo.core.index import Index


def read_weak_labels(source: Source) -> Index:
    """Rows keep all their tags; training picks one of them once, by a hash of seed and row."""
    labels, rows = NamedLabels(source.label_names), source.rows()
    for where, line in lines_of(source.path):
        path, tags = _record(where, line)
        rows.add(where, path, [labels.id_of(where, tag) for tag in tags])
    return rows.index(labels.names(), new_ids=labels.new_ids())


def _record(where: Where, line: bytes) -> tuple[bytes, list[str]]:
    try:
        record = json.loads(text_of(where, line))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    path, tags = (record.get("path"), record.get("tags")) if isinstance(record, dict) else (None, None)
    if not isinstance(path, str) or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DataError(f'{where}: expected {{"path": "...", "tags": ["...", ...]}}, got {printable(line[:80])}')
    return file_name(where, path), tags


def file_name(where: object, path: str) -> bytes:
    """A path from JSON as the bytes of a file name."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: path {path!a} is not a file name") from error
