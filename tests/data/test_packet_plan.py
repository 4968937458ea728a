"""Plans by hand-written tables: which packets are decoded for which frames."""

from __future__ import annotations

import pytest

from cfvideo.data.packet_plan import PacketTable, Stamp, hides_its_frame, tabulate

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"


def stamps(*pts: int | None, keys: tuple[int, ...] = (0,), discarded: tuple[int, ...] = ()) -> list[Stamp]:
    return [Stamp(time, i in keys, i in discarded, False) for i, time in enumerate(pts)]


def table(of: list[Stamp], container: str = MP4, codec: str = "h264", interlaced: bool = False,
          truncated: bool = False, changing: bool = False) -> PacketTable:
    return tabulate(of, container=container, codec=codec, interlaced=interlaced, truncated=truncated,
                    changing=changing)


@pytest.mark.parametrize(("of", "frames"), [
    (stamps(0, 3, 1, 2), [0, 2, 3, 1]),
    (stamps(-2, -1, 0, 1, discarded=(0, 1)), [2, 3]),
    (stamps(0, 1, None), None),
    (stamps(0, 1, 1), None),
    (stamps(0, 1, 2, keys=(1,)), None),
    (stamps(5, 3, 4, 6), None),  # leading pictures before the first key frame
    (stamps(), None),
    ([Stamp(0, True, False, False), Stamp(1, False, False, True)], None),  # one packet makes no picture
])
def test_presentation_order(of: list[Stamp], frames: list[int] | None) -> None:
    assert table(of).frames == frames


def test_what_has_to_be_counted() -> None:
    of = stamps(0, 1, 2)
    assert table(of).frames is not None
    for counted in (table(of, container="avi"), table(of, container="mpegts"), table(of, codec="mpeg4"),
                    table(of, codec="vp8"), table(of, interlaced=True), table(of, truncated=True),
                    table(of, changing=True)):
        assert counted.frames is None


# I0 B-frames between, a key frame every 4 packets; 4 is open: packets 5 and 6 are shown before it.
OPEN = stamps(0, 3, 1, 2, 6, 4, 5, 7, 8, keys=(0, 4, 8))


@pytest.mark.parametrize(("wanted", "runs"), [
    ([0], [range(0, 1)]),
    ([2], [range(0, 4)]),
    ([3], [range(0, 2)]),
    ([4], [range(0, 6)]),  # a leading picture needs the group before
    ([6], [range(4, 5)]),
    ([7], [range(4, 8)]),
    ([0, 6], [range(0, 1), range(4, 5)]),
    ([4, 7], [range(0, 8)]),  # overlapping runs become one
    ([8, 0], [range(0, 1), range(8, 9)]),
])
def test_runs(wanted: list[int], runs: list[range]) -> None:
    planned = table(OPEN)
    assert planned.runs(wanted) == runs
    entries = planned.entries(wanted, runs)
    assert all(planned.times[run.start] in entries.values() for run in runs)


def vp9_head(profile: int, shows_existing: int, shown: int) -> int:
    bits = f"10{profile & 1}{profile >> 1}" + ("0" if profile == 3 else "") + f"{shows_existing}0{shown}0"
    return int(bits[:8].ljust(8, "0"), 2)


@pytest.mark.parametrize("profile", [0, 1, 2, 3])
@pytest.mark.parametrize(("shows_existing", "shown", "last", "hidden"), [
    (0, 1, 0, False), (0, 0, 0, True), (1, 0, 0, False), (0, 0, 0b11000001, False)])
def test_hidden_vp9_frames(profile: int, shows_existing: int, shown: int, last: int, hidden: bool) -> None:
    packet = bytes([vp9_head(profile, shows_existing, shown), 1, 2, last])
    assert hides_its_frame(memoryview(packet)) is hidden
