"""One table for all lists: what every parser takes, and what every one refuses, by file and line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.data.formats import read_index
from tests.format_files import labels_of, names_of, touch, write_list


def weak(path: bytes) -> bytes:
    return json.dumps({"path": os.fsdecode(path), "tags": ["0"]}).encode()


def numbered(path: bytes) -> bytes:
    return path + b" 0"


# Format -> the line of a path. Something-Something and Kinetics' CSV name videos by keys, in `KEYED`.
LINES: dict[str, Callable[[bytes], bytes]] = {
    "path_label": numbered, "mmaction2": numbered, "mmaction2_offset": numbered, "sports1m": numbered,
    "weak_labels": weak}
# Format -> the file of the key 5, and a list that names 4 and 5 on lines 2 and 3.
KEYED = {
    "kinetics_csv": ("x/5_000001_000011.mp4", b"label,youtube_id,time_start,time_end,split\nx,4,1,11,train\n"
                                              b"x,5,1,11,train\n"),
    "sthsth_v1": ("5", b"\n4;x\n5;x\n"),
    "sthsth_v2": ("5.webm", b'[\n{"id": "4", "template": "x"},\n{"id": "5", "template": "x"}]')}


def read(folder: Path, format: str, *paths: bytes) -> Index:
    return read_index(format=format, path=write_list(folder, b"\n".join(map(LINES[format], paths))))


def test_tags_that_no_file_can_hold_are_refused_with_their_line(tmp_path: Path) -> None:
    lines = b'{"path": "1.mp4", "tags": ["a"]}\n{"path": "2.mp4", "tags": ["a", "\\ud800"]}'
    with pytest.raises(DataError, match=r"train\.txt:2: the label '\\ud800' holds half of a character"):
        read_index(format="weak_labels", path=write_list(tmp_path, lines))


@pytest.mark.parametrize("format", LINES)
def test_marks_blanks_and_line_ends_change_nothing(tmp_path: Path, format: str) -> None:
    touch(tmp_path, "a.mp4", "b c.mp4")
    plain = read(tmp_path, format, b"a.mp4", b"b c.mp4", b"gone.mp4")
    lines = [LINES[format](path) for path in (b"a.mp4", b"b c.mp4", b"gone.mp4")]
    content = b"\xef\xbb\xbf\r\n" + b"\r\n \t\r\n".join(lines) + b" \r\n\r\n"
    index = read_index(format=format, path=write_list(tmp_path, content))
    assert index.content_hash == plain.content_hash
    assert (names_of(index), labels_of(index)) == (["a.mp4", "b c.mp4", "gone.mp4"], [[0]] * 3)
    assert index.num_missing == 1


@pytest.mark.parametrize("format", LINES)
@pytest.mark.parametrize(("path", "message"), [
    (b"../x.mp4", "leaves the root"), (b"a/../../x.mp4", "leaves the root"), (b"/etc/x.mp4", "is absolute"),
    (b"./ok.mp4", "listed twice, first in .*train.txt:1"), (b"fifo.mp4", "pipe or a device"),
    (b"socket.mp4", "pipe or a device")])
def test_paths_that_every_list_refuses(tmp_path: Path, format: str, path: bytes, message: str) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    os.mknod(tmp_path / "socket.mp4", 0o140600)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, format, b"ok.mp4", b"other.mp4", path)
    assert f"{tmp_path / 'train.txt'}:3" in str(error.value)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("format", LINES)
def test_names_that_are_no_text(tmp_path: Path, format: str) -> None:
    name = b"\xff \xfe.mp4"
    with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
        file.write(b"1234")
    index = read(tmp_path, format, name)
    assert os.fsencode(index.path_of(0)).endswith(b"/" + name)
    assert index.num_missing == 0


@pytest.mark.parametrize("format", KEYED)
def test_keys_of_pipes_are_refused_and_of_lost_files_counted(tmp_path: Path, format: str) -> None:
    video, content = KEYED[format]
    path = write_list(tmp_path, content)
    index = read_index(format=format, path=path, label_names=("x",))
    assert (labels_of(index), index.num_missing) == ([[0], [0]], 2)
    (tmp_path / video).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / video)
    with pytest.raises(DataError, match="pipe or a device") as error:
        read_index(format=format, path=path, label_names=("x",))
    assert f"{path}:3" in str(error.value)


@pytest.mark.parametrize("format", ["kinetics", "folder"])
def test_pipes_in_folders_are_refused(tmp_path: Path, format: str) -> None:
    touch(tmp_path, "x/1.mp4")
    os.mkfifo(tmp_path / "x" / "2.mp4")
    with pytest.raises(DataError, match=r"2\.mp4 is a pipe or a device"):
        read_index(format=format, path=tmp_path)
