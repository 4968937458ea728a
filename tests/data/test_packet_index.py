"""What is kept of a video: only ever used for the same state of the same file, and whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfvideo.data.packet_index import Fingerprint, PacketColumns, PacketIndex, decoded, encoded, file_of, load, save

COLUMNS = PacketColumns(extradata=b"\x01\x02", width=64, height=48, times=np.array([0, 1024, 512], np.int64),
                        offsets=np.array([48, 1 << 40, 900], np.int64), sizes=np.array([10, 20, 30], np.int32),
                        keys=np.array([0], np.int32))
STATE = Fingerprint(size_bytes=1000, mtime_ns=123_456_789_000)
INDEX = PacketIndex(STATE, "h264", "mov,mp4,m4a,3gp,3g2,mj2", 3, COLUMNS)
VIDEO = Path("/videos/a.mp4")


def same(one: PacketIndex | None, other: PacketIndex) -> bool:
    return one is not None and encoded(one) == encoded(other)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "packets", VIDEO, INDEX)
    found = load(tmp_path / "packets", VIDEO, STATE)
    assert found is not None
    assert found.columns is not None
    assert (found.codec, found.num_frames, found.columns.extradata) == ("h264", 3, b"\x01\x02")
    np.testing.assert_array_equal(found.columns.offsets, COLUMNS.offsets)
    np.testing.assert_array_equal(found.columns.times, COLUMNS.times)
    assert same(found, INDEX)


def test_a_file_without_columns(tmp_path: Path) -> None:
    counted = replace(INDEX, columns=None)
    save(tmp_path, VIDEO, counted)
    found = load(tmp_path, VIDEO, STATE)
    assert found is not None
    assert found.columns is None
    assert same(found, counted)


@pytest.mark.parametrize("state", [replace(STATE, size_bytes=1001), replace(STATE, mtime_ns=1)])
def test_another_state_of_the_file_is_not_known(tmp_path: Path, state: Fingerprint) -> None:
    save(tmp_path, VIDEO, INDEX)
    assert load(tmp_path, VIDEO, state) is None


def test_another_file_is_not_known(tmp_path: Path) -> None:
    save(tmp_path, VIDEO, INDEX)
    assert load(tmp_path, Path("/videos/b.mp4"), STATE) is None
    assert load(tmp_path / "none", VIDEO, STATE) is None


def test_any_changed_or_missing_byte_is_noticed(tmp_path: Path) -> None:
    save(tmp_path, VIDEO, INDEX)
    file = file_of(tmp_path, VIDEO)
    whole = file.read_bytes()
    for position in range(len(whole)):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1:])
        assert load(tmp_path, VIDEO, STATE) is None, position
    for length in (0, 1, 8, 24, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert load(tmp_path, VIDEO, STATE) is None
    file.write_bytes(whole)
    assert same(load(tmp_path, VIDEO, STATE), INDEX)


@pytest.mark.parametrize("data", [b"", b"\x80\x04N.", b"cfpk0003", bytes(100)])
def test_bytes_that_are_no_index(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a packet index"):
        decoded(data)


def test_nothing_is_left_beside_it_and_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    save(tmp_path, VIDEO, INDEX)
    save(tmp_path, VIDEO, INDEX)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file_of(tmp_path, VIDEO)]
    (tmp_path / "file").write_bytes(b"")
    save(tmp_path / "file", VIDEO, INDEX)
    assert load(tmp_path / "file", VIDEO, STATE) is None


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    video = Path(os.fsdecode(b"/videos/\xff\xfe.mp4"))
    save(tmp_path, video, INDEX)
    assert same(load(tmp_path, video, STATE), INDEX)


def test_the_name_is_the_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        video: Callable[[str], Path]) -> None:
    monkeypatch.chdir(video("gop12").parent)
    assert file_of(tmp_path, Path("gop12.mp4")) == file_of(tmp_path, video("gop12"))
