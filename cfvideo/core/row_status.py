"""Which rows of an index cannot be read, as an earlier check found; tied to the index by its content hash.

A status file is a Parquet table of at least row (int64), status (string) and cause (string), one line per row in row
order, with the index's content hash in its metadata.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cfvideo.core.durable import canonical_json
from cfvideo.core.errors import DataError, IntegrityError

INDEX_HASH = b"cfvideo.index"
# What makes a row invalid. Short and truncated videos still give every frame that they have.
UNREADABLE = ("missing", "refused", "no_video", "undecodable", "timeout", "crashed")
_CODECS = ("SNAPPY", "UNCOMPRESSED")
# row -> (status, cause)
KnownBad = Mapping[int, tuple[str, str]]


def read_known_bad(place: Path, index_rows: Mapping[str, int]) -> dict[str, KnownBad]:
    """The unreadable rows of a status file, or of a folder of them: index hash -> row -> (status, cause).

    index_rows: index hash -> number of rows of the index.

    Raises:
        DataError: there is no such file.
        IntegrityError: a file is damaged, or of an index that is none of `index_rows`.
    """
    return {index_hash: rows for index_hash, rows in (_read(file, index_rows) for file in _files(place))}


def _files(place: Path) -> Iterator[Path]:
    files = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise DataError(f"DATA.STATUS: {place} is no status file and no folder of them; tools/check_data.py makes one")
    yield from files


def _read(file: Path, index_rows: Mapping[str, int]) -> tuple[str, KnownBad]:
    try:
        stated = pq.read_metadata(file)
        index_hash = (stated.metadata or {}).get(INDEX_HASH, b"").decode("ascii", "replace")
        if index_hash not in index_rows:
            raise IntegrityError(f"DATA.STATUS: {file} is of another index than this run's "
                                 f"({index_hash[:16] or 'none'}); run tools/check_data.py on the data as it is now")
        _refuse_bombs(file, stated, index_rows[index_hash])
        bad = pq.read_table(file, columns=["row", "status", "cause"], filters=pc.field("status").isin(UNREADABLE))
        columns = (bad.column(name).to_pylist() for name in ("row", "status", "cause"))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise IntegrityError(f"DATA.STATUS: {file} is not a status file, or it is damaged: {error}") from error
    return index_hash, {row: (status, cause) for row, status, cause in zip(*columns, strict=True)}


def _refuse_bombs(file: Path, stated: pq.FileMetaData, num_rows: int) -> None:
    """A few kilobytes can state any number of rows, and some codecs turn them into gigabytes; snappy, which pyarrow
    writes with, makes 22 of 1 byte at most."""
    columns = (stated.row_group(group).column(place)
               for group in range(stated.num_row_groups) for place in range(stated.num_columns))
    codec = next((column.compression for column in columns if column.compression not in _CODECS), None)
    if stated.num_rows > num_rows:
        raise IntegrityError(f"DATA.STATUS: {file} has {stated.num_rows:,} lines for the {num_rows:,} rows of its "
                             "index; run tools/check_data.py anew")
    if codec is not None:
        raise IntegrityError(f"DATA.STATUS: {file} is compressed by {codec}; only {', '.join(_CODECS)} are read: write "
                             "it again with one of them, or run tools/check_data.py anew")


def digest(known: KnownBad) -> str:
    """Stands in for the status file in fingerprints: which rows are left out."""
    return hashlib.sha256(canonical_json(sorted(known)).encode("ascii")).hexdigest()
