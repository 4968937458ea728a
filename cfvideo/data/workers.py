"""Decoding in processes that may be killed: a decoder that crashes or hangs costs one row, and nothing else.

Workers are new interpreters (never forks), asked one job at a time over a pair of pipes. One that dies or oversteps
the deadline is replaced and its job tried once more; one that has served long enough or grown too large is replaced
too. Threads in this process wait for them, so order and bounds are those of `cfvideo.core.prefetch`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np

from cfvideo.core.errors import DecodeError
from cfvideo.data.jobs import Answer, Job
from cfvideo.data.worker_process import COMMAND, Worker, WorkerLost

ATTEMPTS = 2


class WorkerPool:
    """As many workers as threads call `run` at the same time. A context manager; leaving it ends all workers.

    Args:
        timeout_seconds: a job that takes longer is given up, and its worker killed.
        max_jobs, max_resident_bytes: a worker that has done or holds more is replaced.
        command: how a worker is started.
    """

    def __init__(self, *, timeout_seconds: float, max_jobs: int = 1000, max_resident_bytes: int = 1 << 31,
                 command: Sequence[str] = COMMAND) -> None:
        self._timeout_seconds, self._max_jobs, self._max_bytes = timeout_seconds, max_jobs, max_resident_bytes
        self._command, self._lock, self._closed = command, threading.Lock(), False
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self.num_started = 0

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self.close()

    def pids(self) -> list[int]:
        """The processes that are there now."""
        with self._lock:
            return [worker.pid for worker in self._all]

    def run(self, job: Job) -> Answer:
        """Do one job in a worker. Raises DecodeError, also where the worker crashes or hangs twice over it."""
        lost: WorkerLost | None = None
        for _ in range(ATTEMPTS):
            worker = self._borrowed()
            try:
                header, payload = worker.ask(job, self._timeout_seconds)
            except WorkerLost as error:
                lost = error
                self._dismiss(worker)
                continue
            except BaseException:
                self._dismiss(worker)
                self._ensure_open()  # a worker that was ended while it started has nothing wrong with it
                raise
            self._returned(worker)
            return _answer(job, header, payload)
        assert lost is not None
        raise DecodeError(job.row, job.name, lost.status, lost.cause) from lost

    def _borrowed(self) -> Worker:
        with self._lock:
            self._ensure_open()
            if self._idle:
                return self._idle.pop()
            self.num_started += 1
            worker = Worker(self._command)
            self._all.add(worker)
            return worker

    def _ensure_open(self) -> None:
        if self._closed:
            raise RuntimeError("the worker pool is closed")

    def _returned(self, worker: Worker) -> None:
        if worker.num_jobs >= self._max_jobs or worker.resident_bytes > self._max_bytes:
            self._dismiss(worker)
            return
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
        self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.release()

    def close(self) -> None:
        """End every worker, also those at work; a `run` under way then fails at once."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            at_work = self._all.difference(idle)
            self._all = set(at_work)
        for worker in at_work:
            worker.kill()  # whoever waits for it releases it
        for worker in idle:
            worker.release()


def _answer(job: Job, header: dict[str, Any], payload: bytearray) -> Answer:
    if "bug" in header:
        raise RuntimeError(f"a decoder process failed over {job.name}:\n{header['bug']}")
    if "status" in header:
        raise DecodeError(job.row, job.name, header["status"], header["cause"])
    return Answer(np.frombuffer(payload, np.uint8).reshape(header["shape"]), header["facts"])
