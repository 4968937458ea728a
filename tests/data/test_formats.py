"""Every format in its on-disk form, and what is wrong with a list, by file and line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cfvideo.core.errors import DataError
from cfvideo.data import formats
from cfvideo.data.formats import read_index
from tests.format_files import labels_of, names_of, touch, write_list

# --- kinetics ---------------------------------------------------------------------------------------------------

def test_kinetics(tmp_path: Path) -> None:
    touch(tmp_path, "zoom/b.mp4", "zoom/a.webm", "zoom/notes.txt", "zoom/.hidden.mp4", "bounce/10.MKV", "bounce/9.avi",
          "readme.mp4", ".git/x.mp4")
    (tmp_path / "empty class").mkdir()
    (tmp_path / "zoom" / "folder.mp4").mkdir()
    index = read_index(format="kinetics", path=tmp_path)
    assert index.label_names == ("bounce", "empty class", "zoom")
    assert names_of(index) == ["bounce/10.MKV", "bounce/9.avi", "zoom/a.webm", "zoom/b.mp4"]
    assert labels_of(index) == [[0], [0], [2], [2]]
    assert index.sizes_bytes.tolist() == [4] * 4
    assert index.path_of(0).read_bytes() == b"1234"


def test_kinetics_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/cl\xff"
    os.mkdir(folder)
    with open(folder + b"/\xfe\n.mp4", "wb") as file:
        file.write(b"x")
    index = read_index(format="kinetics", path=tmp_path)
    assert index.label_names == ("cl\\udcff",)
    assert index.path_of(0).read_bytes() == b"x"
    assert index.name_of(0) == "cl\\udcff/\\udcfe\\n.mp4"


def test_kinetics_test_split_in_the_space_of_train(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "train/b/1.mp4", "train/c/1.mp4", "test/c/1.mp4", "bad/d/1.mp4")
    names = read_index(format="kinetics", path=tmp_path / "train").label_names
    test = read_index(format="kinetics", path=tmp_path / "test", label_names=names)
    assert (test.label_names, labels_of(test)) == (("a", "b", "c"), [[2]])
    with pytest.raises(DataError, match=r"bad/d.*'d' is unknown to the training split"):
        read_index(format="kinetics", path=tmp_path / "bad", label_names=names)


def test_kinetics_links(tmp_path: Path) -> None:
    touch(tmp_path, "outside.mp4", "set/a/1.mp4", "more/1.mp4")
    (tmp_path / "set" / "b").mkdir()
    (tmp_path / "set" / "b" / "inside.mp4").symlink_to(tmp_path / "set" / "a" / "1.mp4")
    assert names_of(read_index(format="kinetics", path=tmp_path / "set")) == ["a/1.mp4", "b/inside.mp4"]
    (tmp_path / "set" / "b" / "x.mp4").symlink_to(tmp_path / "outside.mp4")
    with pytest.raises(DataError, match=r"x\.mp4: a symbolic link out of"):
        read_index(format="kinetics", path=tmp_path / "set")
    (tmp_path / "set" / "b" / "x.mp4").unlink()
    (tmp_path / "set" / "c").symlink_to(tmp_path / "more")
    with pytest.raises(DataError, match=r"set/c: a symbolic link out of"):
        read_index(format="kinetics", path=tmp_path / "set")


@pytest.mark.parametrize(("make", "message"), [
    (lambda path: None, "cannot be read"),
    (lambda path: path.write_text("x"), "cannot be read"),
    (lambda path: path.mkdir(), "no class folders"),
    (lambda path: touch(path, "1.mp4"), "no class folders"),
    (lambda path: touch(path, "a/readme.txt"), "no class folder holds any video"),
])
def test_kinetics_without_videos(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "set")
    with pytest.raises(DataError, match=message) as error:
        read_index(format="kinetics", path=tmp_path / "set")
    assert str(tmp_path / "set") in str(error.value)
    assert error.value.exit_code == 3


# --- sports1m ---------------------------------------------------------------------------------------------------

def test_sports1m(tmp_path: Path) -> None:
    touch(tmp_path, "a b.mp4", "c.mp4")
    (tmp_path / "labels.txt").write_bytes("curling\r\nmarche à pied\r\nsumo\r\n".encode())
    path = write_list(tmp_path, b"\xef\xbb\xbfa b.mp4 2,0\r\n\r\n  c.mp4\t1 \r\nmissing/\xff.mp4 0,0\r\n")
    index = read_index(format="sports1m", path=path)
    assert index.label_names == ("curling", "marche à pied", "sumo")
    assert names_of(index) == ["a b.mp4", "c.mp4", "missing/\\udcff.mp4"]
    assert labels_of(index) == [[0, 2], [1], [0]]
    assert index.sizes_bytes.tolist() == [4, 4, -1]


def test_sports1m_root_and_numbers_for_names(tmp_path: Path) -> None:
    touch(tmp_path / "videos", "x.mp4")
    index = read_index(format="sports1m", path=write_list(tmp_path, b"x.mp4 3"), root=tmp_path / "videos")
    assert index.label_names == ("0", "1", "2", "3")
    assert index.sizes_bytes.tolist() == [4]


@pytest.mark.parametrize(("line", "message"), [
    (b"x.mp4", "expected 'path label"), (b"x.mp4 -1", r"'-1' is not a whole number in \[0, 3\)"),
    (b"x.mp4 3", "'3' is not"), (b"x.mp4 1,", "'' is not"), (b"x.mp4 one", "'one' is not"), (b"x.mp4 1.0", "'1.0'"),
    (b"x.mp4 99999999999999999999", "whole number"), (b"ok.mp4 1", "listed twice, first in .*train.txt:2"),
    (b"./ok.mp4 1", "listed twice"), (b"../x.mp4 1", "leaves the root"), (b"a/../../x.mp4 1", "leaves the root"),
    (b"/etc/passwd 1", "absolute"), (b"x\0.mp4 1", "zero byte"), ("x.mp4 \u00b2".encode(), "whole number"),
])
def test_sports1m_errors_name_the_line(tmp_path: Path, line: bytes, message: str) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    path = write_list(tmp_path, b"\r\nok.mp4 0\r\n" + line + b"\r\n")
    with pytest.raises(DataError, match=message) as error:
        read_index(format="sports1m", path=path)
    assert f"{path}:3" in str(error.value)


def test_sports1m_a_stray_id_does_not_make_a_million_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="whole number"):
        read_index(format="sports1m", path=write_list(tmp_path, b"x.mp4 999999999"))


def test_sports1m_test_split_in_the_space_of_train(tmp_path: Path) -> None:
    test = read_index(format="sports1m", path=write_list(tmp_path, b"x.mp4 0"), label_names=("a", "b"))
    assert test.label_names == ("a", "b")
    with pytest.raises(DataError, match=r"train\.txt:1"):
        read_index(format="sports1m", path=write_list(tmp_path, b"x.mp4 2"), label_names=("a", "b"))


def test_sports1m_names_are_checked(tmp_path: Path) -> None:
    path = write_list(tmp_path, b"x.mp4 0")
    (tmp_path / "labels.txt").write_text("a\nb\na\n")
    with pytest.raises(DataError, match=r"labels\.txt: the label 'a' appears twice"):
        read_index(format="sports1m", path=path)
    (tmp_path / "labels.txt").write_text("a\n\nb\n")
    with pytest.raises(DataError, match="blank line"):
        read_index(format="sports1m", path=path)
    (tmp_path / "labels.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(DataError, match=r"labels\.txt:2: not UTF-8"):
        read_index(format="sports1m", path=path)


@pytest.mark.parametrize("format", ["sports1m", "weak_labels"])
def test_lists_that_are_not_there(tmp_path: Path, format: str) -> None:
    with pytest.raises(DataError, match="holds no samples"):
        read_index(format=format, path=write_list(tmp_path, b"\r\n \n"))
    for path in (tmp_path / "no.txt", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_index(format=format, path=path)


# --- weak labels ------------------------------------------------------------------------------------------------

def tags(*records: object, bom: bool = False) -> bytes:
    return (b"\xef\xbb\xbf" if bom else b"") + b"\r\n\r\n".join(json.dumps(record).encode() for record in records)


def test_weak_labels(tmp_path: Path) -> None:
    touch(tmp_path, "v/1.mp4")
    path = write_list(tmp_path, tags({"path": "v/1.mp4", "tags": ["#zoom", "#love", "#love"], "user": 7},
                                     {"path": "v/2 ü.mp4", "tags": []}, {"path": "v/3\udcff.mp4", "tags": ["#Été"]},
                                     bom=True))
    index = read_index(format="weak_labels", path=path)
    assert index.label_names == ("#love", "#zoom", "#Été")
    assert labels_of(index) == [[0, 1], [], [2]]
    assert names_of(index) == ["v/1.mp4", "v/2 ü.mp4", "v/3\\udcff.mp4"]
    assert index.sizes_bytes.tolist() == [4, -1, -1]
    assert index.picked_labels(0)[1] == -1


def test_rare_labels_go_and_rows_stay(tmp_path: Path) -> None:
    path = write_list(tmp_path, tags(*({"path": f"{i}.mp4", "tags": ["common", f"own{i}", *["twice"] * (i < 2)]}
                                       for i in range(4)), {"path": "rare.mp4", "tags": ["own9"]}))
    index = read_index(format="weak_labels", path=path, min_rows_per_label=2)
    assert index.label_names == ("common", "twice")
    assert labels_of(index) == [[0, 1], [0, 1], [0], [0], []]
    assert read_index(format="weak_labels", path=path, min_rows_per_label=3).label_names == ("common",)
    assert len(read_index(format="weak_labels", path=path).label_names) == 7
    with pytest.raises(DataError, match="MIN_ROWS_PER_LABEL = 5"):
        read_index(format="weak_labels", path=path, min_rows_per_label=5)


@pytest.mark.parametrize(("line", "message"), [
    (b"{", "not JSON"), (b"[" * 100_000, "not JSON"), (b"\xff", "not UTF-8"), (b"[]", "expected"),
    (b'{"path": "x.mp4"}', "expected"), (b'{"path": 3, "tags": []}', "expected"),
    (b'{"path": "x.mp4", "tags": "a"}', "expected"), (b'{"path": "x.mp4", "tags": [1]}', "expected"),
    (b'{"path": "../x.mp4", "tags": []}', "leaves the root"), (b'{"path": "/x.mp4", "tags": []}', "absolute"),
    (b'{"path": "", "tags": []}', "empty"), (b'{"path": "ok.mp4", "tags": []}', "listed twice"),
    (b'{"path": "\\ud800", "tags": []}', "not a file name"),
])
def test_weak_labels_errors_name_the_line(tmp_path: Path, line: bytes, message: str) -> None:
    path = write_list(tmp_path, b'{"path": "ok.mp4", "tags": ["a"]}\n' + line)
    with pytest.raises(DataError, match=message) as error:
        read_index(format="weak_labels", path=path)
    assert f"{path}:2" in str(error.value)


def test_weak_labels_in_a_given_space(tmp_path: Path) -> None:
    path = write_list(tmp_path, tags({"path": "1.mp4", "tags": ["b"]}))
    assert labels_of(read_index(format="weak_labels", path=path, label_names=("a", "b"), min_rows_per_label=9)) == [[1]]
    with pytest.raises(DataError, match=r"train\.txt:1: label 'b' is unknown"):
        read_index(format="weak_labels", path=path, label_names=("a",))


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"allowed: {', '.join(formats.FORMATS)}"):
        read_index(format="kinetcs", path=tmp_path)
