"""Lists of SlowFast, PyTorchVideo and MMAction2 in their true form, and what is wrong with them, by file and line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfvideo.core.errors import DataError
from cfvideo.core.media import MediaPart
from cfvideo.data.formats import read_index
from tests.format_files import labels_of, named_labels_of, names_of, touch, write_list


@pytest.mark.parametrize("content", [
    b"a.mp4 1\nwith space/b.webm 0\n", b"a.mp4,1\r\n\r\nwith space/b.webm,0", b"a.mp4 300 1\nwith space/b.webm 7 0\n",
    b"\xef\xbb\xbfa.mp4\t1\nwith space/b.webm\t 0\n", b"a.mp4,300,1\nwith space/b.webm, 7, 0\n"])
def test_path_label(tmp_path: Path, content: bytes) -> None:
    touch(tmp_path / "prefix", "a.mp4", "with space/b.webm")
    index = read_index(format="path_label", path=write_list(tmp_path, content), root=tmp_path / "prefix")
    assert names_of(index) == ["a.mp4", "with space/b.webm"]
    assert labels_of(index) == [[1], [0]]
    assert (index.label_names, index.num_missing) == (("0", "1"), 0)


def test_path_label_in_which_only_the_last_separator_counts(tmp_path: Path) -> None:
    index = read_index(format="path_label", path=write_list(tmp_path, b"a, b 2.mp4 1\nc 7 0\nd,1.mp4 1\n"))
    assert names_of(index) == ["a, b 2.mp4", "c 7", "d,1.mp4"]
    assert labels_of(index) == [[1], [0], [1]]


def test_path_name(tmp_path: Path) -> None:
    """What most people's CSV files are: names with blanks and commas in paths, CRLF, quoting aside."""
    content = b"surf & sand/vid 0.mp4,surf\r\na, b.mp4, riding a bike\r\nc.mp4 surf\r\n"
    index = read_index(format="path_name", path=write_list(tmp_path, content))
    assert names_of(index) == ["surf & sand/vid 0.mp4", "a, b.mp4", "c.mp4"]
    assert (index.label_names, labels_of(index)) == (("riding a bike", "surf"), [[1], [0], [1]])


def test_path_name_of_folders_of_frames(tmp_path: Path) -> None:
    touch(tmp_path, "frames/a b/00001.jpg", "frames/c/00001.jpg")
    index = read_index(format="path_name", path=write_list(tmp_path, b"frames/a b,riding a bike\nframes/c,running\n"))
    assert (names_of(index), named_labels_of(index)) == (["frames/a b", "frames/c"], [["riding a bike"], ["running"]])
    assert index.num_missing == 0


@pytest.mark.parametrize(("format", "content", "message"), [
    ("path_name", b"path label\na.mp4 surf\n", r":1: 'path' is no video by its name, and no folder; a header is no"),
    ("path_name", b"video path,class name\na.mp4,surf\n", r":1: 'video path' is no video by its name"),
    ("path_name", b"path\na.mp4\n", r":1: the class is missing: 'path'; .* a header is no row: delete it"),
    ("path_label", b"path,label\na.mp4,surf\n", r":1: the label is missing, .* a header is no row: delete it"),
    ("path_label", b"a.mp4,surf\n", r":1: the label is missing, .* labels by name are FORMAT path_name"),
    ("path_label", b"a.mp4 surf\n", r":1: label 'surf' is not a whole number .* by its name is FORMAT path_name")])
def test_headers_and_names_in_place_of_numbers_are_told_the_way_out(tmp_path: Path, format: str, content: bytes,
                                                                    message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_index(format=format, path=write_list(tmp_path, content))


def test_path_label_without_labels(tmp_path: Path) -> None:
    index = read_index(format="path_label", path=write_list(tmp_path, b"a b.mp4\nc.mp4\n"))
    assert (names_of(index), labels_of(index), index.label_names) == (["a b.mp4", "c.mp4"], [[], []], ())


def test_path_label_takes_absolute_paths_below_the_root(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4")
    path = write_list(tmp_path, f"{tmp_path}/v/a.mp4 0\n".encode())
    index = read_index(format="path_label", path=path)
    assert (names_of(index), index.num_missing) == (["v/a.mp4"], 0)
    with pytest.raises(DataError, match=r"train\.txt:1: .* is absolute"):
        read_index(format="path_label", path=path, root=tmp_path / "v" / "a")
    with pytest.raises(DataError, match="leaves the root"):
        read_index(format="path_label", path=write_list(tmp_path, f"{tmp_path}/../x.mp4 0\n".encode()))


@pytest.mark.parametrize("separator", [b" ", b","])
@pytest.mark.parametrize(("line", "message"), [
    (b"x.mp4|-1", "'-1' is not a whole number"), (b"x.mp4|one", "'one' is not"), (b"x.mp4|1.0", "'1.0'"),
    (b"x.mp4", "label is missing"), (b"x.mp4|", "label is missing|'' is not a whole"), (b"ok.mp4|1", "listed twice"),
    (b"../x.mp4|1", "leaves the root"), (b"/etc/passwd|1", "absolute"), (b"x.mp4|99999999999", "whole number"),
    (b"x.mp4|1|-2", "whole number"), (b"x\0.mp4|1", "zero byte"),
])
def test_path_label_errors_name_the_line(tmp_path: Path, line: bytes, message: str, separator: bytes) -> None:
    path = write_list(tmp_path, b"\r\nok.mp4" + separator + b"0\r\n" + line.replace(b"|", separator) + b"\r\n")
    with pytest.raises(DataError, match=message) as error:
        read_index(format="path_label", path=path)
    assert f"{path}:3" in str(error.value)


@pytest.mark.parametrize(("content", "message"), [
    (b"a.mp4\nb.mp4 1\n", r":2: the label is missing, here or in the first line"),
    (b"a.mp4,1\nb.mp4 1,2\n", ":2: several labels"), (b"path,label\n", ":1: .*'label' is not|:1: the label is missing"),
    (b"a.mp4 1\nb.mp4 1,2\n", ":2: label '1,2' is not a whole number")])
def test_path_label_lines_agree(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_index(format="path_label", path=write_list(tmp_path, content))


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    for root, line in ((tmp_path, b"fifo.mp4 0"), (Path("/dev"), b"zero 0")):
        with pytest.raises(DataError, match=r"train\.txt:1: .* is a pipe or a device"):
            read_index(format="path_label", path=write_list(tmp_path, line), root=root)


# --- MMAction2 --------------------------------------------------------------------------------------------------

def test_mmaction2_videos(tmp_path: Path) -> None:
    touch(tmp_path, "some/path/000.mp4", "with 2 spaces.mkv")
    index = read_index(format="mmaction2", path=write_list(
        tmp_path, b"some/path/000.mp4 1\r\nwith 2 spaces.mkv 3 0 3\r\ngone.mp4 2\r\n"))
    assert names_of(index) == ["some/path/000.mp4", "with 2 spaces.mkv", "gone.mp4"]
    assert labels_of(index) == [[1], [0, 3], [2]]
    assert index.sizes_bytes.tolist() == [4, 4, -1]
    assert index.media_of(0) == Path(os.path.realpath(tmp_path)) / "some/path/000.mp4"


def test_mmaction2_frames(tmp_path: Path) -> None:
    touch(tmp_path, "some/dir-1/img_00001.jpg", "some/dir-1/img_00002.jpg", "some/dir-1/flow_x_00001.jpg")
    index = read_index(format="mmaction2", path=write_list(tmp_path, b"some/dir-1 2 1 3 5\n100218 42 2\n"))
    assert names_of(index) == ["some/dir-1[0:2]", "100218[0:42]"]
    assert labels_of(index) == [[1, 3, 5], [2]]
    assert index.sizes_bytes.tolist() == [8, -1]
    assert index.media_of(0) == MediaPart(Path(os.path.realpath(tmp_path)) / "some/dir-1", 0, 2)


def test_mmaction2_with_offsets(tmp_path: Path) -> None:
    path = write_list(tmp_path, b"long 12 163 3\nlong 180 50 3 4\nvideo.mp4 3\n")
    index = read_index(format="mmaction2_offset", path=path)
    assert names_of(index) == ["long[12:175]", "long[180:230]", "video.mp4"]
    assert labels_of(index) == [[3], [3, 4], [3]]
    with pytest.raises(DataError, match=r"train\.txt:2: .*listed twice, first in .*train\.txt:1"):
        read_index(format="mmaction2", path=write_list(tmp_path, b"long 12 3\nlong 12 3\n"))


@pytest.mark.parametrize(("line", "message"), [
    (b"x.mp4", "label is missing"), (b"x.mp4 -1", "whole number"), (b"x.mp4 a", "whole number"),
    (b"dir", "expected 'folder num_frames label"), (b"dir 3", "label is missing"), (b"dir 0 3", "expected"),
    (b"dir -3 3", "expected"), (b"dir x 3", "expected"), (b"dir 3 -1", "whole number"), (b"../dir 3 1", "leaves"),
    (b"/dir 3 1", "absolute"), (b"ok.mp4 0", "listed twice"),
])
def test_mmaction2_errors_name_the_line(tmp_path: Path, line: bytes, message: str) -> None:
    path = write_list(tmp_path, b"ok.mp4 0\r\n\r\n" + line)
    with pytest.raises(DataError, match=message) as error:
        read_index(format="mmaction2", path=path)
    assert f"{path}:3" in str(error.value)
