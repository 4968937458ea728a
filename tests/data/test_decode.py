"""Frames by number: the pictures carry their numbers, and every kind of file must give back the right ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import pytest

from cfvideo.core.errors import DecodeError
from cfvideo.core.picture_views import short_edge
from cfvideo.data import video_reader
from cfvideo.data.clip_sampling import clip_indices, uniform_starts
from cfvideo.data.decode import probe, read_frames
from tests.source_tree import ROOT
from tests.synthetic import RECIPES, cut, damaged, numbers_of, remux, write_frames, write_kind

Video = Callable[[str], Path]
REAL = ROOT.parent / "shared" / "data" / "videos"
COUNTED = {"interlaced", "ts", "ts_open_gop", "avi_mpeg4", "avi_h264", "avi_mjpeg", "mp4_mpeg4", "mpeg_ps", "flv",
           "asf", "vp8_altref"}


def numbers(path: Path, wanted: list[int]) -> list[int]:
    return numbers_of(read_frames(path, choose=lambda num_frames: wanted))


@pytest.mark.parametrize("kind", RECIPES)
def test_every_frame_in_order(video: Video, kind: str) -> None:
    num_frames = RECIPES[kind].num_frames
    info = probe(video(kind))
    assert info.num_frames == num_frames
    assert (info.width, info.height) == RECIPES[kind].size
    assert info.counted == (kind in COUNTED)
    assert not info.truncated
    assert numbers(video(kind), list(range(num_frames))) == list(range(num_frames))


@pytest.mark.parametrize("kind", RECIPES)
def test_chosen_frames_by_number(video: Video, kind: str) -> None:
    num_frames = RECIPES[kind].num_frames
    rng = np.random.default_rng(1)
    single = range(num_frames) if kind in ("gop12", "open_gop", "hevc_open_gop") else (0, num_frames // 2,
                                                                                      num_frames - 1)
    picks = [[i] for i in single] + [rng.integers(num_frames, size=3).tolist() for _ in range(6)]
    assert [numbers(video(kind), pick) for pick in picks] == picks


@pytest.mark.parametrize("kind", ["gop12", "open_gop", "gop250", "pyramid", "hevc_open_gop", "vp9", "av1", "mkv"])
def test_the_same_pixels_as_a_decode_of_everything(video: Video, kind: str) -> None:
    everything = read_frames(video(kind), choose=range)
    for start in range(0, 40, 3):
        some = read_frames(video(kind), choose=lambda _, start=start: range(start, start + 8, 2))
        np.testing.assert_array_equal(some, everything[start:start + 8:2])


@pytest.mark.parametrize("kind", ["frames_1", "frames_8", "frames_31"])
def test_short_videos_repeat_their_last_frame(video: Video, kind: str) -> None:
    def choose(num_frames: int) -> list[int]:
        return [i for start in uniform_starts(num_frames, 32, 6) for i in clip_indices(start, 32, 1, num_frames)]

    last = RECIPES[kind].num_frames - 1
    assert numbers_of(read_frames(video(kind), choose=choose)) == [min(i, last) for i in range(32)] * 6


def test_order_and_repeats_are_the_callers(video: Video) -> None:
    asked: list[int] = []

    def choose(num_frames: int) -> list[int]:
        asked.append(num_frames)
        return [40, 3, 3, 20, 40]

    frames = read_frames(video("gop12"), choose=choose)
    assert numbers_of(frames) == [40, 3, 3, 20, 40]
    assert asked == [48]
    assert frames.shape == (5, 48, 64, 3)
    assert frames.dtype == np.uint8


@pytest.mark.parametrize("wanted", [[48], [-1], []])
def test_frames_that_the_video_has_not_are_a_mistake_of_ours(video: Video, wanted: list[int]) -> None:
    with pytest.raises(ValueError, match="of a video of 48"):
        numbers(video("gop12"), wanted)


@pytest.mark.parametrize("kind", ["open_gop", "avi_mpeg4", "ts"])
def test_large_files_are_read_twice_and_give_the_same(video: Video, kind: str,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_reader, "KEPT_BYTES", 0)
    assert numbers(video(kind), [40, 9, 23]) == [40, 9, 23]


def test_unwanted_reference_free_frames_are_not_decoded(video: Video) -> None:
    """One frame late in a long group of pictures: the decoder must give fewer pictures than the group has."""
    given: list[int] = []
    hand_over = video_reader.VideoReader._hand_over

    def count(self: video_reader.VideoReader, decoded: Any, wanted: Any, paint: Any) -> None:
        def counted() -> Any:
            for pair in decoded:
                given.append(1)
                yield pair
        hand_over(self, counted(), wanted, paint)

    with mock.patch.object(video_reader.VideoReader, "_hand_over", count):
        assert numbers(video("gop250"), [40]) == [40]
    assert len(given) < 30


TEXTURES = {
    "gop12.mp4": ("libx264", {"g": "12", "bf": "2"}),
    "open_gop.mkv": ("libx264", {"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0"}),
    "pyramid.mp4": ("libx264", {"x264-params": "keyint=250:scenecut=0:bframes=8:b-pyramid=2:b-adapt=0:ref=6"}),
    "weighted.mp4": ("libx264", {"x264-params": "keyint=20:bframes=3:weightp=2:weightb=1:ref=4"}),
    "slices.mp4": ("libx264", {"x264-params": "keyint=20:bframes=3:slices=4"}),
    "hevc.mp4": ("libx265", {"x265-params": "log-level=none:keyint=12:min-keyint=12:bframes=3:b-adapt=0"}),
    "vp9.webm": ("libvpx-vp9", {"cpu-used": "8", "g": "12", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "av1.mkv": ("libsvtav1", {"preset": "10", "g": "12"}),
    "gradual_refresh.mp4": ("libx264", {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}),
}


@pytest.mark.parametrize("name", TEXTURES)
def test_moving_pictures_are_bit_equal_to_an_in_order_decode(tmp_path: Path, name: str) -> None:
    """Numbers survive a wrong reference; texture that moves does not."""
    codec, options = TEXTURES[name]
    noise = np.kron(np.random.default_rng(0).integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    path = write_frames(tmp_path / name, [np.roll(noise, (3 * i, 5 * i), (0, 1)) for i in range(60)], codec=codec,
                        pixel_format="yuv420p", options=options)
    truth = read_frames(path, choose=range)
    assert len(truth) == 60
    wrong = [i for i in range(60) if not np.array_equal(read_frames(path, choose=lambda _, i=i: [i])[0], truth[i])]
    assert wrong == []


@pytest.mark.parametrize(("kind", "starts_over"), [
    ("gop12", 0), ("gop250", 0), ("open_gop", 0), ("mkv_open_gop", 0), ("hevc", 0), ("hevc_open_gop", 0), ("vp9", 0),
    ("av1", 0), ("ten_bit", 0), ("intra_refresh", 1)])
def test_only_a_key_frame_that_is_none_makes_the_reader_start_over(video: Video, kind: str, starts_over: int) -> None:
    asked: list[object] = []
    numbered = video_reader.VideoReader._numbered

    def count(self: video_reader.VideoReader, wanted: Any, runs: Any, needed: Any) -> Any:
        asked.append(needed)
        return numbered(self, wanted, runs, needed)

    with mock.patch.object(video_reader.VideoReader, "_numbered", count):
        assert numbers(video(kind), [23, 30, 40]) == [23, 30, 40]
    assert asked.count(None) == starts_over


def test_an_edit_list_hides_frames(video: Video, tmp_path: Path) -> None:
    path = remux(video("gop12"), tmp_path / "edit.mp4", skip_until_ms=280)
    assert numbers(path, [0, 1, 5, 30, 40]) == [7, 8, 12, 37, 47]
    assert probe(path).num_frames == 41


def test_mpeg_ts_with_an_offset(video: Video, tmp_path: Path) -> None:
    path = remux(video("gop250"), tmp_path / "x.ts", options={"output_ts_offset": "7"})
    assert numbers(path, [0, 33, 47]) == [0, 33, 47]


# --- files that end early or are damaged ------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["faststart", "fragmented", "mkv", "mkv_open_gop", "vp9", "avi_mpeg4", "avi_h264",
                                  "asf"])
def test_a_cut_file_gives_right_frames_or_an_error(video: Video, tmp_path: Path, kind: str) -> None:
    if kind == "faststart":
        whole = remux(video("pyramid"), tmp_path / "whole.mp4", options={"movflags": "faststart"})
    else:
        whole = video(kind)
    read, statuses = 0, set()
    for percent in range(3, 100, 4):
        path = cut(whole, tmp_path / f"cut{whole.suffix}", percent / 100)
        try:
            found = numbers_of(read_frames(path, choose=range))
        except DecodeError as error:
            statuses.add(error.status)
            continue
        read += 1
        assert found == list(range(len(found)))
        assert probe(path).truncated or kind == "fragmented" or len(found) == 48
    assert read > 3
    assert statuses == {"undecodable"}


@pytest.mark.parametrize("kind", ["ts", "ts_open_gop", "flv"])
def test_a_cut_stream_ends_where_its_pictures_do(video: Video, tmp_path: Path, kind: str) -> None:
    """Behind a cut lie pictures whose predecessors are missing: they must not be counted."""
    noticed = 0
    for percent in range(20, 100, 2):
        path = cut(video(kind), tmp_path / f"cut{video(kind).suffix}", percent / 100)
        try:
            found = numbers_of(read_frames(path, choose=range))
        except DecodeError as error:
            assert error.status == "undecodable"
            continue
        noticed += probe(path).truncated
        assert found == list(range(len(found)))
    assert noticed > 10


def test_a_cut_program_stream_may_misnumber_its_last_pictures(video: Video, tmp_path: Path) -> None:
    """The limit that `stream_end.py` states; if this fails, the limit has gone."""
    wrong = 0
    for size in range(700, 4000, 60):
        path = tmp_path / "cut.mpg"
        path.write_bytes(video("mpeg_ps").read_bytes()[:size])
        try:
            found = numbers_of(read_frames(path, choose=range))
        except DecodeError:
            continue
        wrong += found != list(range(len(found)))
        assert found[:-3] == list(range(len(found) - 3))
    assert wrong


@pytest.mark.parametrize("extension", ["flv", "ts"])
def test_a_whole_stream_of_variable_rate_keeps_its_last_pictures(tmp_path: Path, extension: str) -> None:
    path = write_kind(tmp_path, "vfr_mp4", extension=extension)
    assert numbers(path, [0, 20, 45, 46, 47]) == [0, 20, 45, 46, 47]
    assert not probe(path).truncated


def test_zeroed_bytes_are_an_error_or_do_not_matter(video: Video, tmp_path: Path) -> None:
    truth = read_frames(video("gop12"), choose=range)
    failed = passed = 0
    for tenth in range(2, 9):
        path = damaged(video("gop12"), tmp_path / "x.mp4", start=tenth / 10, stop=tenth / 10 + 0.04)
        for frame in range(0, 48, 5):
            try:
                found = read_frames(path, choose=lambda _, frame=frame: [frame])
            except DecodeError as error:
                failed += error.status == "undecodable"
                continue
            passed += 1
            np.testing.assert_array_equal(found[0], truth[frame])
    assert failed > 5
    assert passed > 20


# --- real files -------------------------------------------------------------------------------------------------

@pytest.mark.skipif(not REAL.is_dir(), reason=f"the odd real videos are not in {REAL}")
@pytest.mark.parametrize(("name", "num_frames", "size"), [
    ("av1_video.mkv", 125, (640, 360)), ("flipping_a_pancake.mkv", 310, (426, 240)),
    ("h265_10bits.mp4", 30, (200, 200)), ("h265_video.mp4", 10, (128, 128)), ("nasa_13013.mp4", 325, (320, 180)),
    ("unordered.mov", 4, (50, 50)), ("video_90.mov", 3, (320, 568))])
def test_real_videos_equal_an_in_order_decode(name: str, num_frames: int, size: tuple[int, int]) -> None:
    info = probe(REAL / name)
    assert (info.num_frames, info.width, info.height) == (num_frames, *size)
    with av.open(str(REAL / name)) as container:
        luma = [hashlib.sha256(bytes(frame.planes[0])).digest() for frame in container.decode(video=0)]
    assert len(luma) == num_frames
    wanted = sorted({0, 1, num_frames // 3, num_frames // 2, num_frames - 2, num_frames - 1})
    with video_reader.reading(REAL / name, max_pixels=1 << 24) as reader:
        painted = {}

        def paint(number: int, frame: av.VideoFrame) -> None:
            painted[number] = hashlib.sha256(bytes(frame.planes[0])).digest()

        reader.decode(wanted, paint)
    assert painted == {number: luma[number] for number in wanted}


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the odd real videos are not in {REAL}")
def test_a_really_corrupted_video() -> None:
    assert read_frames(REAL / "corrupted.mp4", choose=lambda n: range(10), resize=short_edge(64)).shape[0] == 10
    with pytest.raises(DecodeError, match="row 7: name: undecodable: "):
        read_frames(REAL / "corrupted.mp4", choose=range, row=7, name="name")


def test_repeated_reads_leave_nothing_open(video: Video) -> None:
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(50):
        read_frames(video("gop12"), choose=lambda n: [n - 1])
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    assert after <= before + 1


def test_one_kind_can_be_changed(tmp_path: Path) -> None:
    """The maker itself: numbers start where they are told to."""
    assert numbers(write_kind(tmp_path, "gop12", first_number=40_000, num_frames=5), [4]) == [40_004]
