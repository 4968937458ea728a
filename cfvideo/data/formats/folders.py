"""Folders of videos: one folder per class (kinetics), or any tree without labels (folder)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.index import Index
from cfvideo.core.index_columns import ids_of
from cfvideo.data.formats.source import Source, label_id
from cfvideo.data.list_files import Where

VIDEO_EXTENSIONS = (".3g2", ".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
                    ".ts", ".webm", ".wmv")


def read_kinetics(source: Source) -> Index:
    """`path/{class}/*.mp4`; classes in alphabetical order, as are the files."""
    folder = source.path
    classes = [os.fsdecode(name) for name in entries(folder, folders=True)]
    if not classes:
        raise DataError(f"{folder}: holds no class folders; kinetics expects {{class}}/*.mp4 below it")
    names = source.label_names if source.label_names is not None else tuple(
        printable(os.fsencode(name)) for name in classes)
    ids, rows = ids_of(names), source.rows(folder)
    for name in classes:
        raw = os.fsencode(name)
        for line, file in enumerate(entries(folder / name, folders=False), start=1):
            label = label_id(ids, printable(raw), folder / name)
            rows.add(Where(folder / name, line), raw + b"/" + file, [label])
    if not len(rows):
        raise DataError(f"{folder}: no class folder holds a video; extensions read: {' '.join(VIDEO_EXTENSIONS)}")
    return rows.index(names)


def read_folder(source: Source) -> Index:
    """Every video below a folder, without labels, in the order of the paths' bytes within each folder."""
    rows = source.rows(source.path)
    for number, path in enumerate(videos_below(source.path), start=1):
        rows.add(Where(source.path, number), path, [])
    if not len(rows):
        raise DataError(f"{source.path}: holds no video; extensions read: {' '.join(VIDEO_EXTENSIONS)}")
    return rows.index(source.label_names or ())


def videos_below(folder: Path, inside: bytes = b"") -> Iterator[bytes]:
    """Paths of the videos in a folder and in the folders below it, relative to `folder`; hidden ones are left out."""
    here = folder / os.fsdecode(inside)
    yield from (os.path.join(inside, name) for name in entries(here, folders=False, root=folder))
    for name in entries(here, folders=True, root=folder):
        if not os.path.islink(os.path.join(os.fsencode(here), name)):  # a link back up would never end
            yield from videos_below(folder, os.path.join(inside, name))


def entries(folder: Path, *, folders: bool, root: Path | None = None) -> list[bytes]:
    """Names of the sub-folders, or of the videos, sorted by their bytes; hidden ones are left out.

    Raises DataError for links out of `root`, by default the data set's folder in {root}/{class}/*.mp4.
    """
    try:
        with os.scandir(os.fsencode(folder)) as found_entries:
            found = [entry for entry in found_entries if not entry.name.startswith(b".")]
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    kept = [entry for entry in found if (entry.is_dir() if folders else _is_video(entry))]
    default = folder if folders else folder.parent
    inside = os.path.realpath(os.fsencode(default if root is None else root)) + b"/"
    for entry in kept:
        if entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
            raise DataError(f"{printable(entry.path)}: a symbolic link out of the data set's folder; copy the file, or "
                            "give the folder that holds both")
    return sorted(entry.name for entry in kept)


def is_video_name(name: bytes) -> bool:
    """Whether a file name ends as videos' names do."""
    return os.fsdecode(os.path.splitext(name)[1]).lower() in VIDEO_EXTENSIONS


def _is_video(entry: os.DirEntry[bytes]) -> bool:
    return is_video_name(entry.name) and not entry.is_dir()
