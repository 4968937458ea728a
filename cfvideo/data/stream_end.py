"""Where a stream that does not state its length (MPEG-TS, MPEG-PS, FLV) really ends.

Such a file may be cut anywhere without a trace. Pictures are stored before the B-frames that are shown ahead of them,
so the last ones of a cut file have gaps before them, and counting would give them too low a number. Only pictures that
the decoder holds back until the packets end can be concerned: the first of them that follows a longer gap than any two
pictures before is taken for the cut, and the video ends ahead of it. So a whole file with a variable rate whose longest
gap lies there loses the few pictures behind it.

Not seen: a cut where a longer gap came earlier, within the first pictures of a file, or in MPEG-PS, whose time stamps
FFmpeg makes up from what follows; the last picture then has too low a number.
"""

from __future__ import annotations

from collections.abc import Sequence

CONTAINERS = ("mpegts", "mpeg", "flv")
# Time stamps are rounded: to milliseconds in FLV.
_LONGER = 1.5


class Gaps:
    """The gaps between time stamps, in the order in which pictures are shown."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._longest = 0

    def note(self, time: int | None) -> None:
        """One more picture is shown."""
        if time is not None and self._last is not None:
            self._longest = max(self._longest, time - self._last)
        self._last = time

    def num_before_cut(self, times: Sequence[int | None]) -> int:
        """How many of the last pictures follow without a gap; all of them where nothing tells."""
        shown = [self._last, *times]
        gaps = [later - earlier if earlier is not None and later is not None else 0
                for earlier, later in zip(shown[:-1], shown[1:], strict=True)]
        usual = self._longest or min((gap for gap in gaps if gap > 0), default=0)
        return next((i for i, gap in enumerate(gaps) if usual and gap > _LONGER * usual), len(times))
