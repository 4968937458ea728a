"""SIGINT and SIGTERM: finish the step in hand, save, leave with exit code 5."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cfvideo.core.errors import Interrupted

# Who stops a whole job (SLURM, Kubernetes) signals torchrun and its processes, and torchrun hands its own signal on to
# them. 10 s, because it kills what is still there after 30.
_ONE_WISH_SECONDS = 10.0


class StopRequest:
    """Set by the first signal and honoured at the next `check`; a second signal leaves at once.

    Leaving at once is safe, because every file here is published whole; only the unit in hand is lost.

    Args:
        one_wish_seconds: signals within this time of the first are that same wish to stop. None: 10 under torchrun,
            where one wish arrives several times, and 0 elsewhere.

    at_once: whether already the first signal leaves, which is right while there is no unit in hand to finish.
    """

    def __init__(self, one_wish_seconds: float | None = None) -> None:
        self.signal_name: str | None = None
        self.at_once = True
        if one_wish_seconds is None:
            one_wish_seconds = _ONE_WISH_SECONDS if "TORCHELASTIC_RUN_ID" in os.environ else 0.0
        self._one_wish_seconds, self._first_at = one_wish_seconds, 0.0

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
            if time.monotonic() - self._first_at >= self._one_wish_seconds:
                os._exit(Interrupted.exit_code)
            return
        self.signal_name, self._first_at = signal.Signals(number).name, time.monotonic()
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
