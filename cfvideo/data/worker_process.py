"""One decoder process, as its parent sees it: a new interpreter at the other end of two pipes."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cfvideo.data.jobs import Job
from cfvideo.data.messages import receive, send

COMMAND = (sys.executable, "-m", "cfvideo.data.worker_main")
START_SECONDS = 120.0
_ROOT = Path(__file__).resolve().parents[2]
_LAST_WORDS_BYTES = 2000


class WorkerLost(Exception):
    """The worker gave no answer. status: crashed or timeout."""

    def __init__(self, status: str, cause: str) -> None:
        super().__init__(f"{status}: {cause}")
        self.status, self.cause = status, cause


class Worker:
    """One process. Not thread-safe but for `kill`."""

    def __init__(self, command: Sequence[str]) -> None:
        self.num_jobs, self.resident_bytes, self._ready = 0, 0, False
        self._said = tempfile.TemporaryFile("a+b")  # noqa: SIM115 (closed by release)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
                                         bufsize=0, cwd=_ROOT, env=_environment())
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, job: Job, timeout_seconds: float) -> tuple[dict[str, Any], bytearray]:
        """The answer's header and payload. Raises WorkerLost, after which the worker is of no use."""
        self._await_start()
        self.num_jobs += 1
        try:
            send(self._requests.fileno(), {**dataclasses.asdict(job), "seconds": timeout_seconds})
            reply = receive(self._replies.fileno(), deadline=time.monotonic() + timeout_seconds)
        except TimeoutError as error:
            raise WorkerLost("timeout", f"not decoded within {timeout_seconds:g} seconds") from error
        except (EOFError, OSError) as error:
            raise WorkerLost("crashed", f"the decoder's process {self._ending()}") from error
        self._said.truncate(0)
        self.resident_bytes = reply[0].get("resident_bytes", 0)
        return reply

    def _await_start(self) -> None:
        if not self._ready:
            try:
                receive(self._replies.fileno(), deadline=time.monotonic() + START_SECONDS)
            except (EOFError, OSError) as error:
                raise RuntimeError(f"a decoder process does not start; it {self._ending()} and said:\n"
                                   f"{self.last_words()}") from error
            self._ready = True

    def _ending(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"

    def last_words(self) -> str:
        """The end of what the process wrote to standard error."""
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _LAST_WORDS_BYTES))
        return self._said.read().decode("utf-8", "replace")

    def kill(self) -> None:
        """End the process now; from any thread, any number of times."""
        self._process.kill()
        self._process.wait()

    def release(self) -> None:
        """End the process and close the pipes to it."""
        self.kill()
        for file in (self._requests, self._replies, self._said):
            with suppress(OSError):
                file.close()


def _environment() -> dict[str, str]:
    """Ours, with the same import path; one thread each, because the work is spread over processes."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
