"""Every row of an index, probed: what it is and whether it can be read. Resumable by chunks of rows.

| status | meaning |
|---|---|
| ok | every frame that was asked for decodes |
| short | as ok, but fewer frames than wanted |
| truncated | as ok, but the file ends before its container says so, or as no whole stream does |
| missing, refused, no_video, undecodable | see DecodeError |
| timeout, crashed | the decoder hung or died over it, twice |

Decoding happens in worker processes, so that no file can stop the check.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cfvideo.core.durable import TMP_SUFFIX, canonical_json, fsync_folder
from cfvideo.core.errors import DecodeError, IntegrityError
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.records import Reading
from cfvideo.core.row_status import INDEX_HASH
from cfvideo.core.screen import Task
from cfvideo.data.row_jobs import Do, decoding, job_of

IDENTITY = b"cfvideo.check"
CHUNK_ROWS = 1024
_GROUP_ROWS = 16
SCHEMA = pa.schema([
    pa.field("row", pa.int64(), nullable=False), pa.field("path", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False), pa.field("cause", pa.string(), nullable=False),
    pa.field("size_bytes", pa.int64(), nullable=False), pa.field("codec", pa.string()),
    pa.field("container", pa.string()), pa.field("width", pa.int32()), pa.field("height", pa.int32()),
    pa.field("num_frames", pa.int64()), pa.field("variable_rate", pa.bool_()), pa.field("orientation", pa.string()),
    pa.field("counted", pa.bool_()), pa.field("truncated", pa.bool_()),
])


@dataclass(frozen=True)
class Check:
    """What is asked of every row.

    num_decoded: frames decoded per file: 0 the first, n spread evenly, -1 all. min_frames: fewer are `short`.
    """

    index: Index
    num_decoded: int
    min_frames: int
    reading: Reading

    @property
    def identity(self) -> str:
        """Hex digest of all that the answers depend on but the files themselves."""
        asked = {"index": self.index.content_hash, "num_decoded": self.num_decoded, "min_frames": self.min_frames,
                 "decoder": self.reading.decoder, "max_frame_pixels": self.reading.max_frame_pixels,
                 "timeout_seconds": self.reading.timeout_seconds, "version": 2}
        return hashlib.sha256(canonical_json(asked).encode("ascii")).hexdigest()

    @property
    def schema(self) -> pa.Schema:
        """Columns of the status file, and what it is of."""
        return SCHEMA.with_metadata({INDEX_HASH: self.index.content_hash, IDENTITY: self.identity})

    def line(self, row: int, do: Do) -> dict[str, Any]:
        """The line of one row."""
        found: dict[str, Any] = {"row": row, "path": self.index.name_of(row), "cause": "",
                                 "size_bytes": int(self.index.sizes_bytes[row])}
        try:
            job = job_of(self.index, row, "examine", {"num_decoded": self.num_decoded}, self.reading)
            facts = do(job).facts
        except DecodeError as error:
            return found | {"status": error.status, "cause": error.cause}
        status = "truncated" if facts["truncated"] else "short" if facts["num_frames"] < self.min_frames else "ok"
        return found | dict(facts) | {"status": status}


def finished(check: Check, file: Path) -> bool:
    """Whether `file` is the whole answer to this very check. Raises IntegrityError where it is something else."""
    if not file.exists():
        return False
    try:
        metadata = pq.read_schema(file).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise IntegrityError(f"{file}: not a status file, or damaged: {error}; move it away") from error
    return bool(metadata.get(IDENTITY) == check.identity.encode("ascii"))


def run_check(check: Check, file: Path, *, task: Task, stop: StopRequest, chunk_rows: int = CHUNK_ROWS) -> None:
    """Write the status file. Chunks of rows that an earlier call finished are kept, whatever ended it.

    Raises Interrupted, with all finished chunks on disk, after SIGINT or SIGTERM.
    """
    folder = partial_folder(check, file)
    folder.mkdir(parents=True, exist_ok=True)
    chunks = _chunks(check, folder, chunk_rows)
    task.done = sum(stop - start for start, stop, path in chunks if path.exists())
    todo = [chunk for chunk in chunks if not chunk[2].exists()]
    for path, lines in _checked(check, todo, task, stop):
        _publish(pa.Table.from_pylist(lines, check.schema), path)
    _join([path for *_, path in chunks], check.schema, file)
    shutil.rmtree(folder)


def partial_folder(check: Check, file: Path) -> Path:
    """Where finished chunks wait; another check of the same name has another folder."""
    return file.with_name(f"{file.name}.{check.identity[:12]}.partial")


def _chunks(check: Check, folder: Path, chunk_rows: int) -> list[tuple[int, int, Path]]:
    total = check.index.num_rows
    ranges = [(start, min(start + chunk_rows, total)) for start in range(0, total, chunk_rows)]
    return [(start, stop, folder / f"rows-{start:012d}-{stop:012d}.parquet") for start, stop in ranges]


def _checked(check: Check, chunks: Sequence[tuple[int, int, Path]], task: Task, stop: StopRequest
             ) -> Iterator[tuple[Path, list[Mapping[str, Any]]]]:
    """The lines of chunk after chunk, decoded ahead across their borders."""
    groups = ((path, range(first, min(first + _GROUP_ROWS, stop_row)))
              for start, stop_row, path in chunks for first in range(start, stop_row, _GROUP_ROWS))
    num_bad = 0
    with closing(decoding(groups, check.line, check.reading)) as results:
        for path, parts in groupby(results, key=lambda result: result[0]):
            lines: list[Mapping[str, Any]] = []
            for _, part in parts:
                lines += part
                num_bad += sum(line["status"] != "ok" for line in part)
                task.advance(len(part), f"{num_bad} not ok" if num_bad else "")
                stop.check()
            yield path, lines


def _publish(table: pa.Table, path: Path) -> None:
    tmp = path.with_name(path.name + TMP_SUFFIX)
    pq.write_table(table, tmp)
    _replace(tmp, path)


def _join(parts: Sequence[Path], schema: pa.Schema, file: Path) -> None:
    tmp = file.with_name(file.name + TMP_SUFFIX)
    with pq.ParquetWriter(tmp, schema) as writer:
        for part in parts:
            writer.write_table(pq.read_table(part, schema=schema))
    _replace(tmp, file)


def _replace(tmp: Path, path: Path) -> None:
    with tmp.open("rb") as written:
        os.fsync(written.fileno())
    tmp.replace(path)
    fsync_folder(path.parent)
