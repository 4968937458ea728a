"""Whether a media file ends before its own container says it does, as a broken download leaves it.

FFmpeg reads such files without a word, up to the last whole packet. With B-frames the pictures at the very end then
have gaps between them, so a reader must know. Containers that state their length tell: mp4, mov, mkv, webm, avi and
asf; for streams see `stream_end.py`.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"styp", b"sidx", b"mfra", b"uuid")
_MP4_MEDIA = (b"moov", b"mdat", b"moof")
_ASF_HEADER, _ASF_DATA = (bytes.fromhex(start + "b2758e66cf11a6d900aa0062ce6c") for start in ("3026", "3626"))
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def is_cut_short(file: BinaryIO, size_bytes: int) -> bool:
    """Compare the length that the container states with the file's; leaves the file at its start."""
    head = _read_at(file, 0, 16)
    if head[4:8] in _MP4_BOXES:
        end = _mp4_end(file, size_bytes)
    elif head[:4] == _EBML:
        end = _matroska_end(file)
    elif head[:4] == b"RIFF":
        end = _riff_end(file, size_bytes)
    elif head == _ASF_HEADER:
        end = _asf_end(file)
    else:
        end = 0
    file.seek(0)
    return end > size_bytes


def _read_at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _mp4_end(file: BinaryIO, size_bytes: int) -> int:
    """End of the last box that holds media; boxes state their own size (ISO/IEC 14496-12, 4.2)."""
    position = end = 0
    while position + 8 <= size_bytes:
        head = _read_at(file, position, 16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8 or kind not in _MP4_BOXES:
            break
        position += size
        end = position if kind in _MP4_MEDIA else end
    return end


def _matroska_end(file: BinaryIO) -> int:
    """End of the segment; 0 where it was written as a stream of unknown length (RFC 8794, 4)."""
    size, length = _vint(_read_at(file, 4, 8))
    segment = 4 + length + size
    if _read_at(file, segment, 4) != _SEGMENT:
        return 0
    size, length = _vint(_read_at(file, segment + 4, 8))
    unknown = size == (1 << 7 * length) - 1
    return 0 if unknown else segment + 4 + length + size


def _vint(data: bytes) -> tuple[int, int]:
    """EBML number and its length in bytes; the leading zero bits of the first byte state the length."""
    length = 9 - data[0].bit_length() if data and data[0] else 1
    return int.from_bytes(data[:length], "big") & ((1 << 7 * length) - 1), length


def _riff_end(file: BinaryIO, size_bytes: int) -> int:
    """End of the last RIFF chunk; large AVI files have several (OpenDML)."""
    position = 0
    while position + 8 <= size_bytes:
        kind, size = struct.unpack("<4sI", _read_at(file, position, 8))
        if kind != b"RIFF" or size == 0:
            break
        position += 8 + size
    return position


def _asf_end(file: BinaryIO) -> int:
    """End of the data object, which follows the header; 0 where it was written as a stream (ASF specification, 5.1)."""
    start = int.from_bytes(_read_at(file, 16, 8), "little")
    head = _read_at(file, start, 24)
    size = int.from_bytes(head[16:], "little")
    return start + size if head[:16] == _ASF_DATA and size else 0
