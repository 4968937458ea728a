"""A crop painted from the part of the picture that it needs: bit-equal to cropping the whole painted picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import VideoReformatter

from cfvideo.core.picture_views import short_edge
from cfvideo.data.decode import read_frames
from cfvideo.data.painter import Painter
from cfvideo.data.pixels import Crop, Frames, plane_rows, same_size
from cfvideo.data.source_window import SourceWindow
from tests.synthetic import write_frames, write_kind

CENTRE = (slice(8, 40), slice(12, 44))


def noise(size: tuple[int, int], pixel_format: str, seed: int = 0) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
    frame = VideoReformatter().reformat(frame, format=pixel_format)
    rng = np.random.default_rng(seed)
    for plane in frame.planes:
        rows = plane_rows(plane)
        rows[:] = rng.integers(0, 256, rows.shape)
    return frame


def painted(frames: list[VideoFrame], px: int, crop: Crop | None = None) -> Frames:
    painter = Painter(range(len(frames)), short_edge(px), crop)
    for number, frame in enumerate(frames):
        painter.paint(number, frame)
    return painter.finished()


def square(top: int, left: int, side: int) -> Crop:
    return lambda height, width: (top, left, side)


@pytest.mark.parametrize(("size", "px"), [
    ((340, 256), 128), ((130, 96), 48), ((192, 96), 32), ((84, 42), 21), ((96, 64), 64), ((200, 120), 30),  # whole
    ((341, 256), 128), ((90, 64), 48), ((64, 48), 96), ((85, 63), 21)])  # fractional, larger, odd: scaled as a whole
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le"])
def test_any_crop_is_the_part_of_the_whole(size: tuple[int, int], px: int, pixel_format: str) -> None:
    frames = [noise(size, pixel_format, seed) for seed in range(3)]
    whole, rng = painted(frames, px), np.random.default_rng(1)
    height, width = whole.shape[1:3]
    for side in (px, px - 1, px // 2 + 1, 14, 4):
        corners = [(0, 0), (height - side, width - side), (height - side, 0)]
        for top, left in corners + rng.integers(0, (height - side + 1, width - side + 1), (4, 2)).tolist():
            part = painted(frames, px, square(top, left, side))
            np.testing.assert_array_equal(part, whole[:, top:top + side, left:left + side])


@pytest.mark.parametrize("siting", range(6))
@pytest.mark.parametrize("px", [48, 96])
def test_chroma_siting_is_the_files_own_in_a_part_too(tmp_path: Path, siting: int, px: int) -> None:
    colours = np.random.default_rng(2).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    path = write_frames(tmp_path / "x.mp4", [colours], pixel_format="yuv420p",
                        options={"qp": "0", "x264-params": f"chromaloc={siting}"})
    whole = read_frames(path, choose=range, resize=short_edge(px))
    part = read_frames(path, choose=range, resize=short_edge(px), crop=square(5, 9, 30))
    np.testing.assert_array_equal(part, whole[:, 5:35, 9:39])


def test_only_the_part_is_scaled() -> None:
    window = SourceWindow.of(noise((128, 96), "yuv420p"), (64, 48), CENTRE)
    assert window is not None
    assert window.size == (34, 34)
    part = window.cut(noise((128, 96), "yuv420p", 1))
    assert part is not None
    assert (part.width, part.height) == (68, 68)


def test_field_pictures_are_scaled_whole(tmp_path: Path) -> None:
    path = write_kind(tmp_path, "interlaced")
    whole = read_frames(path, choose=range, resize=short_edge(24))
    part = read_frames(path, choose=range, resize=short_edge(24), crop=square(3, 5, 17))
    np.testing.assert_array_equal(part, whole[:, 3:20, 5:22])


def test_raw_video_whose_rows_are_stored_from_the_bottom_up(tmp_path: Path) -> None:
    """FFmpeg's mark at the end of the stream's header; it then gives luma with a negative distance of rows."""
    colours = np.random.default_rng(2).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    path = write_frames(tmp_path / "x.avi", [colours, colours], codec="rawvideo", pixel_format="yuv420p")
    plain = read_frames(path, choose=range, resize=short_edge(48))
    data, mark = bytearray(path.read_bytes()), b"BottomUp\0"
    header = data.index(b"strf")
    lists = (4, data.index(b"hdrl") - 4, data.rindex(b"LIST", 0, header) + 4)  # chunks take an even number of bytes
    sizes = {header + 4: len(mark), **dict.fromkeys(lists, len(mark) + 1)}
    for place, more in sizes.items():
        data[place:place + 4] = (int.from_bytes(data[place:place + 4], "little") + more).to_bytes(4, "little")
    data[header + 48:header + 48] = mark + b"\0"
    path.write_bytes(data)
    whole = read_frames(path, choose=range, resize=short_edge(48))
    assert not np.array_equal(whole, plain)
    part = read_frames(path, choose=range, resize=short_edge(48), crop=square(5, 9, 30))
    np.testing.assert_array_equal(part, whole[:, 5:35, 9:39])


def test_frames_unlike_the_first_are_scaled_whole() -> None:
    first = noise((128, 96), "yuv420p")
    window = SourceWindow.of(first, (64, 48), CENTRE)
    assert window is not None
    tagged = noise((128, 96), "yuv420p")
    tagged.color_range = 2
    for other in (noise((128, 64), "yuv420p"), noise((128, 96), "yuvj420p"), tagged):
        assert window.cut(other) is None
        mixed = painted([first, other, first], 48, square(3, 5, 20))
        np.testing.assert_array_equal(mixed[1:2], painted([first, other], 48)[1:, 3:23, 5:25])
        np.testing.assert_array_equal(mixed[0], mixed[2])


def test_the_decoders_own_pictures_stay_as_they_are() -> None:
    """They are what later pictures are predicted from."""
    frame = noise((64, 48), "yuv420p")
    before = [plane_rows(plane).copy() for plane in frame.planes]
    for crop in (square(0, 0, 48), square(0, 3, 40), None):
        painter = Painter([0, 1], same_size, crop)
        painter.paint(0, frame)
        painter.paint(1, noise((64, 48), "yuv420p", 1))
    for plane, rows in zip(frame.planes, before, strict=True):
        np.testing.assert_array_equal(plane_rows(plane), rows)
    assert SourceWindow.of(frame, (64, 48), (slice(0, 48), slice(0, 64))) is None
