"""Pictures of files: exact pixels in every mode, and a status for whatever is no picture; never a crash."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import functional as TF

from cfimage.decode import Picture, content_of
from cfvideo.core.media import MediaPart
from cfvideo.core.media_file import MediaError
from tests.cfimage.pictures import Pixels, encoded, smooth, stored_as

PIXELS = smooth(57, 40)


def whole(content: bytes, quarters: int = 0) -> Pixels:
    """The upright picture at its own size."""
    picture = Picture(content)
    return picture.scaled(picture.size[::-1] if quarters % 2 else picture.size, quarters=quarters)


def refusal(content: bytes, max_pixels: int = 1 << 24) -> MediaError:
    with pytest.raises(MediaError) as caught:
        Picture(content, max_pixels=max_pixels).scaled((8, 8))
    return caught.value


@pytest.mark.parametrize(("format", "mode"), [
    ("PNG", "RGB"), ("BMP", "RGB"), ("PPM", "RGB"), ("WEBP", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "LA"),
    ("PNG", "1"), ("PNG", "P"), ("GIF", "P"), ("PPM", "L"), ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK")])
def test_every_mode_becomes_rgb_of_8_bits(format: str, mode: str) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(format, {})
    found = whole(encoded(PIXELS, format, mode, **options))
    assert (found.dtype, found.shape) == (np.uint8, (40, 57, 3))
    expected = np.asarray(Image.fromarray(PIXELS).convert(mode).convert("RGB"), np.int64)
    assert np.abs(found - expected).max() <= (4 if format == "JPEG" else 0)


def test_of_16_bits_the_high_byte_counts() -> None:
    levels = (np.arange(40 * 57).reshape(40, 57) * 28).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG")
    np.testing.assert_array_equal(whole(stream.getvalue()), np.repeat((levels >> 8).astype(np.uint8)[..., None], 3, -1))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_of_16_bits_of_colour_too() -> None:
    levels = np.random.default_rng(0).integers(0, 1 << 16, (6, 5, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    content = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 6, 16, 2, 0, 0, 0))
               + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    np.testing.assert_array_equal(whole(content), (levels >> 8).astype(np.uint8))


def test_palettes_and_transparency_are_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = whole(encoded(PIXELS, "PNG", "P", transparency=bytes(range(256))))
    np.testing.assert_array_equal(found, np.asarray(Image.fromarray(PIXELS).convert("P").convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("format", "options"), [("JPEG", {"quality": 100, "subsampling": 0}), ("PNG", {}),
                                                 ("WEBP", {"lossless": True})])
def test_exif_turns_the_picture_upright(orientation: int, format: str, options: dict[str, int]) -> None:
    content = encoded(stored_as(PIXELS, orientation), format, orientation=orientation, **options)
    assert Picture(content).size == (57, 40)
    assert np.abs(whole(content).astype(int) - PIXELS).max() <= (4 if format == "JPEG" else 0)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", bytes(200),
                                  b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\0\0\0"])
def test_exif_that_cannot_be_read_says_nothing(exif: bytes) -> None:
    assert whole(encoded(PIXELS, "JPEG", exif=exif)).shape == (40, 57, 3)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("orientation", [1, 6])
def test_quarter_turns_are_anticlockwise_and_exact(quarters: int, orientation: int) -> None:
    content = encoded(stored_as(PIXELS, orientation), "PNG", orientation=orientation)
    np.testing.assert_array_equal(whole(content, quarters), np.rot90(PIXELS, quarters))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture(format: str) -> None:
    first, second = (Image.fromarray(np.full((9, 8, 3), level, np.uint8)) for level in (250, 10))
    stream = io.BytesIO()
    first.save(stream, format, save_all=True, append_images=[second], duration=40)
    assert np.abs(whole(stream.getvalue()).astype(int) - 250).max() <= 4


def test_one_pixel() -> None:
    assert Picture(encoded(smooth(1, 1), "JPEG")).scaled((8, 8)).shape == (8, 8, 3)
    assert Picture(encoded(smooth(1, 300))).scaled((16, 4800), box=(0, 0, 1, 300)).shape == (4800, 16, 3)


def test_scaling_and_cropping_are_torchvisions() -> None:
    image, content = Image.fromarray(PIXELS), encoded(PIXELS)
    np.testing.assert_array_equal(Picture(content).scaled((28, 20)), np.asarray(TF.resize(image, [20, 28])))
    expected = TF.resized_crop(image, 5, 9, 30, 21, [16, 16])
    np.testing.assert_array_equal(Picture(content).scaled((16, 16), box=(9, 5, 30, 35)), np.asarray(expected))


@pytest.mark.parametrize(("quarters", "orientation"), [(0, 1), (1, 1), (0, 6), (3, 5)])
@pytest.mark.parametrize("part", [None, (100, 30, 900, 620)])
def test_drafts_are_within_a_few_levels_of_the_whole_picture(quarters: int, orientation: int,
                                                             part: tuple[int, int, int, int] | None) -> None:
    """DCT-scaled decoding of large JPEGs (DRAFT_GAP): grain included, against decoding whole."""
    noise = np.random.default_rng(1).normal(0, 12, (700, 1000, 3))
    pixels = (smooth(1000, 700) + noise).clip(0, 255).astype(np.uint8)
    content = encoded(stored_as(pixels, orientation), "JPEG", orientation=orientation, quality=90)
    box = part if quarters % 2 == 0 else None
    size = (48, 32) if quarters % 2 == 0 else (32, 48)
    drafted = Picture(content).scaled(size, box=box, quarters=quarters)
    full = Image.fromarray(whole(content, quarters))
    kept = full if box is None else full.crop(box)
    expected = np.asarray(kept.resize(size, Image.Resampling.BILINEAR), np.int64)
    differences = np.abs(drafted - expected)
    assert 0 < differences.max() <= 6  # 0 would mean that nothing was drafted
    assert differences.mean() < 0.5


@pytest.mark.parametrize("content", [
    b"", b"\0" * 5000, b"no picture\n" * 99, b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ",
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"II*\0\x08\0\0\0", b"P6\n4 4\n255\nab", b"BM" + bytes(60),
    b"#EXTM3U\n/etc/passwd\n", encoded(PIXELS, "TIFF")])
def test_what_is_no_picture(content: bytes) -> None:
    assert refusal(content).status == "undecodable"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_picture_that_ends_early_is_an_error(format: str, share: float) -> None:
    content = encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8), format)
    assert refusal(content[:int(share * len(content))]).status == "undecodable"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM"])
def test_pictures_that_are_too_large_are_refused_before_they_are_decoded(format: str) -> None:
    error = refusal(encoded(smooth(64, 32), format), max_pixels=64 * 32 - 1)
    assert error.status == "refused"
    assert "64 x 32 is larger than the 2047 pixels that DATA.MAX_FRAME_PIXELS allows" in error.cause
    assert whole(encoded(smooth(64, 32), format)).shape == (32, 64, 3)


def test_a_sliver_that_would_be_scaled_to_a_giant_is_refused() -> None:
    picture = Picture(encoded(smooth(1, 3000)), max_pixels=3000)
    with pytest.raises(MediaError, match="256 x 768000 is larger than the 3000 pixels") as caught:
        picture.scaled((256, 768_000))
    assert caught.value.status == "refused"


@pytest.mark.parametrize("side", [5000, 12_000, 60_000])
def test_a_bomb_is_refused(side: int) -> None:
    """A header of a billion pixels and a few bytes behind it."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        assert refusal(content).status == "refused"


@settings(max_examples=150, deadline=None)
@given(format=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM"]), data=st.data())
def test_damage_gives_a_picture_or_a_status(format: str, data: st.DataObject) -> None:
    content = bytearray(encoded(PIXELS, format))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = Picture(bytes(content), max_pixels=1 << 16)
            assert picture.scaled((8, 8)).shape == (8, 8, 3)
        except MediaError as error:
            assert error.status in ("undecodable", "refused")


def test_a_part_of_a_file(tmp_path: Path) -> None:
    content = encoded(PIXELS)
    (tmp_path / "shard").write_bytes(b"x" * 700 + content + b"y" * 9)
    assert content_of(MediaPart(tmp_path / "shard", 700, len(content))) == content
    with pytest.raises(MediaError, match="cut short"):
        content_of(MediaPart(tmp_path / "shard", 700, len(content) + 10))


def test_files_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, status in ((tmp_path / "no.jpg", "missing"), (tmp_path, "refused"), (Path("/dev/zero"), "refused")):
        with pytest.raises(MediaError) as caught:
            content_of(path)
        assert caught.value.status == status
    (tmp_path / "large.jpg").write_bytes(bytes(2000))
    monkeypatch.setattr("cfimage.decode.MAX_FILE_BYTES", 1999)
    with pytest.raises(MediaError, match="2,000 bytes are no image"):
        content_of(tmp_path / "large.jpg")


def test_decoding_leaves_torchs_and_pillows_switches_alone() -> None:
    before = Image.MAX_IMAGE_PIXELS, torch.get_num_threads()
    whole(encoded(PIXELS, "JPEG"))
    assert (Image.MAX_IMAGE_PIXELS, torch.get_num_threads()) == before
