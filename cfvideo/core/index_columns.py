"""The columns of an index as Arrow and NumPy see them: schemas, labels as CSR, the digest of the content.

N rows, M labels over all rows. Nothing here makes a Python object per row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cfvideo.core.errors import DataError
from cfvideo.core.splitmix import splitmix64

SCHEMA = pa.schema([
    pa.field("path", pa.large_binary(), nullable=False),
    pa.field("size_bytes", pa.int64(), nullable=False),
    pa.field("labels", pa.large_list(pa.field("item", pa.int32(), nullable=False)), nullable=False),
])
# Rows that are parts of files (members of tar shards) or of frame folders have three columns more.
PARTS_SCHEMA = pa.schema([
    *SCHEMA,
    pa.field("offset", pa.int64(), nullable=False),
    pa.field("length", pa.int64(), nullable=False),
    pa.field("member", pa.large_binary(), nullable=False),
])

# Rows that are sorted at a time: bounds the memory, changes nothing else.
RENUMBERED_ROWS = 1 << 20


def labels_array(offsets: NDArray[np.int64], values: NDArray[np.int32]) -> pa.Array:
    """The labels column of CSR arrays, without copies."""
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(values, pa.int32()),
                                         type=SCHEMA.field("labels").type)


def labels_csr(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """offsets int64 [N + 1], values int32 [M] of a labels column, without copies where it starts at 0."""
    offsets = column.offsets.to_numpy(zero_copy_only=True)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
    values = column.values.slice(first, last - first).to_numpy(zero_copy_only=True)
    return (offsets if not first else offsets - first), values


def renumbered(offsets: NDArray[np.int64], values: NDArray[np.int32], new_ids: NDArray[np.int32]
               ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """CSR labels with id i replaced by new_ids[i], dropped where that is -1; ascending within each row."""
    counts, kept = [np.zeros(1, np.int64)], [np.zeros(0, np.int32)]
    for first in range(0, len(offsets) - 1, RENUMBERED_ROWS):
        part = offsets[first:first + RENUMBERED_ROWS + 1]
        rows = np.repeat(np.arange(len(part) - 1), np.diff(part))
        ids = new_ids[values[part[0]:part[-1]]].astype(np.int32)
        rows, ids = rows[ids >= 0], ids[ids >= 0]
        counts.append(np.bincount(rows, minlength=len(part) - 1))
        kept.append(ids[np.lexsort((ids, rows))])
    return np.cumsum(np.concatenate(counts), dtype=np.int64), np.concatenate(kept)


def no_pairs() -> NDArray[np.int64]:
    """No (row, label) at all."""
    return np.zeros((0, 2), np.int64)


def checked_pairs(pairs: NDArray[np.int64], num_rows: int, num_labels: int) -> NDArray[np.int64]:
    """(row, label) pairs in order, each once, read-only. Raises ValueError for rows and labels that are not there."""
    ordered = np.unique(np.asarray(pairs, np.int64).reshape(-1, 2), axis=0)
    if len(ordered) and (ordered.min() < 0 or (ordered.max(axis=0) >= (num_rows, num_labels)).any()):
        raise ValueError(f"ignored rows lie in [0, {num_rows}), ignored labels in [0, {num_labels})")
    ordered.flags.writeable = False
    return ordered


def renumbered_pairs(pairs: NDArray[np.int64], new_ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """(row, label) with label i replaced by new_ids[i], dropped where that is -1."""
    renamed = np.stack([pairs[:, 0], new_ids[pairs[:, 1]]], axis=1)
    return renamed[renamed[:, 1] >= 0]


def picked(offsets: NDArray[np.int64], values: NDArray[np.int32], seed: int) -> NDArray[np.int32]:
    """One label of each row of CSR labels, by a hash of (seed, row); -1 for rows without."""
    counts = np.diff(offsets)
    chosen = np.full(len(counts), -1, np.int32)
    some = np.flatnonzero(counts)
    draw = hashed(seed, some) >> np.uint64(32)
    which = (draw * counts[some].astype(np.uint64)) >> np.uint64(32)
    chosen[some] = values[offsets[some] + which.astype(np.int64)]
    return chosen


def check_names(names: Sequence[str], where: str = "label_names") -> None:
    """Label names end up in tables and pages. Raises DataError for one that no file can hold: JSON may have half of a
    character ("\\ud800")."""
    try:
        "\n".join(names).encode()
    except UnicodeEncodeError as error:
        wrong = next(name for name in names if any("\ud800" <= c <= "\udfff" for c in name))
        raise DataError(f"{where}: the label {wrong!r} holds half of a character (a lone surrogate); write it as "
                        "whole UTF-8 characters") from error


def ids_of(names: Sequence[str], where: str = "label_names") -> dict[str, int]:
    """Label name -> id. Raises DataError where a name appears twice."""
    ids = {name: label for label, name in enumerate(names)}
    if len(ids) < len(names):
        twice = next(name for label, name in enumerate(names) if ids[name] != label)
        raise DataError(f"{where}: the label {twice!r} appears twice")
    return ids


def content_digest(table: pa.Table, label_names: Sequence[str], ignored: NDArray[np.int64]) -> str:
    """sha256 (hex) over the columns, the names and what is ignored. Indexes without parts, and those that ignore
    nothing, keep the digest they had before there were such things."""
    has_parts = len(table.schema) > len(SCHEMA)
    head: list[Any] = ["cfvideo.index.1", table.num_rows, label_names]
    digest = hashlib.sha256(json.dumps([*head, "parts"] if has_parts else head).encode("ascii"))
    paths, (offsets, values) = single(table, "path"), labels_csr(single(table, "labels"))
    parts = [np.diff(offsets_of(paths)), bytes_of(paths), single(table, "size_bytes").to_numpy(), np.diff(offsets),
             values]
    if has_parts:
        members = single(table, "member")
        parts += [single(table, "offset").to_numpy(), single(table, "length").to_numpy(),
                  np.diff(offsets_of(members)), bytes_of(members)]
    if len(ignored):
        parts += [np.frombuffer(b"ignored", np.uint8), ignored]
    for part in parts:
        digest.update(np.ascontiguousarray(part).view(np.uint8).data)
    return digest.hexdigest()


def single(table: pa.Table, name: str) -> pa.Array:
    """A column of a table whose chunks were combined."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], type=column.type)


def offsets_of(paths: pa.Array) -> NDArray[np.int64]:
    """int64 [N + 1]: where each value of a binary column begins and ends in its buffer."""
    buffer = paths.buffers()[1]
    if buffer is None or not len(paths):
        return np.zeros(1, np.int64)
    return np.frombuffer(buffer, np.int64)[paths.offset:paths.offset + len(paths) + 1]


def bytes_of(paths: pa.Array) -> NDArray[np.uint8]:
    """uint8: the values of a binary column, one after the other."""
    offsets, buffer = offsets_of(paths), paths.buffers()[2]
    return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)[offsets[0]:offsets[-1]]


def hashed(seed: int, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Counter-based random numbers: uint64 of (seed, row), by SplitMix64."""
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    return splitmix64(start + (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
