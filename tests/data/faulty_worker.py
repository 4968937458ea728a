"""A worker whose decoder does what the file says: crash, hang, grow, or fail only the first time. For tests."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cfvideo.data.jobs import Answer, Job, do
from cfvideo.data.worker_main import main

_kept: list[bytearray] = []


def _hang_holding_the_interpreter() -> None:
    """An endless native loop, as decord has one: no Python thread of this process runs any more."""
    ctypes.PyDLL(None).usleep(2_000_000_000)


def _fail_once(path: str) -> None:
    mark = Path(path + ".mark")
    if not mark.exists():
        mark.touch()
        os.abort()


def _bug(path: str) -> None:
    raise KeyError("a bug of ours")


def _print(path: str) -> None:
    os.write(1, b"decoder chatter " * 1000)
    print("more chatter", flush=True)


FAULTS: dict[str, Callable[[str], object]] = {
    "once": _fail_once,
    "segfault": lambda path: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": lambda path: os.abort(),
    "exit": lambda path: os._exit(3),
    "hang": lambda path: _hang_holding_the_interpreter(),
    "sleep": lambda path: time.sleep(1000),
    "bug": _bug,
    "print": _print,
    "grow": lambda path: _kept.append(bytearray(os.urandom(1)) * (64 << 20)),
}


def work(job: Job) -> Answer:
    path = Path(job.path)
    order = path.read_bytes()[:400].decode("latin-1").split() if path.is_file() else []
    if not order or order[0] != "FAULT":
        return do(job)
    FAULTS[order[1]](job.path)
    return Answer(do(Job(**{**vars(job), "path": order[2]})).frames, {"pid": os.getpid()})


if __name__ == "__main__":
    if "broken" in sys.argv:
        sys.exit("this worker never starts")
    main(work)
