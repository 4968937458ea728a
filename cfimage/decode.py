"""The picture of an image file: uint8 RGB, upright, scaled; or a reason why there is none.

Pillow decodes, from bytes that are read whole, with the decoders below and no others. What is not 8 bits of RGB becomes
it: the high byte of 16 bits, CMYK and palettes by Pillow's conversion, transparency dropped, of an animation the first
picture. EXIF says how a picture is turned; what cannot be read of it says nothing. A picture that ends early or is
damaged is an error. Sizes are pixels, (width, height) as Pillow has them.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from cfvideo.core.media import Media
from cfvideo.core.media_file import MediaError, open_media

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
# left, top, right, bottom
Box = tuple[int, int, int, int]

MAX_PIXELS = 16_777_216
MAX_FILE_BYTES = 1 << 28
# Formats that are pictures and nothing else: EPS would start Ghostscript, TIFF turns itself.
DECODERS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM")
# A JPEG's picture is decoded at a half, a quarter or an eighth where that leaves this many times the size wanted.
# Pillow calls 3 times "indistinguishable from fair resampling in most cases" (Image.thumbnail, reducing_gap). Measured
# on noisy pictures scaled to 341 x 256: with 3 they differ by 0.8 grey levels on average and 6 at most, with 4 by 0.3
# and 3 (5 at the edges of a crop).
DRAFT_GAP = 4
# What Pillow's decoders raise over damaged files.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
           MemoryError, RuntimeWarning, struct.error, zlib.error)
_Turn = Image.Transpose
# EXIF's orientation -> what brings the picture upright (TIFF 6.0, Orientation).
_TURNS = {2: _Turn.FLIP_LEFT_RIGHT, 3: _Turn.ROTATE_180, 4: _Turn.FLIP_TOP_BOTTOM, 5: _Turn.TRANSPOSE,
          6: _Turn.ROTATE_270, 7: _Turn.TRANSVERSE, 8: _Turn.ROTATE_90}
_SWAPS_AXES = (5, 6, 7, 8)
_QUARTERS = (None, _Turn.ROTATE_90, _Turn.ROTATE_180, _Turn.ROTATE_270)


def content_of(media: Media) -> bytes:
    """The bytes of an image file, or of the part of a shard. Raises MediaError."""
    file, size_bytes = open_media(media)
    with file:
        if size_bytes > MAX_FILE_BYTES:
            raise MediaError("refused", f"{size_bytes:,} bytes are no image; at most {MAX_FILE_BYTES:,} are read")
        content = file.read()
    if len(content) < size_bytes:
        raise MediaError("undecodable", f"the file ended after {len(content)} of {size_bytes} bytes")
    return content


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError as error:
        raise MediaError("refused", str(error)) from error
    except _BROKEN as error:
        raise MediaError("undecodable", f"{type(error).__name__}: {error}") from error


class Header(NamedTuple):
    """format, mode: Pillow's names. orientation: EXIF's, 1 to 8."""

    format: str
    mode: str
    orientation: int


class Picture:
    """One image file, open; a JPEG's pixels are not decoded yet. Raises MediaError for what is no picture.

    content: the file. size: upright.
    """

    def __init__(self, content: bytes, *, max_pixels: int = MAX_PIXELS) -> None:
        self.content, self._max_pixels = content, max_pixels
        with _damage_named():
            self._image: Image.Image = Image.open(io.BytesIO(content), formats=DECODERS)
            self.check(self._image.size)
            width, height = self._image.size
            if not isinstance(self._image, JpegImageFile):
                self._image.load()  # a PNG's EXIF may stand behind its pixels
        self._orientation = _orientation(self._image)
        self.size: Size = (height, width) if self._orientation in _SWAPS_AXES else (width, height)

    def check(self, size: Size) -> None:
        """MediaError for what is too large, also where a sliver of a picture is scaled by its short edge."""
        if size[0] * size[1] > self._max_pixels:
            raise MediaError("refused", f"{size[0]} x {size[1]} is larger than the {self._max_pixels} pixels that "
                                        "DATA.MAX_FRAME_PIXELS allows")

    @property
    def header(self) -> Header:
        """What the file says of itself."""
        return Header(self._image.format or "", self._image.mode, self._orientation)

    def scaled(self, size: Size, *, box: Box | None = None, quarters: int = 0) -> Pixels:
        """Decode: uint8 [H, W, 3] of `size`, antialiased (triangle filter). May be called once.

        quarters: turns by 90 degrees, anticlockwise, of the upright picture; box: the part of it that is kept, then.
        """
        self.check(size)
        whole = self.size[::-1] if quarters % 2 else self.size
        kept = box or (0, 0, *whole)
        with _damage_named():
            shrunk = self._drafted(size, kept, whole, quarters)
            image = _turned(self._image, _TURNS.get(self._orientation), _QUARTERS[quarters])
            left, top, right, bottom = (edge / shrunk for edge in kept)
            outer = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
            part = _rgb(image if outer == (0, 0, *image.size) else image.crop(outer))
            inner = (left - outer[0], top - outer[1], right - outer[0], bottom - outer[1])
            same = part.size == size and inner == (0, 0, *size)
            return np.asarray(part if same else part.resize(size, Image.Resampling.BILINEAR, box=inner))

    def _drafted(self, size: Size, kept: Box, whole: Size, quarters: int) -> float:
        """Let a JPEG's decoder make the picture smaller, where it stays large enough: how many times smaller."""
        if not isinstance(self._image, JpegImageFile):
            return 1
        width = self._image.width
        wanted = [math.ceil(DRAFT_GAP * length * all_of_it / (high - low))
                  for length, all_of_it, low, high in zip(size, whole, kept[:2], kept[2:], strict=True)]
        swapped = (self._orientation in _SWAPS_AXES) != (quarters % 2 == 1)
        drafted = self._image.draft(None, (wanted[swapped], wanted[not swapped]))
        return 1 if drafted is None else width / drafted[1][2]


def _turned(image: Image.Image, *turns: Image.Transpose | None) -> Image.Image:
    for turn in turns:
        image = image if turn is None else image.transpose(turn)
    image.load()
    return image


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 (upright) where there is none that can be read."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _BROKEN:
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _rgb(image: Image.Image) -> Image.Image:
    """8 bits of RGB; transparency is dropped."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # 16 bits of grey, which Pillow would clip: the high byte counts, as it does for 16 bits of colour.
        levels = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise MediaError("undecodable", "the pixels are floating-point numbers, which no rule makes colours of")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # else Pillow warns about what is dropped here anyway
    return image.convert("RGB")
