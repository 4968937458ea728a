"""Kinetics' official CSV: header `label,youtube_id,time_start,time_end,split`, one clip per line.

The clip is `{class}/{youtube_id}_{time_start:06d}_{time_end:06d}.mp4` below the root. Class folders are found however
the downloader wrote the label: spaces or underscores, with or without parentheses and apostrophes. Where the root has
no class folders at all (the usual form of the test split), the clips lie in the root itself. Clips that are gone from
the web stay rows whose size is -1.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.folders import subfolders
from cfvideo.core.formats.list_files import Where, lines_of, text_of
from cfvideo.core.formats.source import NamedLabels, Source, is_number
from cfvideo.core.index import Index

NEEDED = ("youtube_id", "time_start", "time_end")
_FILE_NAME_PARTS = "/\0"


def read_kinetics_csv(source: Source) -> Index:
    labels, rows, folders = NamedLabels(source.label_names), source.rows(), ClassFolders(source.folder)
    for where, record in _records(source.path):
        name = _clip_name(where, record)
        label = record.get("label")
        if label is None:  # the test split's CSV has no such column
            rows.add(where, name, [])
        elif not label.strip():
            raise DataError(f"{where}: the label is missing")
        else:
            rows.add(where, folders.path_of(label.strip(), name), [labels.id_of(where, label.strip())])
    return rows.index(labels.names(), new_ids=labels.new_ids())


def _records(path: Path) -> Iterator[tuple[Where, dict[str, str]]]:
    """(where, column -> value) of every line below the header. Quoted values may hold commas, but no line ends."""
    header: list[str] = []
    for where, line in lines_of(path):
        fields = _fields(where, line)
        if not header:
            header = [field.strip() for field in fields]
            if not set(NEEDED) <= set(header):
                raise DataError(f"{where}: expected the header label,youtube_id,time_start,time_end,split, got "
                                f"{printable(line)!r}")
        elif len(fields) != len(header):
            raise DataError(f"{where}: {len(fields)} values under {len(header)} columns: {printable(line)!r}")
        else:
            yield where, dict(zip(header, fields, strict=True))


def _fields(where: Where, line: bytes) -> list[str]:
    try:
        return next(csv.reader([text_of(where, line)]))
    except csv.Error as error:
        raise DataError(f"{where}: no line of a CSV: {error}; lines end in LF or CR LF, values are short") from error


def _clip_name(where: Where, record: dict[str, str]) -> bytes:
    key, *times = (record[column].strip() for column in NEEDED)
    if not key or set(key) & set(_FILE_NAME_PARTS):
        raise DataError(f"{where}: youtube_id {key!r} is missing or no part of a file name")
    if not all(is_number(time.encode()) for time in times):
        raise DataError(f"{where}: time_start {times[0]!r} and time_end {times[1]!r} are not whole seconds, 0 or more")
    start, end = (int(time) for time in times)
    return os.fsencode(f"{key}_{start:06d}_{end:06d}.mp4")


class ClassFolders:
    """The class folders below a root, by the label that they stand for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_label: dict[str, bytes] = {}
        for name in subfolders(root):
            other = self._by_label.setdefault(_comparable(os.fsdecode(name)), name)
            if other != name:
                raise DataError(f"{root}: {printable(other)} and {printable(name)} are folders of one class; merge "
                                "them")

    def path_of(self, label: str, name: bytes) -> bytes:
        """The path of a clip of this class; where the class has no folder, in the folder that it would have."""
        if not self._by_label:
            return name
        return self._by_label.get(_comparable(label), mangled(label)) + b"/" + name


def mangled(label: str) -> bytes:
    """The class folder's usual name: spaces -> _, parentheses removed."""
    return os.fsencode(label.translate({ord(" "): "_", ord("("): None, ord(")"): None, ord("/"): "_"}))


def _comparable(name: str) -> str:
    return "".join(c for c in name.replace("_", " ") if c not in "()'\"").casefold().strip()
