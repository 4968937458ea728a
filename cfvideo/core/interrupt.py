"""SIGINT and SIGTERM: finish the step in hand, save, leave with exit code 5."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cfvideo.core.errors import Interrupted


class StopRequest:
    """Set by the first signal and honoured at the next `check`; a second signal leaves at once.

    Leaving at once is safe, because every file here is published whole; only the unit in hand is lost.

    at_once: whether already the first signal leaves, which is right while there is no unit in hand to finish.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self.at_once = True

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take over SIGINT and SIGTERM for the body of a with statement (main thread only)."""
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def install(self) -> None:
        """Take over both signals for the rest of the process, honoured at `check` only."""
        self.at_once = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal_name is not None:
            os._exit(Interrupted.exit_code)
        self.signal_name = signal.Signals(number).name
        if self.at_once:
            self.check()

    def check_together(self, stopping: bool) -> None:
        """Raise Interrupted on every process where `stopping`, which all have agreed on, says so."""
        if stopping:
            raise Interrupted(f"stopped by {self.signal_name or 'a signal to another process'}; finished work is kept, "
                              "the same command resumes")

    def check(self) -> None:
        """Raise Interrupted if a signal came in."""
        self.check_together(self.signal_name is not None)
