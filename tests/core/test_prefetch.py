"""Work ahead in threads: order, bounds, errors, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cfvideo.core.prefetch import in_order


def decode_threads() -> int:
    return sum(thread.name.startswith("decode") for thread in threading.enumerate())


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_order_is_kept(threads: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    groups = [(name, list(range(10 * name, 10 * name + size))) for name, size in enumerate((3, 0, 5, 1, 4))]
    results = list(in_order(groups, work, threads=threads))
    assert results == [(name, [item * item for item in items]) for name, items in groups]
    assert decode_threads() == 0


def endless(taken: list[int]) -> Iterator[tuple[int, list[int]]]:
    group = 0
    while True:
        taken.append(group)
        yield group, [group]
        group += 1


def test_work_ahead_is_bounded() -> None:
    taken: list[int] = []
    results = in_order(endless(taken), lambda item: item, threads=2, groups_ahead=3)
    for expected in range(5):
        assert next(results)[0] == expected
        assert len(taken) <= expected + 1 + 3
    results.close()
    assert decode_threads() == 0


def test_work_really_runs_ahead_and_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def work(item: int) -> int:
        meeting.wait()
        return item

    assert [name for name, _ in in_order([(0, [1, 2]), (1, [3, 4])], work, threads=2)] == [0, 1]


def test_an_error_comes_where_its_group_is_due() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise RuntimeError("three")
        return item

    results = in_order(((name, [name]) for name in range(9)), work, threads=2)
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match="three"):
        next(results)
    assert decode_threads() == 0


def test_an_error_of_the_source_leaves_no_thread() -> None:
    def source() -> Iterator[tuple[int, list[int]]]:
        yield 0, [0]
        raise RuntimeError("source")

    with pytest.raises(RuntimeError, match="source"):
        list(in_order(source(), lambda item: item, threads=2))
    assert decode_threads() == 0


def test_a_consumer_that_is_interrupted_leaves_no_thread() -> None:
    done: list[int] = []

    def consume() -> None:
        for group, _ in in_order(endless([]), lambda item: done.append(item), threads=2):
            if group == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    deadline = time.monotonic() + 20
    while decode_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert decode_threads() == 0
    assert len(done) <= 6


def test_an_interrupt_while_waiting_drops_what_waits() -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        if item == 0:
            raise KeyboardInterrupt  # as if it came while the consumer waits for this result
        time.sleep(0.01)
        return item

    with pytest.raises(KeyboardInterrupt):
        list(in_order([(0, list(range(50))), (1, list(range(50, 100)))], work, threads=1))
    assert decode_threads() == 0
    assert len(started) < 100


def test_closing_cuts_running_work_short() -> None:
    released = threading.Event()
    waiting = threading.Semaphore(0)

    def work(item: int) -> int:
        if item:
            waiting.release()
            assert released.wait(timeout=60)
        return item

    results = in_order(endless([]), work, threads=2, stop=released.set)
    assert next(results) == (0, [0])
    waiting.acquire()
    results.close()
    assert released.is_set()
    assert decode_threads() == 0


def test_stop_is_called_at_the_end_and_after_errors_too() -> None:
    calls: list[str] = []
    assert list(in_order([(0, [1])], lambda item: item, threads=1, stop=lambda: calls.append("end"))) == [(0, [1])]
    with pytest.raises(ZeroDivisionError):
        list(in_order([(0, [0])], lambda item: 1 // item, threads=1, stop=lambda: calls.append("error")))
    assert calls == ["end", "error"]
