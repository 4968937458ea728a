"""A finished index as a format: the file that tools/build_index.py makes, memory-mapped; and its Parquet twin."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from cfvideo.core.errors import DataError
from cfvideo.core.formats.source import Names, Source, label_id, names_in
from cfvideo.core.index import Index
from cfvideo.core.index_columns import ids_of


def read_index_file(source: Source) -> Index:
    """Nothing on disk is looked at but the index itself: files that are missing now are found when they are read."""
    index = _loaded(source.path, source.folder)
    names = source.label_names
    if names is None or names == index.label_names:
        return index
    ids = ids_of(names)
    new_ids = [label_id(ids, name, source.path) for name in index.label_names]
    return index.relabelled(np.array(new_ids, np.int32), names)


def _loaded(file: Path, root: Path) -> Index:
    if not file.is_file():
        raise DataError(f"{file}: there is no such index; make it with tools/build_index.py")
    return Index.load(file, root)


def names_from(file: Path) -> Names:
    """A label space: of an index file (.arrow), or of a text file with one name per line. Raises DataError."""
    if file.suffix == ".arrow":
        return _loaded(file, file.parent).label_names
    names = names_in(file)
    if not names:
        raise DataError(f"{file}: the file of label names is missing or empty")
    return names


def write_parquet(index: Index, file: Path) -> None:
    """The index's columns as Parquet, for other tools; label names, what a test ignores and the content hash are in the
    file's metadata."""
    import pyarrow.parquet

    metadata = {"cfvideo.label_names": json.dumps(index.label_names), "cfvideo.content_hash": index.content_hash,
                "cfvideo.ignored": json.dumps(index.ignored.tolist())}
    pyarrow.parquet.write_table(index.table.replace_schema_metadata(metadata), os.fspath(file), row_group_size=1 << 20)
