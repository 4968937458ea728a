"""Which of the last pictures of a stream come before its cut: a table."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cfvideo.data.stream_end import Gaps


@pytest.mark.parametrize(("shown", "last", "kept"), [
    ([0, 40, 80], [120, 160], 2),  # whole
    ([0, 40, 80], [160], 0),  # one picture is missing
    ([0, 40, 80], [120, 240, 280], 1),
    ([0, 33, 67, 100], [133, 167], 2),  # rounded to milliseconds
    ([0, 200, 240], [440], 1),  # as long as one before: a variable rate
    ([0, 40, 80], [], 0),
    ([], [0, 40, 80], 3),  # a file of few pictures: the decoder holds back all
    ([], [0, 40, 160], 2),
    ([], [0], 1),
    ([40], [80, 120], 2),
    ([0, None, 80, 120], [240], 0),
    ([None, None], [None, None], 2),  # nothing tells
    ([0, 40, 80], [None, 500], 2),
    ([0, 40, 80], [10, 50], 2),  # a new clock
])
def test_num_before_cut(shown: Sequence[int | None], last: Sequence[int | None], kept: int) -> None:
    gaps = Gaps()
    for time in shown:
        gaps.note(time)
    assert gaps.num_before_cut(last) == kept
