"""Whether the parameter sets of H.264 and HEVC stay the same throughout a video.

They say how pictures are to be decoded and hold until others come. Where others come on the way (videos joined without
encoding them again), a key frame may need some that lie far before it, and decoded without them it comes out wrong
without a word. Layouts: ISO/IEC 14496-15, 5.3.3 and 8.3.3; types of units: ISO/IEC 14496-10 and 23008-2, table 7-1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

# Codec -> types of units that are parameter sets, and of units that are parts of pictures.
_TYPES = {"h264": (range(7, 9), range(1, 6)), "hevc": (range(32, 35), range(32))}
_START_CODE = b"\0\0\1"


class ParameterSets:
    """Those of one video, packet by packet. changed: others came than it began with."""

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        """codec: FFmpeg's name; none but H.264 and HEVC is looked at. extradata: what the decoder is told first."""
        self.changed, self._codec, self._length_bytes = False, codec, 0
        header = extradata or b""
        if header and not header.startswith((_START_CODE, b"\0" + _START_CODE)):
            self._length_bytes = (_number(header, 21 if codec == "hevc" else 4, 1) & 3) + 1
            self._known = frozenset(_hevc_header(header) if codec == "hevc" else _h264_header(header))
        else:
            self._known = frozenset(self._leading(header))

    def note(self, packet: Packet[VideoStream]) -> None:
        """Look at the next packet, in decoding order."""
        if self._codec not in _TYPES or self.changed:
            return
        self.changed, data = packet.has_sidedata("new_extradata"), memoryview(packet)
        if 0 < self._length_bytes < len(data) and self._kind(data[self._length_bytes]) in _TYPES[self._codec][1]:
            return  # most packets begin with their picture: this is the quick way out, not another rule
        found = frozenset(self._leading(data))
        self._known = self._known or found
        self.changed |= not found <= self._known

    def _kind(self, first: int) -> int:
        return first >> 1 & 63 if self._codec == "hevc" else first & 31

    def _leading(self, data: memoryview | bytes) -> Iterator[bytes]:
        """Parameter sets at the start of some data; behind the first part of its picture there are none."""
        sets, pictures = _TYPES.get(self._codec, (range(0), range(64)))
        units = _behind_lengths(data, self._length_bytes) if self._length_bytes else _behind_start_codes(bytes(data))
        for first, unit in units:
            kind = self._kind(first)
            if kind in pictures:
                return
            if kind in sets:
                yield bytes(unit).rstrip(b"\0")


def _behind_lengths(data: memoryview | bytes, length_bytes: int) -> Iterator[tuple[int, memoryview | bytes]]:
    """First byte of each unit, and the unit."""
    start = length_bytes
    while start < len(data):
        stop = start + int.from_bytes(data[start - length_bytes:start], "big")
        yield data[start], data[start:stop]
        start = stop + length_bytes


def _behind_start_codes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The same where units follow start codes."""
    start = data.find(_START_CODE) + len(_START_CODE)
    while len(_START_CODE) <= start < len(data):
        following = data.find(_START_CODE, start)
        yield data[start], data[start:following if following >= 0 else len(data)]
        start = following + len(_START_CODE) if following >= 0 else len(data)


def _h264_header(header: bytes) -> Iterator[bytes]:
    position = 5
    for mask in (31, 255):  # sequence parameter sets, then those of pictures
        count, position = _number(header, position, 1) & mask, position + 1
        for _ in range(count):
            stop = position + 2 + _number(header, position, 2)
            yield header[position + 2:stop].rstrip(b"\0")
            position = stop


def _hevc_header(header: bytes) -> Iterator[bytes]:
    position = 23
    for _ in range(_number(header, 22, 1)):
        count, position = _number(header, position + 1, 2), position + 3
        for _ in range(count):
            stop = position + 2 + _number(header, position, 2)
            yield header[position + 2:stop].rstrip(b"\0")
            position = stop


def _number(data: bytes, position: int, num_bytes: int) -> int:
    return int.from_bytes(data[position:position + num_bytes], "big")
