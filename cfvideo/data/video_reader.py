"""One open video: its packets, the number of its frames, and any of them decoded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cfvideo.core.media import Media, MediaPart
from cfvideo.core.media_file import MediaError, is_folder
from cfvideo.data.media_file import open_video
from cfvideo.data.packet_sources import PacketSource, ScannedPackets
from cfvideo.data.stream_end import CONTAINERS as STREAMS
from cfvideo.data.stream_end import Gaps

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    Paint = Callable[[int, VideoFrame], None]

# Decoders in which dropping unwanted non-reference pictures is bit-exact. libdav1d, for one, loses shown frames.
_SKIPPING_DECODERS = ("h264", "hevc")
# Smaller files keep their packets in memory between the scan and the decoding; larger ones are read twice.
KEPT_BYTES = 64 << 20
_INTRA = 1  # AV_PICTURE_TYPE_I


class VideoReader:
    """Frames of one open file. Made by `reading`, valid inside its `with` block.

    table: the packets. num_frames: how many frames the file truly has. codec, container: FFmpeg's names.
    truncated: the file ends early.
    """

    def __init__(self, source: PacketSource, num_frames: int | None = None) -> None:
        """num_frames: where it is known from an earlier visit; it is found out otherwise."""
        self._source, self._decoder, self.table = source, source.decoder, source.table
        self.codec, self.container, self.truncated = source.codec, source.container, source.table.truncated
        if self.table.frames is not None:
            num_frames = len(self.table.frames)
        elif num_frames is None:
            num_frames = sum(1 for _ in self._decoded([self._everything()]))
        self.num_frames = num_frames
        if self.num_frames == 0:
            raise MediaError("undecodable", "the file holds no complete frame")

    def _everything(self) -> range:
        return range(len(self.table.times))

    def decode(self, wanted: Collection[int], paint: Paint) -> None:
        """Decode frames by number and have each painted; some of them twice, where the first attempt fails.

        Raises MediaError where one is missing or damaged.
        """
        import av

        if self.table.frames is None:
            self._hand_over(enumerate(self._decoded([self._everything()])), wanted, paint)
            return
        needed = frozenset(self.table.frames[number] for number in wanted)
        try:
            self._hand_over(self._numbered(wanted, self.table.runs(wanted), needed), wanted, paint)
        except (MediaError, av.FFmpegError):
            # A key frame that needs its past after all (a wrong flag, gradual refresh): the slow way is always right.
            start_to_last = [range(max(needed) + 1)]
            self._hand_over(self._numbered(wanted, start_to_last, None), wanted, paint)

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

    def _hand_over(self, decoded: Iterable[tuple[int, VideoFrame]], wanted: Collection[int], paint: Paint) -> None:
        missing, damaged = set(wanted), False
        for number, frame in decoded:
            # What follows a concealed picture is built on it, up to the next key frame.
            damaged = frame.is_corrupt or (damaged and not frame.key_frame)
            if number in missing:
                if damaged:
                    raise MediaError("undecodable", f"frame {number} of {self.num_frames} is damaged")
                paint(number, frame)
                missing.discard(number)
                if not missing:
                    return
        raise MediaError("undecodable", f"frame {min(missing)} of {self.num_frames} cannot be decoded")

    def _decoded(self, runs: list[range], needed: frozenset[int] | None = None) -> Iterator[VideoFrame]:
        """Frames of packet ranges (ascending, apart), each range decoded on its own.

        needed: leave out non-reference pictures outside these packets, where the decoder can; None: everything from
        the first packet on, as a decoder that has seen nothing yet gives it.
        """
        if self._decoder.is_open and needed is None:
            # Flushed, it would keep the parameter sets of what it decoded last, which may not be those of the start.
            self._decoder = self._source.new_decoder()
        decoder, lasts = self._decoder, {run.stop - 1 for run in runs}
        skipping = needed is not None and self.codec in _SKIPPING_DECODERS
        if decoder.is_open:
            decoder.flush_buffers()
        decoder.skip_frame, left_out, gaps = "DEFAULT", False, Gaps()
        for position, packet in self._source.packets(runs):
            unwanted = skipping and needed is not None and position not in needed
            if unwanted is not left_out:
                decoder.skip_frame, left_out = "NONREF" if unwanted else "DEFAULT", unwanted
            for frame in decoder.decode(packet):
                gaps.note(frame.pts)
                yield frame
            if position in lasts:
                yield from self._drained(gaps)

    def _drained(self, gaps: Gaps) -> Iterator[VideoFrame]:
        # Behind a cut, what the decoder still holds back for reordering may have gaps between.
        if self.table.frames is None and self.table.truncated:
            return
        frames = self._decoder.decode(None)
        self._decoder.flush_buffers()
        if self.table.frames is None and self.container in STREAMS:
            whole = gaps.num_before_cut([frame.pts for frame in frames])
            self.truncated, frames = whole < len(frames), frames[:whole]
        yield from frames


@contextmanager
def container_reading(path: Media, max_pixels: int, num_frames: int | None = None
               ) -> Iterator[tuple[ScannedPackets, VideoReader]]:
    """The packets of a scanned container and the reader of its frames. Raises as `open_video` does, and MediaError.

    num_frames: where it is known from an earlier visit.
    """
    with open_video(path, max_pixels=max_pixels) as video:
        source = ScannedPackets(path, video, max_pixels=max_pixels, keep=video.size_bytes <= KEPT_BYTES)
        yield source, VideoReader(source, num_frames)


@contextmanager
def reading(path: Media, *, max_pixels: int, packets: Path | None = None, keep: bool = True) -> Iterator[VideoReader]:
    """Open a video for reading: a file, a part of one, a folder of frames. Raises MediaError for all that is wrong.

    packets: folder of packet indexes; what is known of the file is used. keep: what is found out is kept there.
    """
    import av

    try:
        if is_folder(path):
            from cfvideo.data.frame_folder import FrameFolder  # it is a VideoReader itself

            yield FrameFolder(path, max_pixels)
        elif packets is not None and not isinstance(path, MediaPart):
            from cfvideo.data.stored_reader import indexed_reading

            with indexed_reading(path, max_pixels, packets, keep=keep) as reader:
                yield reader
        else:
            with container_reading(path, max_pixels) as (_, reader):
                yield reader
    except (av.FFmpegError, OSError) as error:
        raise MediaError("undecodable", str(error)) from error
