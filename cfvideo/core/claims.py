"""Work on rows that any number of processes share out among themselves, without talking to each other.

One file stands for the work: whoever locks bytes [start, stop) of it makes rows [start, stop). The kernel drops a lock
when its holder dies, however it dies, so that workers may join, be pre-empted and be killed, and what they held is
free again. Assumed of a network file system: locks hold between machines (NFS with its lock daemon, Lustre mounted
with `flock`). Where they do not, or where one machine sees another's new files late, a unit may be made twice; whoever
publishes whole files of equal bytes under equal names loses time by it, nothing else.
"""

from __future__ import annotations

import fcntl
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Half-open.
Rows = tuple[int, int]


class Claims:
    """The claims of all processes that name the same `path`; its folder exists.

    POSIX locks belong to a process and end when it closes any descriptor of the file: one Claims per process and file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    @contextmanager
    def hold(self, rows: Rows) -> Iterator[bool]:
        """Claim `rows` for the body of a with statement; False, at once, where a living process holds any of them."""
        start, stop = rows
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, stop - start, start)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as the system likes
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, stop - start, start)

    def close(self) -> None:
        """Let go of everything."""
        self._file.close()


def shared_out(units: Iterable[Rows], claims: Claims, *, is_done: Callable[[Rows], bool],
               pause: Callable[[], None]) -> Iterator[tuple[Rows, bool]]:
    """Every unit once, until all are done: with True this process is to make it now, with False another has made it.

    is_done: whether a unit's result is published. pause: called between two looks at what others still hold; what
    their holders left when they died is taken over.
    """
    ahead, held = deque(units), list[Rows]()
    while ahead or held:
        for unit in [unit for unit in held if is_done(unit)]:
            held.remove(unit)
            yield unit, False
        if not ahead and held:
            pause()
            ahead, held = deque(held), []
        if ahead:
            unit = ahead.popleft()
            with claims.hold(unit) as mine:
                if is_done(unit):
                    yield unit, False
                elif mine:
                    yield unit, True
                else:
                    held.append(unit)
