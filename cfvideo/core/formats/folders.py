"""Folders of samples: one folder per class, or any tree without labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.list_files import Where
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.formats.source import Source, label_id
from cfvideo.core.index import Index
from cfvideo.core.index_columns import ids_of


def read_class_folders(source: Source) -> Index:
    """`path/{class}/*` (Kinetics, ImageNet); classes in alphabetical order, as are the files."""
    folder, kind = source.path, source.kind
    classes = [os.fsdecode(name) for name in subfolders(folder)]
    if not classes:
        raise DataError(f"{folder}: holds no class folders; {{class}}/*{kind.extensions[0]} and the like are expected "
                        "below it; a flat folder takes a format of lists, which name each file's class (a target's "
                        "test split alone: D_TAR.<NAME>.TEST_FORMAT)")
    names = source.label_names if source.label_names is not None else tuple(
        printable(os.fsencode(name)) for name in classes)
    ids, rows = ids_of(names), source.rows(folder)
    for name in classes:
        raw = os.fsencode(name)
        for line, file in enumerate(samples_in(folder / name, kind, root=folder), start=1):
            label = label_id(ids, printable(raw), folder / name)
            rows.add(Where(folder / name, line), raw + b"/" + file, [label])
    if not len(rows):
        raise DataError(f"{folder}: no class folder holds any {kind.noun}; extensions read: "
                        f"{' '.join(kind.extensions)}")
    return rows.index(names)


def read_folder(source: Source) -> Index:
    """Every sample below a folder, without labels, in the order of the paths' bytes within each folder."""
    rows = source.rows(source.path)
    for number, path in enumerate(samples_below(source.path, source.kind), start=1):
        rows.add(Where(source.path, number), path, [])
    if not len(rows):
        raise DataError(f"{source.path}: holds no {source.kind.noun}; extensions read: "
                        f"{' '.join(source.kind.extensions)}")
    return rows.index(source.label_names or ())


def samples_below(folder: Path, kind: MediaKind, inside: bytes = b"") -> Iterator[bytes]:
    """Paths of the samples in a folder and in the folders below it, relative to `folder`; hidden ones are left out."""
    here = folder / os.fsdecode(inside)
    yield from (os.path.join(inside, name) for name in samples_in(here, kind, root=folder))
    for name in subfolders(here, root=folder):
        if not os.path.islink(os.path.join(os.fsencode(here), name)):  # a link back up would never end
            yield from samples_below(folder, kind, os.path.join(inside, name))


def subfolders(folder: Path, *, root: Path | None = None) -> list[bytes]:
    """Names of the folders in a folder, sorted by their bytes; hidden ones are left out. Raises DataError for links
    out of `root`, by default the folder itself."""
    return _entries(folder, lambda entry: entry.is_dir(), folder if root is None else root)


def samples_in(folder: Path, kind: MediaKind, *, root: Path) -> list[bytes]:
    """Names of the samples in a folder, as `subfolders`."""
    return _entries(folder, lambda entry: kind.has_name(entry.name) and not entry.is_dir(), root)


def _entries(folder: Path, is_wanted: Callable[[os.DirEntry[bytes]], bool], root: Path) -> list[bytes]:
    try:
        with os.scandir(os.fsencode(folder)) as found_entries:
            kept = [entry for entry in found_entries if not entry.name.startswith(b".") and is_wanted(entry)]
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    inside = os.path.realpath(os.fsencode(root)) + b"/"
    for entry in kept:
        if entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
            raise DataError(f"{printable(entry.path)}: a symbolic link out of the data set's folder; copy the file, or "
                            "give the folder that holds both")
    return sorted(entry.name for entry in kept)
