"""The frozen list of samples that everything else addresses by row.

N rows, M labels over all rows. A row is a path below `root`, its size and its labels; or a part of what lies there (a
member of a tar shard, a range of a folder of frames). The columns live in one Arrow table, memory-mapped when loaded,
so that 62 million rows do not become Python objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cfvideo.core import index_columns as columns
from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.file_names import printable, refusal_of_path
from cfvideo.core.index_columns import PARTS_SCHEMA, SCHEMA
from cfvideo.core.index_storage import DAMAGE, Stored, read_stored, write_stored
from cfvideo.core.media import Media, MediaPart


@dataclass(frozen=True, eq=False)
class Index:
    """Samples by row. Its identity is its content (paths, sizes, labels, names), never where it lies.

    table: columns path (bytes), size_bytes (int64, -1: the file was missing), labels (list of int32); where rows are
        parts also offset and length (int64, bytes or frames; length -1: all of it) and member (its name in a shard).
    label_names: name of every label id.
    root: the folder that paths start from.
    ignored: int64 [P, 2], (row, label) that a test counts neither as right nor as wrong, in order (VOC's difficult
        objects); in training such a row is merely one without the label.
    """

    table: pa.Table
    label_names: tuple[str, ...]
    root: Path
    ignored: NDArray[np.int64] = field(default_factory=columns.no_pairs)

    def __post_init__(self) -> None:
        if not (self.table.schema.equals(SCHEMA) or self.table.schema.equals(PARTS_SCHEMA)):
            raise ValueError(f"an index has the columns {SCHEMA.names}, got {self.table.schema}")
        object.__setattr__(self, "table", self.table.replace_schema_metadata(None).combine_chunks())
        columns.check_names(self.label_names)
        values = self.labels_csr()[1]
        if values.size and not 0 <= values.min() <= values.max() < len(self.label_names):
            raise ValueError(f"labels lie in [0, {len(self.label_names)}), got {values.min()} to {values.max()}")
        if self.has_parts and self.num_rows and (self._column("offset").to_numpy().min() < 0
                                                 or self._column("length").to_numpy().min() < -1):
            raise ValueError("offsets are 0 or more, lengths -1 (all of it) or more")
        object.__setattr__(self, "ignored", columns.checked_pairs(self.ignored, self.num_rows, len(self.label_names)))

    @classmethod
    def build(cls, *, paths: Iterable[bytes], sizes: Iterable[int], labels: Iterable[Sequence[int]],
              label_names: Sequence[str], root: Path) -> Index:
        """An index from Python values, one of each per row."""
        arrays = [pa.array(values, type=column.type)
                  for values, column in zip((paths, sizes, labels), SCHEMA, strict=True)]
        return cls(pa.Table.from_arrays(arrays, schema=SCHEMA), tuple(label_names), Path(root))

    def relabelled(self, new_ids: NDArray[np.int32], label_names: Sequence[str]) -> Index:
        """The same rows with label i renamed to label_names[new_ids[i]], dropped where new_ids[i] is -1."""
        labels = columns.labels_array(*columns.renumbered(*self.labels_csr(), new_ids))
        return Index(self.table.set_column(2, SCHEMA.field("labels"), labels), tuple(label_names), self.root,
                     columns.renumbered_pairs(self.ignored, new_ids))

    @property
    def num_rows(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def sizes_bytes(self) -> NDArray[np.int64]:
        """int64 [N], read-only; -1 where the file was missing when the index was made."""
        sizes: NDArray[np.int64] = self._column("size_bytes").to_numpy(zero_copy_only=True)
        return sizes

    @property
    def num_labelled(self) -> int:
        """Rows that have at least one label."""
        return int(np.count_nonzero(np.diff(self.labels_csr()[0])))

    @property
    def num_missing(self) -> int:
        """Rows whose file was not there when the index was made."""
        return int(np.count_nonzero(self.sizes_bytes < 0))

    @property
    def total_bytes(self) -> int:
        """Bytes of all files that were there."""
        return int(self.sizes_bytes.clip(0).sum())

    def _column(self, name: str) -> pa.Array:
        return columns.single(self.table, name)

    def labels_csr(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """offsets int64 [N + 1], values int32 [M]: row r has the labels values[offsets[r]:offsets[r + 1]]."""
        return self._labels_csr

    @cached_property
    def _labels_csr(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        return columns.labels_csr(self._column("labels"))

    def labels_of(self, row: int) -> NDArray[np.int32]:
        """int32, the labels of one row."""
        offsets, values = self.labels_csr()
        return values[offsets[row]:offsets[row + 1]]

    def ignored_of(self, row: int) -> NDArray[np.int32]:
        """int32, the labels of one row that a test ignores."""
        first, last = np.searchsorted(self.ignored[:, 0], (row, row + 1))
        return self.ignored[first:last, 1].astype(np.int32)

    def picked_labels(self, seed: int) -> NDArray[np.int32]:
        """int32 [N]: one label per row, drawn evenly from the row's own by a hash of (seed, row); -1 for no label.

        The same whatever the order, the machine or the other rows (paper, supplement C: one hashtag is chosen once).
        """
        return columns.picked(*self.labels_csr(), seed)

    def name_of(self, row: int) -> str:
        """The path of a row, and its member or range of frames, as text for messages and tables."""
        name = printable(self._raw_path(row))
        offset, length, member = self._part_of(row)
        if member:
            return f"{name}/{printable(member)}"
        return name if length < 0 else f"{name}[{offset}:{offset + length}]"

    def media_of(self, row: int) -> Media:
        """What a row is read from: a file or a folder of frames, or a part of one. Raises DataError as `path_of`."""
        offset, length, _ = self._part_of(row)
        return self.path_of(row) if length < 0 else MediaPart(self.path_of(row), offset, length)

    @property
    def has_parts(self) -> bool:
        """Whether rows may be parts of files or folders."""
        return len(self.table.schema) > len(SCHEMA)

    def _part_of(self, row: int) -> tuple[int, int, bytes]:
        names = PARTS_SCHEMA.names[len(SCHEMA):] if self.has_parts else ()
        offset, length, member = [self._column(name)[int(row)].as_py() for name in names] or (0, -1, b"")
        return offset, length, member

    def path_of(self, row: int) -> Path:
        """The file of a row. Raises DataError where the path, or a symbolic link on it, leaves the root."""
        raw = self._raw_path(row)
        cause = refusal_of_path(raw)
        path = Path(self._real_root) / os.fsdecode(raw)
        if cause is None and not Path(os.path.realpath(path)).is_relative_to(self._real_root):
            cause = f"is a symbolic link out of {self.root}"
        if cause is not None:
            raise DataError(f"row {row}: {printable(raw)} {cause}")
        return path

    @cached_property
    def _real_root(self) -> str:
        return os.path.realpath(self.root)

    def _raw_path(self, row: int) -> bytes:
        if not 0 <= row < self.num_rows:
            raise IndexError(f"row {row} of an index of {self.num_rows} rows")
        raw: bytes = self._column("path")[int(row)].as_py()
        return raw

    @cached_property
    def content_hash(self) -> str:
        """sha256 (hex) over every column, the names and what is ignored."""
        return columns.content_digest(self.table, self.label_names, self.ignored)

    def save(self, file: Path) -> None:
        """Write the index as one Arrow IPC file."""
        write_stored(file, Stored(self.table, self.label_names, self.ignored, self.content_hash))

    @classmethod
    def load(cls, file: Path, root: Path) -> Index:
        """Memory-map a saved index. Raises IntegrityError where the file is damaged or not an index."""
        try:
            stored = read_stored(file)
            index = cls(stored.table, stored.label_names, Path(root), stored.ignored)
            whole = index.content_hash == stored.content_hash
        except DAMAGE as error:
            raise IntegrityError(f"{file} is not an index of samples, or it is damaged: {error}") from error
        if not whole:
            raise IntegrityError(f"{file} does not match its own checksum; delete it and the index is made anew")
        return index
