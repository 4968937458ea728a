"""Every decoder against videos that carry their frame numbers: the right frames, or PyAV's; never wrong ones.

DALI's CPU twin is the code of the GPU with another device name; torchcodec runs in `test_torchcodec.py`.
"""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from cfvideo.core import dali_library
from cfvideo.core.errors import DecodeError
from cfvideo.core.picture_views import short_edge
from cfvideo.data.decode import decode_frames, read_frames
from cfvideo.data.decoders import dali_backend
from cfvideo.data.decoders.survey import survey
from tests.synthetic import RECIPES, Recipe, cut, damaged, numbers_of, overstated, remux, write_frames, write_video

Video = Callable[[str], Path]
has_decord = pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord is not installed")
has_dali = pytest.mark.skipif(not dali_library.is_installed(), reason="DALI is not installed")
TURNS = {"90": (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), "180": (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30),
         "mirrored": (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)}

# What decord decodes itself. All others of RECIPES are PyAV's, because decord gives wrong frames or none there.
BY_DECORD = {"gop12", "gop250", "pyramid", "baseline", "mkv", "vfr_mkv", "vfr_mp4", "mov", "late_start", "sound",
             "frames_1", "frames_8", "frames_31"}
BY_DALI_CPU = {"vp9", "vp9_altref", "odd_size"}


def picks(num_frames: int) -> list[list[int]]:
    """All frames, single ones, and repeats out of order."""
    rng = np.random.default_rng(2)
    single = sorted({0, 1, num_frames // 3, num_frames // 2, num_frames - 2, num_frames - 1} & set(range(num_frames)))
    return [list(range(num_frames)), *([number] for number in single),
            *(rng.integers(num_frames, size=4).tolist() for _ in range(4))]


@has_decord
@pytest.mark.parametrize("kind", RECIPES)
def test_decord_is_exact_or_not_asked(video: Video, kind: str) -> None:
    for pick in picks(RECIPES[kind].num_frames):
        found = decode_frames(video(kind), choose=lambda _, pick=pick: pick, decoder="decord")
        assert numbers_of(found.frames) == pick
        assert found.decoder == ("decord" if kind in BY_DECORD else "pyav")


@has_decord
def test_decord_itself_is_wrong_where_it_is_not_asked(video: Video) -> None:
    """The reason for the fence; if this fails, decord has changed, and the fence may be widened."""
    import decord

    data = video("open_gop").read_bytes()
    wrong = [i for i in range(0, 48, 2)
             if numbers_of(decord.VideoReader(io.BytesIO(data), num_threads=1).get_batch([i]).asnumpy()) != [i]]
    assert len(wrong) > 5


@has_decord
@pytest.mark.parametrize("turn", TURNS)
def test_turned_videos_are_turned_alike(tmp_path: Path, turn: str) -> None:
    path = write_video(tmp_path / "x.mp4", Recipe(num_frames=5, matrix=TURNS[turn]))
    reference = read_frames(path, choose=range)
    found = decode_frames(path, choose=range, decoder="decord")
    np.testing.assert_array_equal(found.frames, reference)
    assert found.decoder == "pyav"


@has_decord
def test_hidden_frames_and_fragments_are_not_decords(video: Video, tmp_path: Path) -> None:
    edited = remux(video("gop12"), tmp_path / "edit.mp4", skip_until_ms=280)
    assert numbers_of(read_frames(edited, choose=lambda _: [0, 40], decoder="decord")) == [7, 47]
    assert survey(edited, max_pixels=1 << 24).hidden_frames
    assert survey(video("fragmented"), max_pixels=1 << 24).fragmented
    assert not survey(video("gop12"), max_pixels=1 << 24).fragmented


@has_decord
def test_cut_and_damaged_files_give_right_frames_or_an_error(video: Video, tmp_path: Path) -> None:
    whole = remux(video("pyramid"), tmp_path / "whole.mp4", options={"movflags": "faststart"})
    outcomes = set()
    for percent in range(10, 100, 15):
        for path in (cut(whole, tmp_path / "cut.mp4", percent / 100),
                     damaged(whole, tmp_path / "bad.mp4", start=percent / 100, stop=percent / 100 + 0.03)):
            try:
                found = decode_frames(path, choose=lambda _: [3], decoder="decord")
            except DecodeError as error:
                outcomes.add(error.status)
                continue
            outcomes.add("read")
            assert numbers_of(found.frames) == [3]
    assert {"read", "undecodable"} <= outcomes <= {"read", "undecodable", "no_video"}


@pytest.mark.parametrize("kind", ["gop12", "gop250", "avi_mpeg4", "avi_h264"])
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
@pytest.mark.parametrize("stated", [480, 7])
def test_a_header_that_states_another_number_of_frames(video: Video, tmp_path: Path, decoder: str, kind: str,
                                                       stated: int) -> None:
    if importlib.util.find_spec("decord") is None and decoder == "decord":
        pytest.skip("decord is not installed")
    path = overstated(video(kind), tmp_path / f"x{video(kind).suffix}", stated)
    with av.open(os.fspath(path)) as container:
        assert container.streams.video[0].frames == stated
    for pick in picks(48):
        assert numbers_of(read_frames(path, choose=lambda _, pick=pick: pick, decoder=decoder)) == pick


@pytest.mark.parametrize("decoder", ["decord", "torchcodec"])
def test_a_playlist_called_mp4_opens_nothing_else(video: Video, tmp_path: Path, decoder: str) -> None:
    if importlib.util.find_spec(decoder) is None:
        pytest.skip(f"{decoder} is not installed")
    if decoder == "torchcodec" and __import__("torchcodec").ffmpeg_major_version is None:
        pytest.skip("torchcodec finds no FFmpeg")
    path = tmp_path / "playlist.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{video('ts')}\n#EXT-X-ENDLIST\n")
    with pytest.raises(DecodeError, match="undecodable"):
        read_frames(path, choose=range, decoder=decoder)


@has_decord
def test_a_bridge_that_somebody_set_is_neither_changed_nor_in_the_way(video: Video) -> None:
    import decord

    decord.bridge.set_bridge("torch")
    try:
        assert numbers_of(read_frames(video("gop12"), choose=lambda _: [9], decoder="decord")) == [9]
        assert decord.bridge._CURRENT_BRIDGE.type == "torch"
    finally:
        decord.bridge.set_bridge("native")


@has_dali
@pytest.mark.parametrize("kind", RECIPES)
def test_dali_is_exact_or_not_asked(video: Video, kind: str) -> None:
    found = survey(video(kind), max_pixels=1 << 24)
    assert (dali_backend.unfit("dali_cpu", found) == "") is (kind in BY_DALI_CPU)
    if kind in BY_DALI_CPU:
        data = np.fromfile(video(kind), np.uint8)
        asked = picks(RECIPES[kind].num_frames)
        decoded = dali_backend.decode("dali_cpu", [data] * len(asked), asked)
        assert [numbers_of(pictures.numpy()) for pictures in decoded] == asked


@has_dali
@pytest.mark.parametrize(("tag", "fits"), [(None, True), (1, False), (5, True), (6, True), (9, False)])
def test_dali_is_asked_for_colours_that_it_gives_as_pyav_does(tmp_path: Path, tag: int | None, *, fits: bool) -> None:
    """It has BT.601's matrix alone: a saturated colour of another is far off."""
    path = write_frames(tmp_path / "x.webm", [(90, 60, 200)] * 4, size=(64, 64), codec="libvpx-vp9",
                        pixel_format="yuv420p", colorspace=tag, color_range=1)
    assert (dali_backend.unfit("dali_cpu", survey(path, max_pixels=1 << 24)) == "") is fits
    (by_dali,) = dali_backend.decode("dali_cpu", [np.fromfile(path, np.uint8)], [[2]])
    by_pyav = read_frames(path, choose=lambda _: [2])
    apart = np.abs(by_dali.numpy().astype(int) - np.asarray(by_pyav).astype(int))
    assert bool(apart.max() <= 2) is fits


@has_dali
@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv"])
def test_dali_decodes_motion_jpeg(tmp_path: Path, extension: str) -> None:
    path = write_video(tmp_path / f"x.{extension}", Recipe(num_frames=20, codec="mjpeg", pixel_format="yuvj420p"))
    assert dali_backend.unfit("dali_cpu", survey(path, max_pixels=1 << 24)) == ""
    (pictures,) = dali_backend.decode("dali_cpu", [np.fromfile(path, np.uint8)], [[19, 0, 7, 7]])
    assert numbers_of(pictures.numpy()) == [19, 0, 7, 7]


def moving_colours(path: Path, codec: str) -> Path:
    """A soft picture in colour that moves."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 225, (8, 10, 3)).astype(np.float64)
    rows, columns = np.linspace(0, 6.99, 96), np.linspace(0, 8.99, 128)
    top, left = rows.astype(int), columns.astype(int)
    y, x = (rows - top)[:, None, None], (columns - left)[None, :, None]
    soft = ((1 - y) * ((1 - x) * coarse[top][:, left] + x * coarse[top][:, left + 1])
            + y * ((1 - x) * coarse[top + 1][:, left] + x * coarse[top + 1][:, left + 1])).astype(np.uint8)
    return write_frames(path, [np.roll(soft, 2 * i, 1) for i in range(12)], codec=codec, pixel_format="yuv420p",
                        options={"crf": "10"} | ({"deadline": "realtime", "cpu-used": "8"} if "vp" in codec else {}))


@has_decord
@pytest.mark.parametrize("px", [96, 48, 37])
def test_decords_pixels_agree_with_pyavs(tmp_path: Path, px: int) -> None:
    """Within 3 grey levels on average where colours are strong (measured: 2.8 at full size, 1.9 scaled): decord
    darkens by one, as swscale's default options do, and does not interpolate chroma."""
    path = moving_colours(tmp_path / "x.mp4", "libx264")
    reference = read_frames(path, choose=range, resize=short_edge(px)).astype(np.float64)
    found = decode_frames(path, choose=range, resize=short_edge(px), decoder="decord")
    assert found.decoder == "decord"
    assert found.frames.shape == reference.shape
    assert np.abs(found.frames - reference).mean() < 3
    assert abs((found.frames - reference).mean()) < 1.5


@has_dali
def test_dalis_pixels_agree_with_pyavs(tmp_path: Path) -> None:
    """Within a grey level on average (measured: equal)."""
    path = moving_colours(tmp_path / "x.webm", "libvpx-vp9")
    reference = read_frames(path, choose=range).astype(np.float64)
    (found,) = dali_backend.decode("dali_cpu", [np.fromfile(path, np.uint8)], [list(range(12))])
    assert np.abs(found.numpy() - reference).mean() < 1
