"""Rows known to be bad: read from a status file, tied to their index, and part of what a result depends on."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cfvideo.core.datasets import DataSets
from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.index import Index
from cfvideo.core.row_status import INDEX_HASH, UNREADABLE, read_known_bad

STATUSES = ("ok", "short", "truncated", *UNREADABLE)


def write(file: Path, index_hash: str, statuses: tuple[str, ...] = STATUSES, **options: object) -> Path:
    causes = [f"c{row}" for row in range(len(statuses))]
    table = pa.table({"row": range(len(statuses)), "status": statuses, "cause": causes})
    pq.write_table(table.replace_schema_metadata({INDEX_HASH: index_hash}), file, **options)
    return file


def test_what_cannot_be_read_is_bad_and_nothing_else(tmp_path: Path) -> None:
    known = read_known_bad(write(tmp_path / "a.parquet", "h"), {"h": len(STATUSES), "other": 1})
    assert known == {"h": {row: (STATUSES[row], f"c{row}") for row in range(3, len(STATUSES))}}


def test_a_folder_holds_one_file_per_index(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", "h", ("ok", "missing"))
    write(tmp_path / "b.parquet", "g", ("ok",))
    assert read_known_bad(tmp_path, {"g": 1, "h": 2}) == {"h": {1: ("missing", "c1")}, "g": {}}
    with pytest.raises(IntegrityError, match=r"b\.parquet is of another index"):
        read_known_bad(tmp_path, {"h": 2})


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_what_is_no_status_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a.parquet"
    if content is None:
        pq.write_table(pa.table({"row": [1]}).replace_schema_metadata({INDEX_HASH: "h"}), file)
    else:
        file.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"DATA\.STATUS: .*a\.parquet"):
        read_known_bad(file, {"h": 1})


def test_what_grows_beyond_its_index_or_its_bytes_is_not_expanded(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.parquet", "h", compression="none")
    assert len(read_known_bad(plain, {"h": len(STATUSES)})["h"]) == len(UNREADABLE)
    with pytest.raises(IntegrityError, match=r"plain\.parquet has 9 lines for the 8 rows of its index"):
        read_known_bad(plain, {"h": len(STATUSES) - 1})
    packed = write(tmp_path / "packed.parquet", "h", ("missing",) * 1_000_000, compression="zstd")
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(IntegrityError, match=r"packed\.parquet is compressed by ZSTD"):
        read_known_bad(packed, {"h": 1_000_000})
    assert pa.default_memory_pool().max_memory() == before


def test_nothing_there(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere.parquet"):
        with pytest.raises(DataError, match="is no status file and no folder of them"):
            read_known_bad(place, {"h": 1})


def test_bad_rows_are_part_of_what_a_result_depends_on(tmp_path: Path) -> None:
    index = Index.build(paths=[b"a"], sizes=[1], labels=[[]], label_names=[], root=tmp_path)

    def identity(known: dict[int, tuple[str, str]]) -> dict[str, str]:
        return DataSets(index, index, {}, known_bad={index.content_hash: known}).identity_of(index)

    nothing = DataSets(index, index, {}).identity_of(index)
    assert nothing == identity({}) == {"index": index.content_hash}
    assert identity({0: ("missing", "")})["known_bad"] == identity({0: ("timeout", "x")})["known_bad"]
    assert identity({0: ("missing", "")}) != identity({1: ("missing", "")})
