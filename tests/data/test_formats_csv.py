"""Kinetics' official CSV and Sports-1M's official partitions, in their true form and broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfvideo.core.errors import DataError
from cfvideo.data.formats import read_index
from tests.format_files import labels_of, named_labels_of, names_of, touch, write_list

HEADER = b"label,youtube_id,time_start,time_end,split\r\n"
KINETICS = HEADER + (b"testifying,---QUuC4vJs,84,94,train\r\n\r\n"
                     b"\"making a cake, quickly\",-0-abcdefgh,3,13,train\r\n"
                     b"shooting goal (soccer),--3ouPhoy2A,20,30,train\r\n"
                     b"massaging person's head,--5abcdefgh,1,11,train\r\n"
                     b"testifying,gone0000000,0,10,train\r\n")


def test_kinetics_csv(tmp_path: Path) -> None:
    touch(tmp_path / "k400", "testifying/---QUuC4vJs_000084_000094.mp4",
          "making_a_cake,_quickly/-0-abcdefgh_000003_000013.mp4",
          "shooting_goal_soccer/--3ouPhoy2A_000020_000030.mp4",
          "massaging person's head/--5abcdefgh_000001_000011.mp4")
    index = read_index(format="kinetics_csv", path=write_list(tmp_path, b"\xef\xbb\xbf" + KINETICS),
                       root=tmp_path / "k400")
    assert index.label_names == ("making a cake, quickly", "massaging person's head", "shooting goal (soccer)",
                                 "testifying")
    assert names_of(index) == [
        "testifying/---QUuC4vJs_000084_000094.mp4", "making_a_cake,_quickly/-0-abcdefgh_000003_000013.mp4",
        "shooting_goal_soccer/--3ouPhoy2A_000020_000030.mp4", "massaging person's head/--5abcdefgh_000001_000011.mp4",
        "testifying/gone0000000_000000_000010.mp4"]
    assert labels_of(index) == [[3], [0], [2], [1], [3]]
    assert index.sizes_bytes.tolist() == [4, 4, 4, 4, -1]
    assert index.num_missing == 1


def test_kinetics_csv_of_a_missing_class_has_the_usual_name(tmp_path: Path) -> None:
    touch(tmp_path, "testifying/x.mp4")
    index = read_index(format="kinetics_csv", path=write_list(tmp_path, KINETICS))
    assert names_of(index)[2] == "shooting_goal_soccer/--3ouPhoy2A_000020_000030.mp4"
    assert index.num_missing == 5


def test_kinetics_test_split_without_labels_and_folders(tmp_path: Path) -> None:
    touch(tmp_path / "test", "a_b_000001_000011.mp4")
    path = write_list(tmp_path, b"youtube_id,time_start,time_end,split\na_b,1,11,test\n")
    index = read_index(format="kinetics_csv", path=path, root=tmp_path / "test", label_names=("x", "y"))
    assert (names_of(index), labels_of(index), index.num_missing) == (["a_b_000001_000011.mp4"], [[]], 0)


def test_kinetics_csv_in_the_space_of_train(tmp_path: Path) -> None:
    path = write_list(tmp_path, HEADER + b"b,id,1,2,test\n")
    assert labels_of(read_index(format="kinetics_csv", path=path, label_names=("a", "b"))) == [[1]]
    with pytest.raises(DataError, match=r"train\.txt:2: label 'b' is unknown"):
        read_index(format="kinetics_csv", path=path, label_names=("a",))


@pytest.mark.parametrize(("line", "message"), [
    (b"x,id,1", "3 values under 5 columns"), (b",id,1,2,train", "label is missing"), (b"x,,1,2,train", "youtube_id ''"),
    (b"x,../a,1,2,train", "no part of a file name"), (b"x,id,-1,2,train", "whole seconds"),
    (b"x,id,1.5,2,train", "whole seconds"), (b"x,id,,2,train", "whole seconds"), (b"\xff,id,1,2,train", "not UTF-8"),
    (b"a\rb,id,1,2,train", "no line of a CSV"), (b"x" * 200_000 + b",id,1,2,train", "no line of a CSV"),
    (b"ok,a,1,2,train", r"listed twice, first in .*train\.txt:2"), (b"..,id,1,2,train", "leaves the root"),
])
def test_kinetics_csv_errors_name_the_line(tmp_path: Path, line: bytes, message: str) -> None:
    (tmp_path / "ok").mkdir()
    path = write_list(tmp_path, HEADER + b"ok,a,1,2,train\r\n" + line + b"\r\n")
    with pytest.raises(DataError, match=message) as error:
        read_index(format="kinetics_csv", path=path)
    assert f"{path}:3" in str(error.value)
    assert len(str(error.value)) < 2_000


def test_kinetics_csv_of_an_old_mac(tmp_path: Path) -> None:
    path = write_list(tmp_path, (HEADER + b"x,a,1,2,train\r\n").replace(b"\r\n", b"\r"))
    with pytest.raises(DataError, match=r"train\.txt:1: no line of a CSV: .*lines end in LF"):
        read_index(format="kinetics_csv", path=path)


def test_kinetics_csv_needs_its_header_and_one_folder_per_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.txt:1: expected the header"):
        read_index(format="kinetics_csv", path=write_list(tmp_path, b"x,id,1,2,train\n"))
    touch(tmp_path, "a b/1.mp4", "a_b/1.mp4")
    with pytest.raises(DataError, match="a b and a_b are folders of one class"):
        read_index(format="kinetics_csv", path=write_list(tmp_path, HEADER))


# --- Sports-1M's partitions -------------------------------------------------------------------------------------

def test_sports1m_addresses(tmp_path: Path) -> None:
    touch(tmp_path / "videos", "00/-tR0zYVEJcY.mp4", "Zz_abcdefgh.webm", "plain.mp4")
    path = write_list(tmp_path, b"https://www.youtube.com/watch?v=-tR0zYVEJcY 168,2\r\n"
                                b"http://youtube.com/watch?v=Zz_abcdefgh&feature=x 7\r\n"
                                b"https://www.youtube.com/watch?v=deadDEADdea 0\nplain.mp4 3\n")
    index = read_index(format="sports1m", path=path, root=tmp_path / "videos")
    assert names_of(index) == ["00/-tR0zYVEJcY.mp4", "Zz_abcdefgh.webm", "deadDEADdea.mp4", "plain.mp4"]
    assert labels_of(index) == [[2, 168], [7], [0], [3]]
    assert index.sizes_bytes.tolist() == [4, 4, -1, 4]
    assert len(index.label_names) == 169


@pytest.mark.parametrize(("line", "message"), [
    (b"https://www.youtube.com/watch?v= 1", "not an address"), (b"https://example.org/a.mp4 1", "not an address"),
    (b"https://www.youtube.com/watch?v=../../x 1", "not an address"),
    (b"https://www.youtube.com/watch?v=aaaaaaaaaaa -1", "whole number"),
    (b"https://www.youtube.com/watch?v=okokokokoko 1", "listed twice"),
    (b"https://www.youtube.com/watch?v=aaaaaaaaaaa", "expected 'path label"),
])
def test_sports1m_addresses_that_are_none(tmp_path: Path, line: bytes, message: str) -> None:
    path = write_list(tmp_path, b"https://www.youtube.com/watch?v=okokokokoko 1\n\n" + line)
    with pytest.raises(DataError, match=message) as error:
        read_index(format="sports1m", path=path)
    assert f"{path}:3" in str(error.value)


def test_sports1m_two_files_of_one_address(tmp_path: Path) -> None:
    touch(tmp_path, "a/idididididi.mp4", "b/idididididi.mkv")
    path = write_list(tmp_path, b"https://www.youtube.com/watch?v=idididididi 0")
    with pytest.raises(DataError, match=r"a/idididididi\.mp4 and b/idididididi\.mkv are both videos of"):
        read_index(format="sports1m", path=path)


# --- any tree of videos -----------------------------------------------------------------------------------------

def test_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.mp4", "b/1.MKV", "top.webm", "b/deep/er/x.avi", "notes.txt", ".cache/y.mp4")
    (tmp_path / "again").symlink_to(tmp_path)
    with open(os.fsencode(tmp_path) + b"/b/\xff.mp4", "wb") as file:
        file.write(b"x")
    index = read_index(format="folder", path=tmp_path / "b")
    assert names_of(index) == ["1.MKV", "2.mp4", "\\udcff.mp4", "deep/er/x.avi"]
    assert index.label_names == ()
    assert named_labels_of(index) == [[], [], [], []]
    with pytest.raises(DataError, match="symbolic link out of"):
        read_index(format="folder", path=tmp_path)
    (tmp_path / "again").unlink()
    (tmp_path / "again").symlink_to(tmp_path / "b")
    assert len(names_of(read_index(format="folder", path=tmp_path))) == 5  # the link's videos are there already


def test_folder_without_videos(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no video"):
        read_index(format="folder", path=tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_index(format="folder", path=tmp_path / "no")
