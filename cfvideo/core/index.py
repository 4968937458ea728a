"""The frozen list of samples that everything else addresses by row.

N rows, M labels over all rows. A row is a path below `root`, the file's size and its labels. The columns live in one
Arrow table, memory-mapped when loaded, so that 62 million rows do not become Python objects.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.file_names import printable, refusal_of_path

SCHEMA = pa.schema([
    pa.field("path", pa.large_binary(), nullable=False),
    pa.field("size_bytes", pa.int64(), nullable=False),
    pa.field("labels", pa.large_list(pa.field("item", pa.int32(), nullable=False)), nullable=False),
])
_NAMES, _HASH = b"cfvideo.label_names", b"cfvideo.content_hash"


@dataclass(frozen=True, eq=False)
class Index:
    """Samples by row. Its identity is its content (paths, sizes, labels, names), never where it lies.

    table: columns path (bytes), size_bytes (int64, -1: the file was missing), labels (list of int32).
    label_names: name of every label id.
    root: the folder that paths start from.
    """

    table: pa.Table
    label_names: tuple[str, ...]
    root: Path

    def __post_init__(self) -> None:
        if not self.table.schema.equals(SCHEMA):
            raise ValueError(f"an index has the columns {SCHEMA.names}, got {self.table.schema}")
        object.__setattr__(self, "table", self.table.replace_schema_metadata(None).combine_chunks())
        values = self.labels_csr()[1]
        if values.size and not 0 <= values.min() <= values.max() < len(self.label_names):
            raise ValueError(f"labels lie in [0, {len(self.label_names)}), got {values.min()} to {values.max()}")

    @classmethod
    def build(cls, *, paths: Iterable[bytes], sizes: Iterable[int], labels: Iterable[Sequence[int]],
              label_names: Sequence[str], root: Path) -> Index:
        """An index from Python values, one of each per row."""
        columns = [pa.array(values, type=field.type) for values, field in zip((paths, sizes, labels), SCHEMA,
                                                                              strict=True)]
        return cls(pa.Table.from_arrays(columns, schema=SCHEMA), tuple(label_names), Path(root))

    @property
    def num_rows(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def sizes_bytes(self) -> NDArray[np.int64]:
        """int64 [N], read-only; -1 where the file was missing when the index was made."""
        sizes: NDArray[np.int64] = self._column("size_bytes").to_numpy(zero_copy_only=True)
        return sizes

    @property
    def total_bytes(self) -> int:
        """Bytes of all files that were there."""
        return int(self.sizes_bytes.clip(0).sum())

    def _column(self, name: str) -> pa.Array:
        column = self.table.column(name)
        return column.chunk(0) if column.num_chunks else pa.array([], type=column.type)

    def labels_csr(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """offsets int64 [N + 1], values int32 [M]: row r has the labels values[offsets[r]:offsets[r + 1]]."""
        return self._labels_csr

    @cached_property
    def _labels_csr(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        column = self._column("labels")
        offsets = column.offsets.to_numpy(zero_copy_only=True)
        first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
        values = column.values.slice(first, last - first).to_numpy(zero_copy_only=True)
        return (offsets if not first else offsets - first), values

    def labels_of(self, row: int) -> NDArray[np.int32]:
        """int32, the labels of one row."""
        offsets, values = self.labels_csr()
        return values[offsets[row]:offsets[row + 1]]

    def picked_labels(self, seed: int) -> NDArray[np.int32]:
        """int32 [N]: one label per row, drawn evenly from the row's own by a hash of (seed, row); -1 for no label.

        The same whatever the order, the machine or the other rows (paper, supplement C: one hashtag is chosen once).
        """
        offsets, values = self.labels_csr()
        counts = np.diff(offsets)
        picked = np.full(self.num_rows, -1, np.int32)
        some = np.flatnonzero(counts)
        draw = _hashed(seed, some) >> np.uint64(32)
        which = (draw * counts[some].astype(np.uint64)) >> np.uint64(32)
        picked[some] = values[offsets[some] + which.astype(np.int64)]
        return picked

    def name_of(self, row: int) -> str:
        """The path of a row as text for messages and tables."""
        return printable(self._raw_path(row))

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
        """sha256 (hex) over paths, sizes, labels and names."""
        paths = self._column("path")
        lengths = np.diff(_offsets_of(paths))
        offsets, values = self.labels_csr()
        digest = hashlib.sha256(json.dumps(["cfvideo.index.1", self.num_rows, self.label_names]).encode("ascii"))
        for part in (lengths, _bytes_of(paths), self.sizes_bytes, np.diff(offsets), values):
            digest.update(np.ascontiguousarray(part).view(np.uint8).data)
        return digest.hexdigest()

    def save(self, file: Path) -> None:
        """Write the index as one Arrow IPC file."""
        names = json.dumps(self.label_names).encode("ascii")
        table = self.table.replace_schema_metadata({_NAMES: names, _HASH: self.content_hash.encode("ascii")})
        with pa.OSFile(os.fspath(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    @classmethod
    def load(cls, file: Path, root: Path) -> Index:
        """Memory-map a saved index. Raises IntegrityError where the file is damaged or not an index."""
        try:
            table = pa.ipc.open_file(pa.memory_map(os.fspath(file))).read_all()
            metadata = table.schema.metadata or {}
            index = cls(table.replace_schema_metadata(None), tuple(json.loads(metadata[_NAMES])), Path(root))
            index.table.validate(full=True)
        except (pa.ArrowException, KeyError, ValueError, IndexError) as error:
            raise IntegrityError(f"{file} is not an index of samples, or it is damaged: {error}") from error
        if index.content_hash != metadata[_HASH].decode("ascii", "replace"):
            raise IntegrityError(f"{file} does not match its own checksum; delete it and the index is made anew")
        return index


def _offsets_of(paths: pa.Array) -> NDArray[np.int64]:
    buffer = paths.buffers()[1]
    if buffer is None or not len(paths):
        return np.zeros(1, np.int64)
    return np.frombuffer(buffer, np.int64)[paths.offset:paths.offset + len(paths) + 1]


def _bytes_of(paths: pa.Array) -> NDArray[np.uint8]:
    offsets, buffer = _offsets_of(paths), paths.buffers()[2]
    return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)[offsets[0]:offsets[-1]]


def _hashed(seed: int, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Counter-based random numbers: uint64 of (seed, row), by SplitMix64 (Steele et al., 2014)."""
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    with np.errstate(over="ignore"):
        z = start + (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed
