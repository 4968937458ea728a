"""Grows an index row by row: Python values for one chunk at a time, Arrow arrays for all the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.index_columns import PARTS_SCHEMA, SCHEMA

CHUNK_ROWS = 1 << 15
# Called with the number of rows so far, once per chunk; where a user's Ctrl-C may raise.
Progress = Callable[[int], None]


def no_progress(num_rows: int) -> None:
    """Tell nobody."""


class IndexBuilder:
    """Rows to be, appended one at a time.

    with_parts: rows may be parts of files or of frame folders (three columns more).
    """

    def __init__(self, *, with_parts: bool = False, progress: Progress = no_progress) -> None:
        self._schema = PARTS_SCHEMA if with_parts else SCHEMA
        self._progress = progress
        self._open: list[tuple[object, ...]] = []
        self._chunks: list[list[pa.Array]] = [[] for _ in self._schema]
        self._closed_rows = 0

    def __len__(self) -> int:
        return self._closed_rows + len(self._open)

    def append(self, path: bytes, size_bytes: int, labels: Sequence[int], offset: int = 0, length: int = -1,
               member: bytes = b"") -> None:
        """Add a row; the last three are left out of an index without parts."""
        self._open.append((path, size_bytes, labels, offset, length, member))
        if len(self._open) == CHUNK_ROWS:
            self._close_chunk()
            self._progress(self._closed_rows)

    def _close_chunk(self) -> None:
        self._closed_rows += len(self._open)
        # The values stand in the order of the schema, which has three or six columns. Arrow's own allocator keeps a
        # third more than it is asked for when arrays are many and stay.
        for place, (chunks, field) in enumerate(zip(self._chunks, self._schema, strict=True)):
            chunks.append(pa.array([row[place] for row in self._open], type=field.type,
                                   memory_pool=pa.system_memory_pool()))
        self._open.clear()

    def finish(self, label_names: Sequence[str], *, root: Path, new_ids: NDArray[np.int32] | None = None) -> Index:
        """The index; the builder is empty afterwards. new_ids: label i of the rows is label new_ids[i] of the names."""
        self._close_chunk()
        columns = []
        for chunks in self._chunks:  # column by column, so that at most one of them is there twice
            columns.append(pa.concat_arrays(chunks, memory_pool=pa.system_memory_pool()))
            chunks.clear()
        table = pa.Table.from_arrays(columns, schema=self._schema)
        del columns
        if new_ids is None:
            return Index(table, tuple(label_names), root)
        # Until they are renumbered, the labels are ids of a space of the same size.
        return Index(table, tuple(map(str, range(len(new_ids)))), root).relabelled(new_ids, label_names)


def without_rare_labels(index: Index, min_rows: int) -> Index:
    """Drop labels that fewer than `min_rows` rows carry (paper, supplement C: 50); the rows stay."""
    counts = np.bincount(index.labels_csr()[1], minlength=len(index.label_names))
    kept = np.flatnonzero(counts >= min_rows)
    if min_rows <= 1 or len(kept) == len(index.label_names):
        return index
    if len(kept) == 0:
        raise DataError(f"no label has MIN_ROWS_PER_LABEL = {min_rows} rows; the index has {index.num_rows} rows")
    new_ids = np.full(len(index.label_names), -1, np.int32)
    new_ids[kept] = np.arange(len(kept))
    return index.relabelled(new_ids, [index.label_names[label] for label in kept])
