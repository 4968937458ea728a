"""Packets read straight from their places in the file, without opening its container.

Opening an mp4 and scanning its packets costs 3 to 5 ms, a tenth to a half of the time of one training clip. With the
packets' places known, a run of them is one read, and the decoder needs nothing but the stream's extradata. Which files
allow it is found out once, by doing it: every packet's bytes must be those of the container, and the first frame must
come out the same, pixels and tags (`columns_of`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from cfvideo.core.media_file import MediaError
from cfvideo.data.packet_index import PacketColumns, PacketIndex
from cfvideo.data.packet_plan import PacketTable
from cfvideo.data.packet_sources import ScannedPackets
from cfvideo.data.painter import Painter
from cfvideo.data.pixels import same_size

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# mp4 and mov: a packet is a stretch of the file. In matroska and webm headers may be stripped off packets.
_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2",)
_CODECS = ("h264", "hevc")


class StoredPackets:
    """The packets of an open file whose places are known. Raises av.FFmpegError where the decoder cannot be had."""

    def __init__(self, file: BinaryIO, index: PacketIndex, *, max_pixels: int) -> None:
        assert index.columns is not None
        self._file, self._columns, self._max_pixels = file, index.columns, max_pixels
        self.codec, self.container = index.codec, index.container
        self.table = _table(index.columns)
        self.decoder = self.new_decoder()

    def new_decoder(self) -> VideoCodecContext:
        import av

        decoder = av.CodecContext.create(self.codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.extradata = self._columns.extradata
        decoder.options = {"max_pixels": str(self._max_pixels)}
        decoder.thread_count, decoder.thread_type = 1, "NONE"
        return decoder

    def packets(self, runs: Sequence[range]) -> Iterator[tuple[int, Packet[VideoStream]]]:
        import av

        for run in runs:
            offsets = self._columns.offsets[run.start:run.stop].tolist()
            sizes = self._columns.sizes[run.start:run.stop].tolist()
            first = min(offsets)
            stop = max(offset + size for offset, size in zip(offsets, sizes, strict=True))
            data = _read(self._file, first, stop - first)
            for position, offset, size in zip(run, offsets, sizes, strict=True):
                packet = av.Packet(data[offset - first:offset - first + size])
                packet.pts = self.table.times[position]
                yield position, cast("Packet[VideoStream]", packet)


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    data = os.pread(file.fileno(), count, start)
    if len(data) != count:
        raise MediaError("undecodable", "the file became shorter while it was read")
    return data


def _table(columns: PacketColumns) -> PacketTable:
    frames = np.argsort(columns.times, kind="stable").tolist()
    return PacketTable(columns.times.tolist(), columns.keys.tolist(), frames, truncated=False)


def columns_of(file: BinaryIO, scanned: ScannedPackets) -> PacketColumns | None:
    """Where the packets of a scanned video lie; None where they are not plain stretches of its file."""
    packets, decoder, times = scanned.kept, scanned.decoder, scanned.table.times
    if packets is None or scanned.table.frames is None or len(scanned.table.frames) < len(packets):
        return None
    if scanned.container not in _CONTAINERS or scanned.codec not in _CODECS or not decoder.extradata:
        return None
    if not all(_lies_in(file, packet) for packet in packets):
        return None
    return PacketColumns(
        extradata=bytes(decoder.extradata), width=decoder.width, height=decoder.height,
        times=np.array(times, np.int64), offsets=np.array([packet.pos for packet in packets], np.int64),
        sizes=np.array([packet.size for packet in packets], np.int32), keys=np.array(scanned.table.keys, np.int32))


def _lies_in(file: BinaryIO, packet: Packet[VideoStream]) -> bool:
    # New extradata on the way would have to be handed on.
    if packet.pos is None or packet.pos < 0 or packet.is_discard or packet.has_sidedata("new_extradata"):
        return False
    return os.pread(file.fileno(), packet.size, packet.pos) == bytes(packet)


def looks_like(frame: VideoFrame) -> tuple[object, ...]:
    """All of a decoded frame that its painted picture depends on; only upright ones are alike."""
    upright = frame.side_data.get("DISPLAYMATRIX") is None
    tags = (frame.pts, frame.format.name, int(frame.colorspace), int(frame.color_range))
    painter = Painter([0], same_size)
    painter.paint(0, frame)
    return *tags, upright or object(), painter.finished().tobytes()
