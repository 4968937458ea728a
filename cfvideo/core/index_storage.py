"""An index as one Arrow IPC file. What is read back may be a stranger's: nothing in it is expanded or believed.

Arrow's own reader would decompress a body of any size, and follow a footer that names one batch a thousand times,
before a checksum could be looked at. So the messages are read one after the other, each once, as they lie in the file.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cfvideo.core.index_columns import PARTS_SCHEMA, SCHEMA

_NAMES, _HASH, _IGNORED = b"cfvideo.label_names", b"cfvideo.content_hash", b"cfvideo.ignored"
_MAGIC = b"ARROW1\0\0"
# Places of fields in the tables of Arrow's Message.fbs.
_MESSAGE_HEADER, _BATCH_COMPRESSION = 2, 3
# What pyarrow and the checks below raise for a file that is damaged or not an index. OSError is also the disk's.
DAMAGE = (pa.ArrowException, OSError, KeyError, ValueError, IndexError, TypeError, OverflowError, RecursionError,
          struct.error)


class Stored(NamedTuple):
    """What an index file holds; content_hash is what it says of itself."""

    table: pa.Table
    label_names: tuple[str, ...]
    ignored: NDArray[np.int64]
    content_hash: str


def write_stored(file: Path, stored: Stored) -> None:
    """Write an index file."""
    table = stored.table.replace_schema_metadata({
        _NAMES: json.dumps(stored.label_names).encode("ascii"), _HASH: stored.content_hash.encode("ascii"),
        _IGNORED: json.dumps(stored.ignored.tolist()).encode("ascii")})
    with pa.OSFile(os.fspath(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_stored(file: Path) -> Stored:
    """Memory-map an index file: well-formed, but neither labels nor checksum are looked at. Raises one of DAMAGE."""
    table = _table(file)
    table.validate(full=True)
    metadata = table.schema.metadata or {}
    names = json.loads(metadata[_NAMES])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("its label names are no list of names")
    ignored = np.array(json.loads(metadata.get(_IGNORED, b"[]")), np.int64).reshape(-1, 2)
    content_hash = metadata[_HASH].decode("ascii", "replace")
    return Stored(table.replace_schema_metadata(None), tuple(names), ignored, content_hash)


def _table(file: Path) -> pa.Table:
    mapped = pa.memory_map(os.fspath(file))
    footer = pa.ipc.open_file(mapped)  # a file that was cut has none
    mapped.seek(len(_MAGIC))
    messages = pa.ipc.MessageReader.open_stream(mapped)
    schema = pa.ipc.read_schema(messages.read_next_message())
    if not any(schema.equals(known) for known in (SCHEMA, PARTS_SCHEMA)) or not schema.equals(footer.schema, True):
        raise ValueError(f"an index has the columns {SCHEMA.names}, got {schema.names}")
    batches = []
    for _ in range(footer.num_record_batches):
        message = messages.read_next_message()
        if _is_compressed(message.metadata.to_pybytes()):
            raise ValueError("its body is compressed; an index never is")
        batches.append(pa.ipc.read_record_batch(message, schema))
    return pa.Table.from_batches(batches, schema)


def _is_compressed(message: bytes) -> bool:
    """Whether the flatbuffer of a record batch says that its buffers are; Python's Arrow does not tell."""
    (root,) = struct.unpack_from("<I", message)
    header = _field(message, root, _MESSAGE_HEADER)
    if header is None:
        return False
    (offset,) = struct.unpack_from("<I", message, header)
    return _field(message, header + offset, _BATCH_COMPRESSION) is not None


def _field(buffer: bytes, table: int, place: int) -> int | None:
    """Where a field of a flatbuffer's table lies; None where the table has none."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    entry = 4 + 2 * place
    if entry >= struct.unpack_from("<H", buffer, vtable)[0]:
        return None
    offset: Any = struct.unpack_from("<H", buffer, vtable + entry)[0]
    return table + int(offset) if offset else None
