"""Something-Something V1 and V2 in their true form, and what is wrong with a list, by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.data.formats import read_index
from tests.format_files import labels_of, names_of, touch, write_list

V1_LABELS = "Holding something\r\nSomething falling like a feather or paper\r\nTurning something upside down\r\n"
V2_LABELS = {"Holding [something]": "1", "Approaching something with your camera": "0"}


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    touch(tmp_path / "20bn-something-something-v1", "100218/00001.jpg", "100218/00002.jpg", "24413/00001.jpg",
          "24413/notes.txt")
    write_list(tmp_path, V1_LABELS.encode(), "something-something-v1-labels.csv")
    return tmp_path


def read_v1(folder: Path, content: bytes) -> Index:
    return read_index(format="sthsth_v1", path=write_list(folder, content, "something-something-v1-train.csv"))


def test_v1(v1: Path) -> None:
    index = read_v1(v1, b"\xef\xbb\xbf100218;Something falling like a feather or paper\r\n\r\n"
                        b"24413;Holding something\r\n1;Holding something\r\n")
    assert index.label_names == tuple(V1_LABELS.split("\r\n")[:3])
    assert names_of(index) == ["100218", "24413", "1"]
    assert labels_of(index) == [[1], [0], [0]]
    assert index.sizes_bytes.tolist() == [8, 4, -1]  # the frames' bytes, nothing else in the folder


def test_v1_test_split_and_root(v1: Path) -> None:
    path = write_list(v1, b"24413\n100218\n", "something-something-v1-test.csv")
    index = read_index(format="sthsth_v1", path=path, root=v1 / "20bn-something-something-v1")
    assert (names_of(index), labels_of(index), index.num_missing) == (["24413", "100218"], [[], []], 0)


@pytest.mark.parametrize(("line", "message"), [
    (b"2;Holding", "label 'Holding' is unknown"), (b"2;", "label behind ';' is missing"),
    (b"x;Holding something", "not the number"), (b"-2;Holding something", "not the number"),
    (b"../2;Holding something", "not the number"), (b";Holding something", "not the number"),
    (b"2,Holding something", "not the number"), (b"24413;Holding something", "listed twice"),
    (b"2;\xff", "not UTF-8"),
])
def test_v1_errors_name_the_line(v1: Path, line: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_v1(v1, b"24413;Holding something\r\n\r\n" + line)
    assert "something-something-v1-train.csv:3" in str(error.value)


def test_v1_without_its_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected beside the list: something-something-v1-labels\.csv"):
        read_v1(tmp_path, b"1;x\n")
    path = write_list(tmp_path, b"1;x\n")
    assert labels_of(read_index(format="sthsth_v1", path=path, label_names=("y", "x"))) == [[1]]


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    touch(tmp_path / "20bn-something-something-v2", "78687.webm", "1420.webm")
    names = {name.replace("[", "").replace("]", ""): number for name, number in V2_LABELS.items()}
    write_list(tmp_path, json.dumps(names).encode(), "something-something-v2-labels.json")
    return tmp_path


RECORD = {"id": "78687", "label": "holding potato, [ripe]", "template": "Holding [something]",
          "placeholders": ["potato"]}


def read_v2(folder: Path, content: bytes) -> Index:
    return read_index(format="sthsth_v2", path=write_list(folder, content, "something-something-v2-train.json"))


@pytest.mark.parametrize("indent", [None, 2])
def test_v2(v2: Path, indent: int | None) -> None:
    records = [RECORD, {"id": "5", "template": "Approaching something with your camera"}, {"id": "1420"}]
    index = read_v2(v2, b"\xef\xbb\xbf" + json.dumps(records, indent=indent).encode())
    assert index.label_names == ("Approaching something with your camera", "Holding something")
    assert names_of(index) == ["78687.webm", "5.webm", "1420.webm"]
    assert labels_of(index) == [[1], [0], []]
    assert index.sizes_bytes.tolist() == [4, -1, 4]


@pytest.mark.parametrize("content", [b'[{"id": %s}]' % (b"1" * 5000), b"[" * 100_000, b"[{"])
def test_v2_of_what_is_no_json(v2: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"something-something-v2-train\.json.*: not JSON"):
        read_v2(v2, content)


@pytest.mark.parametrize(("record", "message"), [
    ({"id": 5, "template": "Holding [something]"}, "expected"), ({"template": "Holding [something]"}, "expected"),
    ({"id": "5", "template": 3}, "expected"), ({"id": "../5", "template": "x"}, "not the number"),
    ({"id": "5", "template": "Eating [something]"}, "label 'Eating something' is unknown"),
    (["5"], "expected an object"),
    ({"id": "78687"}, r"listed twice, first in .*:2"), ({"id": "\ud800"}, "not the number"),
])
def test_v2_errors_name_the_line(v2: Path, record: object, message: str) -> None:
    content = "[\n" + json.dumps(RECORD) + ",\n\n" + json.dumps(record) + "\n]"
    with pytest.raises(DataError, match=message) as error:
        read_v2(v2, content.encode())
    assert "something-something-v2-train.json:4" in str(error.value)


@pytest.mark.parametrize(("content", "message"), [
    (b"[\n{}", r"train\.json:2: not JSON"), (b"{}", "expected a JSON list"), (b"\xff", "not UTF-8"),
    (b"[]", "no samples"), (b"[" * 100_000, "nested too deeply")])
def test_v2_files_that_are_no_lists(v2: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_v2(v2, content)
    with pytest.raises(DataError, match="cannot be read"):
        read_index(format="sthsth_v2", path=v2 / "no.json")


@pytest.mark.parametrize("labels", [{"a": "0", "b": "2"}, {"a": "0", "b": "0"}, {"a": "x"}, ["a"], {"a": ["0"]}])
def test_v2_label_numbers_must_be_whole(tmp_path: Path, labels: object) -> None:
    write_list(tmp_path, json.dumps(labels).encode(), "labels.json")
    with pytest.raises(DataError, match=r"labels\.json"):
        read_v2(tmp_path, json.dumps([RECORD]).encode())
