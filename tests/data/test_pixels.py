"""Size, colour and orientation of decoded pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from cfvideo.core.picture_views import fixed_height, short_edge
from cfvideo.data.decode import probe, read_frames
from cfvideo.data.painter import Painter
from tests.synthetic import number_of, write_frames, write_kind

FIRST = [0]
UNIT = 1 << 16


@pytest.mark.parametrize(("size", "px", "scaled"), [
    ((340, 256), 128, (170, 128)), ((256, 340), 128, (128, 170)), ((426, 240), 128, (227, 128)),
    ((640, 360), 112, (199, 112)), ((64, 64), 32, (32, 32)), ((10, 3000), 8, (8, 2400)), ((32, 24), 128, (170, 128))])
def test_short_edge(size: tuple[int, int], px: int, scaled: tuple[int, int]) -> None:
    assert short_edge(px)(*size) == scaled


def test_fixed_height() -> None:
    assert fixed_height(90)(640, 360) == (160, 90)
    assert fixed_height(8)(1, 3000) == (1, 8)


# Display matrix [a b; c d] -> what it does to a picture [H, W, 3].
MATRICES = {
    "upright": ((1, 0, 0, 1), lambda x: x),
    "90 clockwise": ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
    "180": ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
    "90 counter-clockwise": ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda x: x[::-1]),
    "transposed": ((0, 1, 1, 0), lambda x: x.transpose(1, 0, 2)),
    "transposed over the other diagonal": ((0, -1, -1, 0), lambda x: np.rot90(x, 2).transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("extension", ["mp4", "mov"])
def test_orientation_is_applied(tmp_path: Path, name: str, extension: str) -> None:
    (a, b, c, d), turn = MATRICES[name]
    number = 0b1011_0010_0001_0111
    path = write_kind(tmp_path, "gop12", num_frames=3, first_number=number, extension=extension,
                      matrix=(a * UNIT, b * UNIT, 0, c * UNIT, d * UNIT, 0, 0, 0, 1 << 30))
    plain = read_frames(write_kind(tmp_path, "frames_8", first_number=number, num_frames=3), choose=lambda n: FIRST)[0]
    shown = read_frames(path, choose=lambda n: FIRST)[0]
    assert number_of(plain) == number
    assert shown.shape == turn(plain).shape
    assert number_of(shown) == number_of(turn(plain))
    assert (number_of(shown) == number) == (name == "upright")
    info = probe(path)
    assert (info.width, info.height) == shown.shape[1::-1]
    small = read_frames(path, choose=lambda n: FIRST, resize=short_edge(24))[0]
    assert small.shape == (32, 24, 3) if info.transposed else (24, 32, 3)
    assert number_of(small) == number_of(shown)


@pytest.mark.parametrize("name", MATRICES)
def test_a_crop_is_the_part_of_the_picture_as_displayed(tmp_path: Path, name: str) -> None:
    (a, b, c, d), _ = MATRICES[name]
    path = write_kind(tmp_path, "gop12", num_frames=3, first_number=0b1011_0010_0001_0111,
                      matrix=(a * UNIT, b * UNIT, 0, c * UNIT, d * UNIT, 0, 0, 0, 1 << 30))
    whole = read_frames(path, choose=range, resize=short_edge(24))
    asked: list[tuple[int, int]] = []

    def crop(height: int, width: int) -> tuple[int, int, int]:
        asked.append((height, width))
        return 3, 5, 17

    part = read_frames(path, choose=range, resize=short_edge(24), crop=crop)
    assert asked == [whole.shape[1:3]]
    np.testing.assert_array_equal(part, whole[:, 3:20, 5:22])


def test_planar_pictures_are_the_packed_ones(tmp_path: Path) -> None:
    """swscale's two ways from the same pixels to RGB: within 1 level, and hardly ever apart."""
    from av.video.reformatter import VideoReformatter

    rng = np.random.default_rng(3)
    for size in ((340, 256), (85, 63)):
        frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8), "rgb24")
        frame = VideoReformatter().reformat(frame, format="yuv420p")
        painter = Painter([7], short_edge(40))
        painter.paint(7, frame)
        painted = painter.finished()[0].astype(int)
        packed = VideoReformatter().reformat(frame, *short_edge(40)(*size), "rgb24", interpolation=0x46002)
        reference = packed.to_ndarray().astype(int)
        assert np.abs(painted - reference).max() <= 1
        assert (painted != reference).mean() < 0.01


# --- colour -----------------------------------------------------------------------------------------------------

# Kr, Kb of the matrices: ITU-R BT.601, BT.709, BT.2020.
MATRIX = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def to_rgb(yuv: Sequence[Any], matrix: str, full: bool) -> NDArray[np.float64]:
    """The standard's own arithmetic for 8-bit colours: numbers or arrays of them."""
    kr, kb = MATRIX[matrix]
    y, u, v = (np.asarray(value, np.float64) for value in yuv)
    y, u, v = (y, u - 128, v - 128) if full else ((y - 16) * 255 / 219, (u - 128) * 255 / 224, (v - 128) * 255 / 224)
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip([red, green, blue], 0, 255)


@pytest.mark.parametrize(("tag", "matrix"), [(2, "bt601"), (1, "bt709"), (5, "bt601"), (6, "bt601"), (9, "bt2020")])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
def test_matrix_and_range_are_the_files_own(tmp_path: Path, tag: int, matrix: str, full: bool,
                                            pixel_format: str) -> None:
    colours = [(81, 90, 240), (145, 54, 34), (41, 240, 110), (235, 128, 128), (16, 128, 128), (120, 100, 160)]
    path = write_frames(tmp_path / "x.mp4", colours, size=(64, 48), pixel_format=pixel_format,
                        options={"qp": "0", "bf": "0"}, colorspace=tag, color_range=2 if full else 1)
    for picture, colour in zip(read_frames(path, choose=range), colours, strict=True):
        error = np.abs(picture - to_rgb(colour, matrix, full))
        assert error.max() <= 1.0, (colour, picture[0, 0], to_rgb(colour, matrix, full))


# --- scaling ----------------------------------------------------------------------------------------------------

def triangle_weights(source: int, target: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Antialiased bilinear weights [target, source]: a triangle as wide as the scale, as torchvision antialiases.

    shift: how far the samples lie right of, or below, the middle of their cells, in cells.
    """
    scale = source / target
    centres = (np.arange(target) + 0.5) * scale - 0.5 - shift
    weights = np.clip(1 - np.abs(np.arange(source) - centres[:, None]) / max(scale, 1.0), 0, None)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("size", "px"), [((128, 96), 48), ((128, 96), 32), ((128, 96), 71), ((64, 48), 96)])
def test_scaling_filters_the_whole_footprint(tmp_path: Path, size: tuple[int, int], px: int) -> None:
    """Grey noise, losslessly stored, against the float reference: within 1 level."""
    rng = np.random.default_rng(4)
    grey = rng.integers(16, 236, (size[1], size[0], 1)).astype(np.uint8)
    path = write_frames(tmp_path / "x.mp4", [np.concatenate([grey, np.full_like(grey, 128), np.full_like(grey, 128)],
                                                            axis=2)], options={"qp": "0"}, pixel_format="yuv444p")
    full = read_frames(path, choose=lambda n: FIRST)[0].astype(np.float64)
    small = read_frames(path, choose=lambda n: FIRST, resize=short_edge(px))[0]
    rows, columns = (triangle_weights(full.shape[axis], small.shape[axis]) for axis in (0, 1))
    reference = np.einsum("yh,xw,hwc->yxc", rows, columns, full)
    assert small.shape[0] == px
    error = (small - reference)[2:-2, 2:-2]  # at the border, filters differ in what they take to lie outside
    assert np.abs(error).max() < 1.0
    assert abs(error.mean()) < 0.1  # no darkening


# Where a sample of 4:2:0 chroma lies in its cell of 2 x 2 pixels: how far right of and below its middle, in cells. The
# key is H.264's chroma_sample_loc_type (ITU-T H.264, figure E-1), None a file that does not say.
SITING = {None: (-0.25, 0.0), 0: (-0.25, 0.0), 1: (0.0, 0.0), 2: (-0.25, -0.25), 3: (0.0, -0.25), 4: (-0.25, 0.25),
          5: (0.0, 0.25)}


@pytest.mark.parametrize("siting", SITING)
@pytest.mark.parametrize("px", [96, 48, 32, 71])
def test_chroma_lies_where_the_file_says(tmp_path: Path, siting: int | None, px: int) -> None:
    """Coloured noise on grey, losslessly stored, against the float reference: within 1 level."""
    rng, grey, (width, height) = np.random.default_rng(5), 125, (128, 96)
    chroma = rng.integers(90, 166, (2, height // 2, width // 2)).astype(np.uint8)
    planes = np.concatenate([np.full(width * height, grey, np.uint8), chroma.ravel()]).reshape(-1, width)
    said = {} if siting is None else {"x264-params": f"chromaloc={siting}"}
    path = write_frames(tmp_path / "x.mp4", [av.VideoFrame.from_ndarray(planes, "yuv420p")], size=(width, height),
                        pixel_format="yuv420p", options={"qp": "0", **said})
    small = read_frames(path, choose=lambda n: FIRST, resize=short_edge(px))[0]
    across, down = SITING[siting]
    rows, columns = (triangle_weights(source, target, shift) for source, target, shift in zip(
        chroma.shape[1:], small.shape[:2], (down, across), strict=True))
    u, v = np.einsum("yh,xw,chw->cyx", rows, columns, chroma.astype(np.float64))
    reference = np.stack(to_rgb((np.full_like(u, grey), u, v), "bt601", False), axis=-1)
    error = np.abs(small - reference)[2:-2, 2:-2]
    assert error.max() <= 1.0


def test_pixel_aspect_ratios_are_ignored(tmp_path: Path) -> None:
    """As by decord, torchcodec and PyTorchVideo: sizes count stored pixels."""
    pictures = [np.full((48, 64, 3), 90, np.uint8)]
    wide = write_frames(tmp_path / "x.mp4", pictures, pixel_format="yuv420p", options={"x264-params": "sar=2/1"})
    with av.open(str(wide)) as container:
        assert container.streams.video[0].sample_aspect_ratio == 2
    info = probe(wide)
    assert (info.width, info.height) == (64, 48)
    assert read_frames(wide, choose=range, resize=short_edge(24)).shape == (1, 24, 32, 3)
