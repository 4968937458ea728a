"""Folders of numbered JPEGs: read as videos, exact by number, and refused where frames are missing or no files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfvideo.core.errors import DecodeError
from cfvideo.core.media import Media, MediaPart
from cfvideo.core.picture_views import short_edge
from cfvideo.data.decode import probe, read_frames
from cfvideo.data.frame_files import FrameGap, frame_names, frames_size_bytes
from cfvideo.data.pixels import Frames
from tests.synthetic import board, numbers_of


def write_frames(folder: Path, count: int = 12, name: str = "{:05d}.jpg", first: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(board(number, 64, 48)).save(folder / name.format(first + number), quality=95)
    return folder


def read(media: Media) -> Frames:
    return read_frames(media, choose=range, row=5, name="set/7")


def failure(media: Media) -> DecodeError:
    with pytest.raises(DecodeError) as error:
        read(media)
    assert (error.value.row, error.value.path) == (5, "set/7")
    return error.value


@pytest.mark.parametrize(("name", "first"), [("{:05d}.jpg", 1), ("img_{:05d}.jpg", 1), ("{}.JPEG", 0),
                                             ("frame{:06d}.jpg", 3), ("image_{:05d}.jpg", 1)])
def test_frames_by_number(tmp_path: Path, name: str, first: int) -> None:
    folder = write_frames(tmp_path / "7", name=name, first=first)
    (folder / "flow_x_00001.jpg").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    assert numbers_of(read(folder)) == list(range(12))
    assert numbers_of(read_frames(folder, choose=lambda n: [n - 1, 3, 3, 0])) == [11, 3, 3, 0]
    assert numbers_of(read(MediaPart(folder, 4, 3))) == [4, 5, 6]


def test_pixels_are_the_pictures(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "7", count=2)
    with Image.open(folder / "00002.jpg") as picture:
        expected = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(read(folder)[1].astype(int) - expected).max() <= 2
    assert read_frames(folder, choose=range, resize=short_edge(24)).shape == (2, 24, 32, 3)


def test_what_a_folder_is(tmp_path: Path) -> None:
    info = probe(write_frames(tmp_path / "7"))
    assert (info.num_frames, info.width, info.height, info.container) == (12, 64, 48, "folder")


def test_frames_that_are_missing(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "7")
    (folder / "00005.jpg").unlink()
    assert (failure(folder).status, failure(folder).cause) == (
        "undecodable", "frame 5 is missing, but there are frames after it")
    assert "names frames 0 to 13, but the folder holds 12" in failure(MediaPart(write_frames(folder), 0, 13)).cause
    assert failure(tmp_path / "no").status == "missing"


def test_folders_without_frames_are_refused(tmp_path: Path) -> None:
    assert failure(tmp_path).status == "refused"
    assert failure(tmp_path).cause.startswith("not a regular file")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0" + bytes(400)])
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes) -> None:
    folder = write_frames(tmp_path / "7", count=3)
    (folder / "00002.jpg").write_bytes(content)
    assert (failure(folder).status, "00002.jpg" in failure(folder).cause) == ("undecodable", True)
    assert numbers_of(read_frames(folder, choose=lambda n: [0, 2])) == [0, 2]


def test_a_picture_that_is_cut_short(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "1.jpg")
    whole = (folder / "1.jpg").read_bytes()
    (folder / "1.jpg").write_bytes(whole[:len(whole) // 2])
    assert failure(folder).status == "undecodable"


@pytest.mark.timeout(20)
def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "7", count=2)
    (folder / "00003.jpg").symlink_to(folder / "00001.jpg")
    assert "is a link" in failure(folder).cause
    (folder / "00003.jpg").unlink()
    os.mkfifo(folder / "00003.jpg")
    assert failure(folder).status == "refused"


def test_pictures_that_are_too_large(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "7", count=1)
    assert read_frames(folder, choose=range, max_pixels=64 * 48).shape == (1, 48, 64, 3)
    with pytest.raises(DecodeError):
        read_frames(folder, choose=range, max_pixels=64 * 48 - 1)


@pytest.mark.parametrize(("names", "message"), [
    ([b"1.jpg", b"3.jpg"], "frame 2 is missing"), ([b"1.jpg", b"01.jpg"], "frame 1 is there twice"),
    ([b"1.jpg", b"img_1.jpg"], "several names")])
def test_numbers_that_do_not_follow(names: list[bytes], message: str) -> None:
    with pytest.raises(FrameGap, match=message):
        frame_names(names)


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert frame_names([b"10.jpg", b"9.jpg", b"\xff.jpg", b"8.jpeg"]) == [b"8.jpeg", b"9.jpg", b"10.jpg"]
    assert frames_size_bytes(os.fsencode(tmp_path)) == -1
    assert frames_size_bytes(os.fsencode(tmp_path / "no")) == -1
