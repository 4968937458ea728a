"""The worker process: reads jobs from its standard input, answers them one by one, ends when the pipe closes.

Run as `python -m cfvideo.data.worker_main`. It is a new interpreter that shares nothing with its parent but two pipes:
no forked locks, no second run of the parent's __main__, no torch.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from cfvideo.core.errors import DecodeError
from cfvideo.data.jobs import Answer, Job, do
from cfvideo.data.messages import receive, send

# An orphan in an endless native loop hears nothing; the kernel ends it this long after its job's own deadline.
ORPHAN_GRACE_SECONDS = 5.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def main(work: Callable[[Job], Answer] = do) -> None:
    """Serve until the parent is gone. Interrupts are the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    requests, replies = _private_pipes()
    threading.Thread(target=_leave_with_parent, args=(requests,), daemon=True).start()
    with suppress(ImportError):
        import av  # noqa: F401 (now, and not on the clock of the first job)
    send(replies, {"ready": True})
    with suppress(EOFError, BrokenPipeError):
        while True:
            _serve(requests, replies, work)


def _private_pipes() -> tuple[int, int]:
    """Keep the pipes to ourselves: what a decoder prints goes to standard error."""
    requests, replies = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, replies


def _leave_with_parent(requests: int) -> None:
    poll = select.poll()
    poll.register(requests, 0)  # only the hang-up is reported
    poll.poll()
    os._exit(0)


def _serve(requests: int, replies: int, work: Callable[[Job], Answer]) -> None:
    header, _ = receive(requests)
    signal.setitimer(signal.ITIMER_REAL, header.pop("seconds") + ORPHAN_GRACE_SECONDS)
    try:
        answer = work(Job(**header))
    except DecodeError as error:
        send(replies, {"status": error.status, "cause": error.cause, "resident_bytes": resident_bytes()})
    except BaseException:
        send(replies, {"bug": traceback.format_exc()})
        raise
    else:
        frames = np.ascontiguousarray(answer.frames)
        send(replies, {"shape": frames.shape, "facts": dict(answer.facts), "resident_bytes": resident_bytes()},
             frames.reshape(-1).data)
    signal.setitimer(signal.ITIMER_REAL, 0)


def resident_bytes() -> int:
    """Memory of this process; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


if __name__ == "__main__":
    main()
    sys.exit(0)
