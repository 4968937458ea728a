"""Makes images with Pillow: smooth ones whose pixels tell where they are from, in every mode and format."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
ORIENTATION = 0x0112


def smooth(width: int, height: int, phase: float = 0.0) -> Pixels:
    """uint8 [height, width, 3]: slow waves, so that JPEG and scaling change little; no symmetry."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 17 + phase), np.cos(y / 13 + phase), np.sin((x + 2 * y) / 31 + phase)], axis=-1)
    return np.rint(127 + 100 * waves).astype(np.uint8)


def encoded(pixels: Pixels, format: str = "PNG", mode: str | None = None, orientation: int = 1,
            **options: Any) -> bytes:
    """A file of these pixels; orientation: EXIF's."""
    image = Image.fromarray(pixels)
    if mode is not None:
        image = image.convert(mode)
    if orientation != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def stored_as(upright: Pixels, orientation: int) -> Pixels:
    """The pixels that a file of this EXIF orientation holds, for the picture to be `upright` (TIFF 6.0: where the
    stored rows and columns begin, as seen)."""
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
              5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: upright.transpose(1, 0, 2)[::-1, ::-1],
              8: np.rot90(upright, -1)}[orientation]
    return np.ascontiguousarray(stored)
