"""What the user sees while waiting: one line per task with rate and ETA, or plain log lines where no terminal is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LOG_PERIOD_SECONDS = 15.0


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Task:
    """One progress line. `total` counts in `unit`; `done` may start above 0 after a restart."""

    def __init__(self, console: Console, title: str, total: int, unit: str, done: int) -> None:
        self.console, self.title, self.total, self.unit = console, title, total, unit
        self.done, self._first = done, done
        self._began = self._logged = time.monotonic()
        self.bar: tuple[Progress, TaskID] | None = None

    def rate(self) -> float:
        """Units per second since this process began."""
        return (self.done - self._first) / max(self.seconds(), 1e-9)

    def seconds(self) -> float:
        """How long this process has been at it."""
        return time.monotonic() - self._began

    def advance(self, num: int, note: str = "") -> None:
        """`num` more units are done; `note` says how it is going."""
        self.done += num
        shown = f"{self.rate():.1f} {self.unit}/s  {note}"
        if self.bar is not None:
            self.bar[0].update(self.bar[1], completed=self.done, note=shown)
        elif time.monotonic() - self._logged >= LOG_PERIOD_SECONDS:
            self._logged = time.monotonic()
            left = (self.total - self.done) / max(self.rate(), 1e-9)
            self.console.print(f"  {self.title}: {self.done}/{self.total} {shown}  ETA {_clock(left)}",
                               markup=False, highlight=False, soft_wrap=True)


class Screen:
    """The console of one run. quiet: says nothing, as all processes but the first."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self.console = console or Console(quiet=quiet)

    def say(self, text: str) -> None:
        """One line, not wrapped; `text` is printed as it is, not as markup."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def task(self, title: str, total: int, unit: str, *, done: int = 0) -> Iterator[Task]:
        """A progress line for the body of a with statement."""
        task = Task(self.console, title, total, unit, done)
        if not self.console.is_terminal:
            yield task
            return
        columns = (TextColumn("  {task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
                   TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False))
        with Progress(*columns, console=self.console, transient=True) as progress:
            task.bar = (progress, progress.add_task(title, total=total, completed=done, note=""))
            yield task
