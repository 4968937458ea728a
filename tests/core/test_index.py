"""The frozen index: content, identity, storage, labels picked once, paths that stay inside."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.index import SCHEMA, Index

PATHS = [b"a/1.mp4", b"a/\xff\xfe.mp4", b"b/new\nline.mp4", "b/ü.mp4".encode()]


def make(root: Path = Path("/data"), **changes: object) -> Index:
    values: dict[str, object] = {"paths": PATHS, "sizes": [10, 20, -1, 5], "labels": [[0], [0, 2], [], [1]],
                                 "label_names": ["x", "y", "z"], "root": root} | changes
    return Index.build(**values)  # type: ignore[arg-type]


def test_columns_and_access() -> None:
    index = make()
    offsets, values = index.labels_csr()
    assert index.num_rows == 4
    assert index.total_bytes == 35
    assert index.sizes_bytes.tolist() == [10, 20, -1, 5]
    assert offsets.tolist() == [0, 1, 3, 3, 4]
    assert values.tolist() == [0, 0, 2, 1]
    assert index.labels_of(1).tolist() == [0, 2]


def test_nothing_can_be_changed() -> None:
    index = make()
    with pytest.raises(AttributeError):
        index.root = Path("/")  # type: ignore[misc]
    for array in (index.sizes_bytes, *index.labels_csr()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_identity_is_the_content() -> None:
    index = make()
    assert make(root=Path("/elsewhere")).content_hash == index.content_hash
    for changed in ({"paths": [*PATHS[:3], b"b/u.mp4"]}, {"sizes": [10, 20, 0, 5]}, {"labels": [[0], [0], [2], [1]]},
                    {"label_names": ["x", "y", "w"]}, {"labels": [[0, 0], [2], [], [1]]}):
        assert make(**changed).content_hash != index.content_hash
    # The border between two paths counts, not only their bytes.
    assert make(paths=[b"a/1.mp", b"4a/\xff\xfe.mp4", *PATHS[2:]]).content_hash != index.content_hash


def test_identity_ignores_chunks_and_slices() -> None:
    index = make()
    pieces = pa.concat_tables([index.table.slice(0, 1), index.table.slice(1, 0), index.table.slice(1, 3)])
    twice = pa.concat_tables([index.table, index.table])
    for table in (pieces, twice.slice(4, 4)):
        other = Index(table, index.label_names, index.root)
        assert other.content_hash == index.content_hash
        assert other.labels_of(1).tolist() == [0, 2]
        assert other.picked_labels(3).tolist() == index.picked_labels(3).tolist()


def test_a_known_hash() -> None:
    """The identity may never change by accident: every fingerprint hangs on it."""
    assert make().content_hash == "822362d61375be4c9d3af2548510a3ad0b1c1ac83c873e8e591482c74acf309c"


@pytest.mark.parametrize("rows", [0, 4])
def test_saved_and_loaded(tmp_path: Path, rows: int) -> None:
    index = Index(make().table.slice(0, rows), ("x", "y", "ö\n"), Path("/data"))
    index.save(tmp_path / "index.arrow")
    loaded = Index.load(tmp_path / "index.arrow", Path("/other"))
    assert loaded.table.equals(index.table)
    assert loaded.label_names == index.label_names
    assert loaded.content_hash == index.content_hash
    assert loaded.root == Path("/other")


def test_a_damaged_file_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "index.arrow"
    make().save(file)
    whole = file.read_bytes()
    assert whole.count(b"a/1.mp4") == 1
    for damaged in (whole.replace(b"a/1.mp4", b"a/2.mp4"), whole[:100], whole[:-20], b"", b"text"):
        file.write_bytes(damaged)
        with pytest.raises(IntegrityError, match=r"index\.arrow"):
            Index.load(file, tmp_path)


def test_arrow_files_of_others_are_refused(tmp_path: Path) -> None:
    table = pa.table({"path": ["a"]})
    with pa.OSFile(str(tmp_path / "x"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(IntegrityError):
        Index.load(tmp_path / "x", tmp_path)
    with pytest.raises(ValueError, match="columns"):
        Index(table, (), tmp_path)
    assert SCHEMA.names == ["path", "size_bytes", "labels"]


def write_as_others_might(file: Path, index: Index, compression: str | None = None, **changes: str | None) -> Path:
    """An index file whose metadata are changed (None: left out)."""
    values = {"label_names": json.dumps(index.label_names), "content_hash": index.content_hash, "ignored": "[]"}
    metadata = {f"cfvideo.{name}": value for name, value in (values | changes).items() if value is not None}
    table, options = index.table.replace_schema_metadata(metadata), pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return file


@pytest.mark.parametrize("changes", [
    {"content_hash": None}, {"label_names": "5"}, {"label_names": "[1, 2, 3]"}, {"label_names": '"xyz"'},
    {"label_names": "[" * 100_000}, {"ignored": "{}"}, {"ignored": "[[null, 1]]"}, {"ignored": f"[[1{'0' * 30}, 1]]"},
    {"ignored": f"[[1{'0' * 5000}, 1]]"}, {"ignored": "[" * 100_000}], ids=lambda changes: str(changes)[:30])
def test_metadata_that_a_stranger_wrote_are_refused(tmp_path: Path, changes: dict[str, str | None]) -> None:
    assert Index.load(write_as_others_might(tmp_path / "x", make()), tmp_path).num_rows == 4
    with pytest.raises(IntegrityError, match="is not an index of samples, or it is damaged"):
        Index.load(write_as_others_might(tmp_path / "x", make(), **changes), tmp_path)


def test_a_flipped_byte_anywhere_changes_nothing_or_is_refused(tmp_path: Path) -> None:
    """Arrow leaves gaps between its parts, whose bytes are nobody's."""
    file, refused = tmp_path / "index.arrow", 0
    make().save(file)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1:])
        try:
            assert Index.load(file, tmp_path).content_hash == make().content_hash
        except IntegrityError:
            refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_compressed_index_is_refused_before_it_is_expanded(tmp_path: Path, compression: str) -> None:
    large = make(paths=[b"a" * 10_000_000, *PATHS[1:]])
    file = write_as_others_might(tmp_path / "x", large, compression)
    assert file.stat().st_size < 100_000
    with pytest.raises(IntegrityError, match="its body is compressed"):
        Index.load(file, tmp_path)


def test_label_names_that_no_file_can_hold_are_refused() -> None:
    with pytest.raises(DataError, match=r"the label 'y\\ud800' holds half of a character"):
        make(label_names=["x", "y\ud800", "z"])


@pytest.mark.parametrize("labels", [[[0], [3], [], [1]], [[-1], [0], [], [1]]])
def test_labels_outside_the_names_are_refused(labels: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="labels lie in"):
        make(labels=labels)


def big(num_rows: int, labels: list[list[int]]) -> Index:
    return Index.build(paths=[b"%d" % row for row in range(num_rows)], sizes=[0] * num_rows, labels=labels,
                       label_names=[str(i) for i in range(10)], root=Path())


def test_picked_labels_are_the_rows_own_and_even() -> None:
    picked = big(9000, [[1, 4, 7], [], [2]] * 3000).picked_labels(0)
    assert picked.dtype == np.int32
    assert set(picked[1::3].tolist()) == {-1}
    assert set(picked[2::3].tolist()) == {2}
    counts = np.bincount(picked[::3], minlength=10)
    assert np.flatnonzero(counts).tolist() == [1, 4, 7]
    assert counts[[1, 4, 7]].min() > 900


def test_picked_labels_depend_on_seed_and_row_alone() -> None:
    labels = [list(range(10))] * 500
    first, again, longer = big(500, labels), big(500, labels), big(700, labels + labels[:200])
    assert first.picked_labels(5).tolist() == again.picked_labels(5).tolist()
    assert first.picked_labels(5).tolist() == longer.picked_labels(5)[:500].tolist()
    same = np.mean(first.picked_labels(5) == first.picked_labels(6))
    neighbours = np.mean(first.picked_labels(5)[1:] == first.picked_labels(6)[:-1])
    assert same < 0.2
    assert neighbours < 0.2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=30), st.integers(0, 2**63))
def test_every_row_with_labels_picks_one(labels: list[list[int]], seed: int) -> None:
    picked = big(len(labels), labels).picked_labels(seed)
    assert all((label in row) if row else label == -1 for label, row in zip(picked, labels, strict=True))


def test_names_print() -> None:
    index = make()
    assert index.name_of(0) == "a/1.mp4"
    assert index.name_of(1) == "a/\\udcff\\udcfe.mp4"
    assert index.name_of(2) == "b/new\\nline.mp4"
    assert index.name_of(3) == "b/ü.mp4"
    assert all(index.name_of(row).encode("utf-8") for row in range(4))
    for row in (-1, 4):
        with pytest.raises(IndexError):
            index.name_of(row)


def test_paths_keep_their_bytes(tmp_path: Path) -> None:
    path = make(root=tmp_path).path_of(1)
    assert os.fsencode(path) == os.fsencode(os.path.realpath(tmp_path)) + b"/a/\xff\xfe.mp4"


@pytest.mark.parametrize("path", [b"../x", b"a/../../x", b"/etc/passwd", b"", b"a\0b"])
def test_paths_that_leave_the_root_are_refused(tmp_path: Path, path: bytes) -> None:
    with pytest.raises(DataError, match="row 0"):
        make(root=tmp_path, paths=[path, *PATHS[1:]]).path_of(0)


def test_links_that_leave_the_root_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("secret")
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.mp4").symlink_to(tmp_path / "out")
    (root / "b").mkdir()
    (root / "b" / "ü.mp4").symlink_to(root / "a")
    index = make(root=root)
    with pytest.raises(DataError, match="symbolic link"):
        index.path_of(0)
    assert index.path_of(3).name == "ü.mp4"


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "real" / "a" / "1.mp4").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert make(root=tmp_path / "link").path_of(0).read_text() == "x"


def ignoring(*pairs: tuple[int, int]) -> Index:
    return replace(make(), ignored=np.array(pairs, np.int64).reshape(-1, 2))


def test_what_a_test_ignores_is_content_and_survives_storage(tmp_path: Path) -> None:
    index = ignoring((3, 2), (1, 0), (1, 2), (3, 2))
    assert index.ignored.tolist() == [[1, 0], [1, 2], [3, 2]]
    assert [index.ignored_of(row).tolist() for row in range(4)] == [[], [0, 2], [], [2]]
    assert len({index.content_hash, make().content_hash, ignoring((1, 0)).content_hash}) == 3
    assert ignoring().content_hash == make().content_hash
    index.save(tmp_path / "x.arrow")
    assert Index.load(tmp_path / "x.arrow", Path("/data")).ignored.tolist() == index.ignored.tolist()
    with pytest.raises(ValueError, match="read-only"):
        index.ignored[0] = 1


def test_ignored_labels_are_renamed_and_dropped_with_the_others() -> None:
    renamed = ignoring((0, 1), (1, 2), (3, 0)).relabelled(np.array([1, -1, 0], np.int32), ["z", "x"])
    assert renamed.ignored.tolist() == [[1, 0], [3, 1]]


@pytest.mark.parametrize("pair", [(4, 0), (0, 3), (-1, 0), (0, -1)])
def test_ignored_rows_and_labels_exist(pair: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="ignored rows lie in"):
        ignoring(pair)
