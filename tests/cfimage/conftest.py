"""A small data set of images, some of them bad, that the tests of batches share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfimage.formats import read_index
from cfvideo.core.index import Index
from tests.cfimage.pictures import encoded, smooth

BAD = {"c/1_cut.jpg": "undecodable", "c/2_text.png": "undecodable", "c/3_pipe.jpg": "refused",
       "c/4_huge.jpg": "refused", "c/5_sliver.jpg": "refused"}
MAX_PIXELS = 300 * 200


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Thirteen rows: JPEGs, then one of every odd kind, then five that cannot be read (class c)."""
    files = {f"a/{number}.jpg": encoded(smooth(50 + 9 * number, 45 + 2 * number, number), "JPEG", quality=95)
             for number in range(5)}
    files |= {"b/1.png": encoded(smooth(64, 48), "PNG", "RGBA"), "b/2.jpg": encoded(smooth(64, 48), "JPEG", "CMYK"),
              "b/3.jpg": encoded(smooth(64, 48), "JPEG", orientation=6, quality=95)}
    whole = encoded(smooth(80, 60), "JPEG", quality=95)
    files |= {"c/1_cut.jpg": whole[:len(whole) // 2], "c/2_text.png": b"a text", "c/3_pipe.jpg": b"",
              "c/4_huge.jpg": encoded(smooth(301, 200), "JPEG"), "c/5_sliver.jpg": encoded(smooth(2, 4000), "JPEG")}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = read_index(format="imagenet", path=tmp_path)
    (tmp_path / "c/3_pipe.jpg").unlink()
    os.mkfifo(tmp_path / "c/3_pipe.jpg")  # a file when the index was made
    return found
