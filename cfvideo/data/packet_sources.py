"""Where the packets of one video come from: its container, scanned from the first packet to the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from cfvideo.core.media import Media
from cfvideo.data.media_file import OpenVideo, open_video
from cfvideo.data.packet_plan import PacketTable, Stamp, tabulate
from cfvideo.data.parameter_sets import ParameterSets

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE; 0 is unknown


class PacketSource(Protocol):
    """Packets by their position in decoding order, and the decoder that takes them.

    codec, container: FFmpeg's names. table: what the packets are.
    """

    codec: str
    container: str
    table: PacketTable
    decoder: VideoCodecContext

    def packets(self, runs: Sequence[range]) -> Iterator[tuple[int, Packet[VideoStream]]]:
        """The packets of ranges that ascend and lie apart, with their positions."""

    def new_decoder(self) -> VideoCodecContext:
        """A decoder for them that has decoded nothing yet."""


class ScannedPackets:
    """The packets of an open container.

    kept: all of them, in memory; None where they are read from the file a second time.
    """

    def __init__(self, path: Media, video: OpenVideo, *, max_pixels: int, keep: bool) -> None:
        self._path, self._max_pixels, self.decoder = path, max_pixels, video.stream.codec_context
        self.codec, self.container = self.decoder.name, video.container.format.name
        self.kept: list[Packet[VideoStream]] | None = [] if keep else None
        self.table = self._scan(video)

    def _scan(self, video: OpenVideo) -> PacketTable:
        stamps, cut, sets = [], False, ParameterSets(self.codec, self.decoder.extradata)
        for packet in video.container.demux(video.stream):
            if packet.size:
                stamps.append(Stamp.of(packet, self.codec))
                sets.note(packet)
                cut = packet.is_corrupt
                if self.kept is not None:
                    self.kept.append(packet)
        # PyAV 17 (Python 3.10) does not tell the field order: the video then counts as interlaced, which is slower.
        field_order = getattr(self.decoder, "field_order", _PROGRESSIVE + 1)
        # FFmpeg flags the packet that the end of the file cuts off; half of its picture would be made up.
        return tabulate(stamps[:-1] if cut else stamps, container=self.container, codec=self.codec,
                        truncated=cut or video.is_cut, interlaced=field_order > _PROGRESSIVE,
                        changing=sets.changed)

    def packets(self, runs: Sequence[range]) -> Iterator[tuple[int, Packet[VideoStream]]]:
        if self.kept is not None:
            for run in runs:
                for position in run:
                    yield position, self.kept[position]
            return
        with open_video(self._path, max_pixels=self._max_pixels) as video:
            ahead = (packet for packet in video.container.demux(video.stream) if packet.size)
            position = 0
            for run in runs:
                while position < run.stop:
                    packet = next(ahead, None)
                    if packet is None:  # the file became shorter
                        return
                    if position >= run.start:
                        yield position, packet
                    position += 1

    def new_decoder(self) -> VideoCodecContext:
        # Only the container knows all of what some decoders must be told (tags, sizes): it is opened again.
        with open_video(self._path, max_pixels=self._max_pixels) as video:
            return video.stream.codec_context
