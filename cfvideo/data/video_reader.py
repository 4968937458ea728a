"""One open video: its packets, the number of its frames, and any of them decoded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cfvideo.data.media_file import MediaError, OpenVideo, open_video
from cfvideo.data.packet_plan import PacketTable, Stamp, tabulate
from cfvideo.data.pixels import Frames

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    Paint = Callable[[VideoFrame], Frames]

# Decoders in which dropping unwanted non-reference pictures is bit-exact. libdav1d, for one, loses shown frames.
_SKIPPING_DECODERS = ("h264", "hevc")
# Smaller files keep their packets in memory between the scan and the decoding; larger ones are read twice.
KEPT_BYTES = 64 << 20
_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE; 0 is unknown
_INTRA = 1  # AV_PICTURE_TYPE_I


class VideoReader:
    """Frames of one open file. Made by `reading`, valid inside its `with` block.

    table: the scanned packets. num_frames: how many frames the file truly has. codec, container: FFmpeg's names.
    """

    def __init__(self, path: Path, max_pixels: int, video: OpenVideo) -> None:
        self._path, self._max_pixels, self._decoder = path, max_pixels, video.stream.codec_context
        self._kept: list[Packet[VideoStream]] | None = [] if video.size_bytes <= KEPT_BYTES else None
        self.codec, self.container = self._decoder.name, video.container.format.name
        self.table = self._scan(video)
        frames = self.table.frames
        self.num_frames = sum(1 for _ in self._decoded([self._everything()])) if frames is None else len(frames)
        if self.num_frames == 0:
            raise MediaError("undecodable", "the file holds no complete frame")

    def _everything(self) -> range:
        return range(len(self.table.stamps))

    def _scan(self, video: OpenVideo) -> PacketTable:
        stamps, cut = [], False
        for packet in video.container.demux(video.stream):
            if packet.size:
                stamps.append(Stamp.of(packet, self.codec))
                cut = packet.is_corrupt
                if self._kept is not None:
                    self._kept.append(packet)
        # PyAV 17 (Python 3.10) does not tell the field order: the video then counts as interlaced, which is slower.
        field_order = getattr(self._decoder, "field_order", _PROGRESSIVE + 1)
        # FFmpeg flags the packet that the end of the file cuts off; half of its picture would be made up.
        return tabulate(stamps[:-1] if cut else stamps, container=self.container, codec=self.codec,
                        truncated=cut or video.is_cut, interlaced=field_order > _PROGRESSIVE)

    def frames(self, wanted: Collection[int], paint: Paint) -> dict[int, Frames]:
        """Decode frames by number and paint each. Raises MediaError where one is missing or damaged."""
        import av

        if self.table.frames is None:
            return self._gathered(enumerate(self._decoded([self._everything()])), set(wanted), paint)
        needed = frozenset(self.table.frames[number] for number in wanted)
        try:
            return self._gathered(self._numbered(wanted, self.table.runs(wanted), needed), set(wanted), paint)
        except (MediaError, av.FFmpegError):
            # A key frame that needs its past after all (a wrong flag, gradual refresh): the slow way is always right.
            start_to_last = [range(max(needed) + 1)]
            return self._gathered(self._numbered(wanted, start_to_last, None), set(wanted), paint)

    def _numbered(self, wanted: Iterable[int], runs: list[range], needed: frozenset[int] | None
                  ) -> Iterator[tuple[int, VideoFrame]]:
        """Frames with their numbers, -1 for those that nobody asked for."""
        numbers: dict[int | None, int] = {self.table.time_of(number): number for number in wanted}
        entries = self.table.entries(wanted, runs)
        entered: set[int | None] = set()
        for frame in self._decoded(runs, needed):
            number = numbers.get(frame.pts, -1)
            if frame.pict_type == _INTRA:
                entered.add(frame.pts)
            # FFmpeg takes some pictures for clean that still refer to what lies before a point of gradual refresh.
            if needed is not None and number >= 0 and entries[number] not in entered:
                raise MediaError("undecodable", f"the key frame before frame {number} is none")
            yield number, frame

    def _gathered(self, decoded: Iterable[tuple[int, VideoFrame]], wanted: set[int], paint: Paint
                  ) -> dict[int, Frames]:
        gathered: dict[int, Frames] = {}
        damaged = False
        for number, frame in decoded:
            # What follows a concealed picture is built on it, up to the next key frame.
            damaged = frame.is_corrupt or (damaged and not frame.key_frame)
            if number in wanted:
                if damaged:
                    raise MediaError("undecodable", f"frame {number} of {self.num_frames} is damaged")
                gathered[number] = paint(frame)
                if len(gathered) == len(wanted):
                    return gathered
        lost = min(wanted - gathered.keys())
        raise MediaError("undecodable", f"frame {lost} of {self.num_frames} cannot be decoded")

    def _decoded(self, runs: list[range], needed: frozenset[int] | None = None) -> Iterator[VideoFrame]:
        """Frames of packet ranges (ascending, apart), each range decoded on its own.

        needed: leave out non-reference pictures outside these packets, where the decoder can.
        """
        decoder, ahead = self._decoder, iter(runs)
        skipping = needed is not None and self.codec in _SKIPPING_DECODERS
        if decoder.is_open:
            decoder.flush_buffers()
        decoder.skip_frame, run = "DEFAULT", next(ahead, range(0))
        for position, packet in enumerate(self._packets()):
            if position >= run.start:
                if skipping and needed is not None:
                    decoder.skip_frame = "DEFAULT" if position in needed else "NONREF"
                yield from decoder.decode(packet)
                if position + 1 == run.stop:
                    yield from self._drained()
                    run = next(ahead, range(0))
                    if not run:
                        return

    def _drained(self) -> Iterator[VideoFrame]:
        # Behind a cut, what the decoder still holds back for reordering may have gaps between.
        if self.table.frames is not None or not self.table.truncated:
            yield from self._decoder.decode(None)
            self._decoder.flush_buffers()

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """All packets of the video stream in decoding order, from the start of the file."""
        if self._kept is not None:
            yield from self._kept
            return
        with open_video(self._path, max_pixels=self._max_pixels) as video:
            yield from (packet for packet in video.container.demux(video.stream) if packet.size)


@contextmanager
def reading(path: Path, *, max_pixels: int) -> Iterator[VideoReader]:
    """Open a video for reading. Raises MediaError for everything that is wrong with the file."""
    import av

    try:
        with open_video(path, max_pixels=max_pixels) as video:
            yield VideoReader(path, max_pixels, video)
    except (av.FFmpegError, OSError) as error:
        raise MediaError("undecodable", str(error)) from error
