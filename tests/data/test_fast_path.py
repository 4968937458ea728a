"""Reading with stored packets: the same bytes as without them, whatever the file and whatever lies in the store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import pytest

from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.picture_views import short_edge
from cfvideo.core.records import Draws, Reading
from cfvideo.data import video_reader
from cfvideo.data.batches import eval_batches, thumbnails, train_batches
from cfvideo.data.decode import read_frames
from cfvideo.data.packet_index import Fingerprint, PacketIndex, file_of, load
from cfvideo.data.stored_reader import StoredReader
from cfvideo.data.video_reader import reading
from tests.synthetic import RECIPES, cut, numbers_of, remux, write_frames, write_kind

Video = Callable[[str], Path]
DIRECT = {"gop12", "gop250", "pyramid", "open_gop", "baseline", "vfr_mp4", "mov", "fragmented", "late_start", "sound",
          "hevc", "hevc_open_gop", "ten_bit", "h264_444", "intra_refresh", "frames_1", "frames_8", "frames_31"}


def kept(path: Path, packets: Path) -> PacketIndex | None:
    return load(packets, path, Fingerprint.of(path.stat()))


@pytest.mark.parametrize("kind", RECIPES)
def test_the_store_changes_no_byte(video: Video, tmp_path: Path, kind: str) -> None:
    path, last = video(kind), RECIPES[kind].num_frames - 1
    for pick in ([0], [last], sorted({last // 3, last // 2, last})):
        plain = read_frames(path, choose=lambda _, pick=pick: pick, resize=short_edge(24))
        for _ in range(2):
            stored = read_frames(path, choose=lambda _, pick=pick: pick, resize=short_edge(24), packets=tmp_path)
            np.testing.assert_array_equal(stored, plain)
        assert len(plain) == len(pick)
    index = kept(path, tmp_path)
    assert index is not None
    assert index.num_frames == last + 1
    assert (index.columns is not None) == (kind in DIRECT)


def texture(tmp_path: Path, name: str, options: dict[str, str], codec: str = "libx264") -> Path:
    noise = np.kron(np.random.default_rng(0).integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return write_frames(tmp_path / name, [np.roll(noise, (3 * i, 5 * i), (0, 1)) for i in range(60)], codec=codec,
                        pixel_format="yuv420p", options=options)


@pytest.mark.parametrize(("options", "codec"), [
    ({"g": "12", "bf": "2"}, "libx264"), ({"g": "250", "bf": "3"}, "libx264"),
    ({"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0"}, "libx264"),
    ({"x264-params": "intra-refresh=1:keyint=12:bframes=0"}, "libx264"),
    ({"x264-params": "keyint=250:scenecut=0:bframes=8:b-pyramid=2:b-adapt=0:ref=6"}, "libx264"),
    ({"x265-params": "log-level=none:keyint=12:min-keyint=12:bframes=3:b-adapt=0"}, "libx265")])
def test_every_single_frame_is_bit_equal_to_an_in_order_decode(tmp_path: Path, options: dict[str, str], codec: str
                                                               ) -> None:
    path = texture(tmp_path, "x.mp4", options, codec)
    truth = read_frames(path, choose=range)
    for i in range(60):
        found = read_frames(path, choose=lambda _, i=i: [i], packets=tmp_path / "packets")
        np.testing.assert_array_equal(found[0], truth[i])


def test_a_known_file_is_read_without_its_container(video: Video, tmp_path: Path) -> None:
    read_frames(video("gop250"), choose=lambda _: [40], packets=tmp_path)
    with mock.patch.object(av, "open", side_effect=AssertionError("the container was opened")):
        assert numbers_of(read_frames(video("gop250"), choose=lambda _: [40, 7], packets=tmp_path)) == [40, 7]


def test_frames_of_a_counted_file_are_counted_once(video: Video, tmp_path: Path) -> None:
    read_frames(video("avi_mpeg4"), choose=lambda _: [5], packets=tmp_path)
    not_again = mock.patch.object(video_reader.VideoReader, "_decoded", side_effect=AssertionError("counted again"))
    with not_again, reading(video("avi_mpeg4"), max_pixels=1 << 24, packets=tmp_path) as reader:
        assert reader.num_frames == 48
    with not_again, pytest.raises(AssertionError), reading(video("avi_mpeg4"), max_pixels=1 << 24):
        pass


def test_a_changed_file_is_scanned_anew(tmp_path: Path) -> None:
    path, packets = write_kind(tmp_path, "gop12"), tmp_path / "packets"
    assert numbers_of(read_frames(path, choose=lambda _: [30], packets=packets)) == [30]
    write_kind(tmp_path, "gop12", first_number=100)
    os.utime(path, ns=(1, 1))
    assert numbers_of(read_frames(path, choose=lambda _: [30], packets=packets)) == [130]
    assert numbers_of(read_frames(path, choose=lambda _: [31], packets=packets)) == [131]


def test_a_file_that_changed_behind_its_fingerprint_is_an_error_or_read_through_its_container(tmp_path: Path) -> None:
    path, packets = write_kind(tmp_path, "gop12"), tmp_path / "packets"
    read_frames(path, choose=lambda _: [30], packets=packets)
    before, state = path.read_bytes(), path.stat()
    path.write_bytes(bytes(len(before)))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(DecodeError):
        read_frames(path, choose=lambda _: [30], packets=packets)


def test_a_damaged_store_does_no_harm(video: Video, tmp_path: Path) -> None:
    path = video("gop12")
    read_frames(path, choose=lambda _: [1], packets=tmp_path)
    file_of(tmp_path, path).write_bytes(b"cfpk0003 and rubbish")
    assert numbers_of(read_frames(path, choose=lambda _: [9], packets=tmp_path)) == [9]
    assert kept(path, tmp_path) is not None


@pytest.mark.parametrize("matrix", [(0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)])
def test_turned_videos_keep_their_container(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    path, packets = write_kind(tmp_path, "gop12", matrix=matrix), tmp_path / "packets"
    plain = read_frames(path, choose=lambda _: [3])
    for _ in range(2):
        np.testing.assert_array_equal(read_frames(path, choose=lambda _: [3], packets=packets), plain)
    index = kept(path, packets)
    assert index is not None
    assert index.columns is None


def test_edit_lists_keep_their_container(video: Video, tmp_path: Path) -> None:
    path = remux(video("gop12"), tmp_path / "edit.mp4", skip_until_ms=280)
    for _ in range(2):
        assert numbers_of(read_frames(path, choose=lambda _: [0, 40], packets=tmp_path / "packets")) == [7, 47]
    index = kept(path, tmp_path / "packets")
    assert index is not None
    assert index.columns is None


@pytest.mark.parametrize(("tag", "full"), [(1, False), (5, True), (9, False)])
def test_colour_tags_are_the_same(tmp_path: Path, tag: int, full: bool) -> None:
    colours = [(81, 90, 240), (145, 54, 34), (120, 100, 160)]
    path = write_frames(tmp_path / "x.mp4", colours, size=(64, 48), pixel_format="yuv420p",
                        options={"qp": "0", "bf": "0"}, colorspace=tag, color_range=2 if full else 1)
    plain = read_frames(path, choose=range)
    for _ in range(2):
        np.testing.assert_array_equal(read_frames(path, choose=range, packets=tmp_path / "packets"), plain)


def test_errors_are_those_of_the_container(video: Video, tmp_path: Path) -> None:
    whole = remux(video("pyramid"), tmp_path / "whole.mp4", options={"movflags": "faststart"})
    half = cut(whole, tmp_path / "half.mp4", 0.5)
    outcomes: list[Any] = []
    for packets in (None, tmp_path / "packets", tmp_path / "packets"):
        try:
            outcomes.append(numbers_of(read_frames(half, choose=range, packets=packets)))
        except DecodeError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    read_frames(video("gop12"), choose=lambda _: [0], packets=tmp_path / "packets")
    with pytest.raises(DecodeError, match="DATA.MAX_FRAME_PIXELS"):
        read_frames(video("gop12"), choose=lambda _: [0], packets=tmp_path / "packets", max_pixels=1000)


def test_what_fails_without_the_container_is_tried_with_it(video: Video, tmp_path: Path) -> None:
    read_frames(video("gop12"), choose=lambda _: [0], packets=tmp_path)
    with mock.patch("cfvideo.data.stored_packets._read", side_effect=video_reader.MediaError("undecodable", "test")):
        assert numbers_of(read_frames(video("gop12"), choose=lambda _: [33], packets=tmp_path)) == [33]


@pytest.mark.parametrize(("kind", "counted"), [("gop12", False), ("mkv", False), ("ts", True), ("avi_mpeg4", True)])
def test_only_rows_that_come_again_are_kept_unless_they_had_to_be_counted(video: Video, tmp_path: Path, kind: str,
                                                                          counted: bool) -> None:
    path = video(kind)
    index = Index.build(paths=[path.name.encode()], sizes=[path.stat().st_size], labels=[[0]], label_names=["a"],
                        root=path.parent)
    view, reading = {"num_frames": 4, "frame_stride": 1, "short_edge_px": 40, "crop_px": 32, "flip": True}, Reading(
        packets=tmp_path)
    list(eval_batches(index, np.array([0]), view=view, num_views=2, batch_rows=1, reading=reading))
    list(thumbnails(index, [0], height_px=32, reading=reading))
    list(train_batches(index, [Draws(np.array([0]), np.array([0]))], view=view, seed=1, reading=reading))
    assert (kept(path, tmp_path) is not None) is counted
    list(train_batches(index, [Draws(np.array([0]), np.array([1]))], view=view, seed=1, reading=reading))
    assert kept(path, tmp_path) is not None


def test_nothing_stays_open(video: Video, tmp_path: Path) -> None:
    read_frames(video("gop12"), choose=lambda n: [n - 1], packets=tmp_path)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(20):
        with reading(video("gop12"), max_pixels=1 << 24, packets=tmp_path) as reader:
            assert isinstance(reader, StoredReader)
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    assert after <= before + 1


def test_batches_are_the_same_with_and_without_the_store(video: Video, tmp_path: Path) -> None:
    path = video("gop12")
    index = Index.build(paths=[b"gop12.mp4"], sizes=[path.stat().st_size], labels=[[0]], label_names=["a"],
                        root=path.parent)
    view = {"num_frames": 4, "frame_stride": 2, "short_edge_px": 40, "crop_px": 32, "flip": True}
    draws = [Draws(np.array([0]), np.array([epoch])) for epoch in range(6)]
    data = [[batch.data.numpy() for batch in train_batches(index, draws, view=view, seed=1, reading=reading_of)]
            for reading_of in (Reading(), Reading(packets=tmp_path), Reading(packets=tmp_path))]
    np.testing.assert_array_equal(data[0], data[1])
    np.testing.assert_array_equal(data[0], data[2])
    assert kept(path, tmp_path) is not None
