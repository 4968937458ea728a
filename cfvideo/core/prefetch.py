"""Work done ahead in threads: bounded, in order, and gone when nobody wants it any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Group = TypeVar("Group")
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(groups: Iterable[tuple[Group, Sequence[Item]]], work: Callable[[Item], Result], *, threads: int,
             groups_ahead: int = 2, stop: Callable[[], None] | None = None
             ) -> Generator[tuple[Group, list[Result]], None, None]:
    """(group, items) ... -> (group, [work(item) ...]) ..., in the same order whatever the threads.

    At most `groups_ahead` groups are being worked on besides the one the consumer holds. An error of `work` is raised
    where its group is due. When the iterator is closed, or an error or Ctrl-C passes through it, waiting items are
    dropped, running ones finish, and no thread is left. `stop` is called first then, to cut running ones short.
    """
    waiting: deque[tuple[Group, list[Future[Result]]]] = deque()
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode")
    try:
        for group, items in groups:
            waiting.append((group, [pool.submit(work, item) for item in items]))
            if len(waiting) > groups_ahead:
                yield _finished(waiting.popleft())
        while waiting:
            yield _finished(waiting.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if stop is not None:
            stop()
        pool.shutdown(wait=True)


def _finished(group: tuple[Group, list[Future[Result]]]) -> tuple[Group, list[Result]]:
    name, futures = group
    return name, [future.result() for future in futures]
