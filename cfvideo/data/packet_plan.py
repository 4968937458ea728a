"""Which packets must be decoded for which frames, from a scan of a file's packets.

Frame n is the n-th frame in presentation order. Where every packet makes one frame and carries its own time stamp
(H.264, HEVC, VP9, AV1 in mp4, mov, mkv or webm), presentation order is the order of the time stamps, and a wanted
frame needs the packets from the last key frame that is not shown later. Everything else (AVI, MPEG-TS, MPEG-4 part 2,
field pictures, leading pictures before the first key frame, parameter sets that change on the way, files that end
early) has no such table and is decoded in order and counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
_CODECS = ("h264", "hevc", "vp9", "libdav1d", "mjpeg")


class Stamp(NamedTuple):
    """What the plan needs to know of one packet. is_discarded: decoded, not shown; is_hidden: makes no picture."""

    pts: int | None
    is_key: bool
    is_discarded: bool
    is_hidden: bool

    @classmethod
    def of(cls, packet: Packet[VideoStream], codec: str) -> Stamp:
        hidden = codec == "vp9" and hides_its_frame(memoryview(packet))
        return cls(packet.pts, packet.is_keyframe, packet.is_discard, hidden)


@dataclass(frozen=True)
class PacketTable:
    """A file's packets in decoding order.

    times: time stamp of each packet, in units of the stream's time base.
    keys: positions of the packets that are key frames, ascending.
    frames: packet position of frame 0, 1, 2 ... in presentation order; None where frames must be counted.
    truncated: the file ends early, so that the frames at its end may have gaps between them.
    """

    times: Sequence[int | None]
    keys: Sequence[int]
    frames: Sequence[int] | None
    truncated: bool

    def runs(self, wanted: Iterable[int]) -> list[range]:
        """Packet ranges, ascending and apart, each from a key frame on, that together make the wanted frames."""
        assert self.frames is not None
        stops: dict[int, int] = {}
        keys = sorted((time, i) for time, i in ((self.times[i], i) for i in self.keys) if time is not None)
        times = [time for time, _ in keys]
        for frame in wanted:
            packet = self.frames[frame]
            place = bisect_right(times, self.time_of(frame)) - 1
            while place > 0 and keys[place][1] > packet:
                place -= 1
            start = keys[place][1]
            stops[start] = max(stops.get(start, 0), packet + 1)
        return _merged(range(start, stop) for start, stop in sorted(stops.items()))

    def entries(self, wanted: Iterable[int], runs: Sequence[range]) -> dict[int, int | None]:
        """For every wanted frame the time stamp of the key frame that its run enters the video by."""
        assert self.frames is not None
        starts = [run.start for run in runs]
        first = {number: starts[bisect_right(starts, self.frames[number]) - 1] for number in wanted}
        return {number: self.times[start] for number, start in first.items()}

    def time_of(self, frame: int) -> int:
        """Time stamp of a frame, in units of the stream's time base."""
        assert self.frames is not None
        time = self.times[self.frames[frame]]
        assert time is not None
        return time


def _merged(runs: Iterable[range]) -> list[range]:
    merged: list[range] = []
    for run in runs:
        if merged and run.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, run.stop))
        else:
            merged.append(run)
    return merged


def hides_its_frame(packet: memoryview) -> bool:
    """Whether a VP9 packet makes no picture: one frame, not shown, nothing old shown instead (VP9 bitstream, 6.2)."""
    first, is_superframe = packet[0], packet[-1] & 0xE0 == 0xC0
    profile = (first >> 5 & 1) | (first >> 4 & 1) << 1
    shows_existing, shown = (first >> 2 & 1, first & 1) if profile == 3 else (first >> 3 & 1, first >> 1 & 1)
    return not (is_superframe or shows_existing or shown)


def tabulate(stamps: Sequence[Stamp], *, container: str, codec: str, interlaced: bool, truncated: bool,
             changing: bool) -> PacketTable:
    """Make the table of a scanned file; `stamps` are all packets of the video stream, in decoding order.

    changing: its parameter sets change on the way (`ParameterSets`).
    """
    planned = container in _CONTAINERS and codec in _CODECS and not interlaced and not changing
    frames = _presentation_order(stamps) if planned and not truncated else None
    keys = [i for i, stamp in enumerate(stamps) if stamp.is_key]
    return PacketTable([stamp.pts for stamp in stamps], keys, frames, truncated)


def _presentation_order(stamps: Sequence[Stamp]) -> list[int] | None:
    """Packets that are shown, by time stamp; None where the stamps do not define an order."""
    if not stamps or not stamps[0].is_key or any(stamp.is_hidden for stamp in stamps):
        return None
    shown: list[tuple[int, int]] = []
    for i, stamp in enumerate(stamps):
        if stamp.pts is None:
            return None
        if not stamp.is_discarded:
            shown.append((stamp.pts, i))
    shown.sort()
    first, times = stamps[0].pts, [pts for pts, _ in shown]
    if not shown or first is None or times[0] < first or len(set(times)) < len(times):
        return None
    return [i for _, i in shown]
