"""A finished index as a format, and what holds of every format: order, repeats, chunks, label spaces."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet
import pytest

from cfvideo.core import index_builder
from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.formats import list_files
from cfvideo.core.formats.index_file import names_from, write_parquet
from cfvideo.core.index import Index
from cfvideo.data.formats import read_index
from tests.format_files import labels_of, named_labels_of, names_of, touch, write_list


def weak(folder: Path, num_rows: int = 100) -> Path:
    lines = (json.dumps({"path": f"v/{row}.mp4", "tags": [f"t{(7 * row + k) % 13}" for k in range(row % 4)]})
             for row in range(num_rows))
    return write_list(folder, "\n".join(lines).encode(), "tags.jsonl")


def saved(folder: Path) -> tuple[Index, Path]:
    index = read_index(format="weak_labels", path=weak(folder))
    index.save(folder / "tags.arrow")
    return index, folder / "tags.arrow"


def test_an_index_is_read_as_it_was_made(tmp_path: Path) -> None:
    index, file = saved(tmp_path)
    touch(tmp_path / "other", "v/0.mp4")
    again = read_index(format="index", path=file)
    assert again.content_hash == index.content_hash
    assert labels_of(again) == labels_of(index)
    assert again.root == tmp_path
    assert read_index(format="index", path=file, root=tmp_path / "other").path_of(0).read_bytes() == b"1234"


def test_an_index_loses_its_rare_labels(tmp_path: Path) -> None:
    index, file = saved(tmp_path)
    rare = read_index(format="index", path=file, min_rows_per_label=12)
    assert 0 < len(rare.label_names) < len(index.label_names)
    again = read_index(format="weak_labels", path=weak(tmp_path), min_rows_per_label=12)
    assert rare.content_hash == again.content_hash


def test_an_index_in_another_label_space(tmp_path: Path) -> None:
    index, file = saved(tmp_path)
    space = ("new", *reversed(index.label_names))
    other = read_index(format="index", path=file, label_names=space, min_rows_per_label=99)
    assert other.label_names == space
    assert [set(row) for row in named_labels_of(other)] == [set(row) for row in named_labels_of(index)]
    assert all(row == sorted(row) for row in labels_of(other))
    with pytest.raises(DataError, match="label 't.*' is unknown"):
        read_index(format="index", path=file, label_names=("new",))


def test_files_that_are_no_index(tmp_path: Path) -> None:
    for path in (tmp_path / "no.arrow", tmp_path):
        with pytest.raises(DataError, match="no such index"):
            read_index(format="index", path=path)
    with pytest.raises(IntegrityError):
        read_index(format="index", path=write_list(tmp_path, b"text", "x.arrow"))


def test_parquet_holds_the_same_columns(tmp_path: Path) -> None:
    index, _ = saved(tmp_path)
    write_parquet(index, tmp_path / "tags.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "tags.parquet")
    assert table.select(["path", "size_bytes", "labels"]).to_pydict() == index.table.to_pydict()
    assert json.loads(table.schema.metadata[b"cfvideo.label_names"]) == list(index.label_names)
    assert table.schema.metadata[b"cfvideo.content_hash"].decode() == index.content_hash


def test_label_spaces_from_files(tmp_path: Path) -> None:
    index, file = saved(tmp_path)
    assert names_from(file) == index.label_names
    assert names_from(write_list(tmp_path, b"b\r\na\r\n", "names.txt")) == ("b", "a")
    for path in (tmp_path / "no.txt", write_list(tmp_path, b"", "empty.txt")):
        with pytest.raises(DataError, match="missing or empty"):
            names_from(path)


def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_index(format="weak_labels", path=weak(tmp_path))
    seen: list[int] = []
    monkeypatch.setattr(index_builder, "CHUNK_ROWS", 7)
    pieces = read_index(format="weak_labels", path=weak(tmp_path), progress=seen.append)
    assert pieces.content_hash == whole.content_hash
    assert seen == list(range(7, 100, 7))
    assert pieces.table.column("path").num_chunks == 1


def test_a_row_listed_twice_is_found_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_builder, "CHUNK_ROWS", 7)
    path = write_list(tmp_path, b"".join(b"%d.mp4 0\n" % (row % 60) for row in range(80)))
    with pytest.raises(DataError, match=rf"{path}:61: 0\.mp4 is listed twice, first in {path}:1$"):
        read_index(format="path_label", path=path)


def test_paths_whose_hashes_collide_are_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_files, "hash", lambda value: 1, raising=False)
    path = write_list(tmp_path, b"a.mp4 0\nb.mp4 0\nc.mp4 1\n")
    assert names_of(read_index(format="path_label", path=path)) == ["a.mp4", "b.mp4", "c.mp4"]
    path = write_list(tmp_path, b"a.mp4 0\nb.mp4 0\na.mp4 1\n")
    with pytest.raises(DataError, match=rf"{path}:3: a\.mp4 is listed twice, first in {path}:1"):
        read_index(format="path_label", path=path)
