"""Files that end before their container says so."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from cfvideo.data.file_end import is_cut_short


def box(kind: bytes, size: int, *, stated: int | None = None) -> bytes:
    return struct.pack(">I4s", size if stated is None else stated, kind) + bytes(size - 8)


FTYP = box(b"ftyp", 16)
# GUIDs of ASF's header and data objects as bytes.
ASF_HEADER = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
ASF_DATA = b"\x36" + ASF_HEADER[1:]


@pytest.mark.parametrize(("data", "is_cut"), [
    (FTYP + box(b"moov", 40) + box(b"mdat", 100), False),
    (FTYP + box(b"moov", 40) + box(b"mdat", 100)[:-1], True),
    (FTYP + box(b"moov", 40)[:30], True),
    (FTYP + box(b"mdat", 100) + box(b"moov", 40) + b"trailing rubbish", False),
    (FTYP + box(b"moov", 40) + box(b"free", 20)[:-4], False),
    (FTYP + box(b"moov", 40) + box(b"mdat", 100, stated=0), False),  # 0: up to the end
    (FTYP + struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100), False),
    (FTYP + struct.pack(">I4sQ", 1, b"mdat", 117) + bytes(100), True),
    (FTYP + box(b"moof", 30, stated=3), False),  # no box is shorter than its head: not ours to judge
    (b"RIFF" + struct.pack("<I", 50) + bytes(50), False),
    (b"RIFF" + struct.pack("<I", 50) + bytes(49), True),
    (b"RIFF" + struct.pack("<I", 50) + bytes(50) + b"RIFF" + struct.pack("<I", 9) + bytes(8), True),
    (b"RIFF" + struct.pack("<I", 0) + bytes(50), False),
    (b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67\x85abcde", False),
    (b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67\x85abcd", True),
    (b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67\x40\x05abcd", True),
    (b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"abcd", False),  # of unknown length
    (b"\x1a\x45\xdf\xa3\x84ab", False),
    (ASF_HEADER + struct.pack("<Q", 30) + bytes(6) + ASF_DATA + struct.pack("<Q", 60) + bytes(36), False),
    (ASF_HEADER + struct.pack("<Q", 30) + bytes(6) + ASF_DATA + struct.pack("<Q", 60) + bytes(35), True),
    (ASF_HEADER + struct.pack("<Q", 30) + bytes(6) + ASF_DATA + struct.pack("<Q", 0) + bytes(35), False),  # a stream
    (ASF_HEADER + struct.pack("<Q", 30) + bytes(6) + ASF_DATA[:9], False),  # not ours to judge
    (b"\x47" * 188, False),
    (b"", False),
])
def test_is_cut_short(data: bytes, is_cut: bool) -> None:
    file = io.BytesIO(data)
    assert is_cut_short(file, len(data)) is is_cut
    assert file.tell() == 0


@pytest.mark.parametrize("kind", ["gop12", "fragmented", "mov", "mkv", "vp9", "avi_mpeg4", "avi_mjpeg", "asf", "ts"])
def test_whole_files_are_whole(video: Callable[[str], Path], kind: str) -> None:
    data = video(kind).read_bytes()
    assert not is_cut_short(io.BytesIO(data), len(data))
    assert is_cut_short(io.BytesIO(data[:-40]), len(data) - 40) or kind in ("fragmented", "asf", "ts")
