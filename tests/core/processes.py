"""Starting several real processes of one torch.distributed group, with and without torchrun's supervision."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.source_tree import ROOT


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def environment(**more: str) -> dict[str, str]:
    """This tree first, one thread each."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}


def group(size: int) -> list[dict[str, str]]:
    """What torchrun would tell each of `size` processes of one group."""
    shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [{**shared, "RANK": str(rank)} for rank in range(size)]


def launch(program: str, size: int, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """`size` processes of one group, as torchrun would start them, without its supervision."""
    processes = [subprocess.Popen([sys.executable, "-c", program, *arguments], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=environment(**one)) for one in group(size)]
    done = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=240)
            done.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    finally:
        for process in processes:
            process.kill()
    return done


def torchrun(size: int, *arguments: str, restarts: int = 0, more: Mapping[str, str] | None = None,
             ) -> subprocess.Popen[str]:
    """`torchrun --nproc-per-node size --max-restarts restarts -m ARGUMENTS`, running."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(size), "--max-restarts",
               str(restarts), "--master-port", str(free_port()), "--monitor-interval", "0.1", *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
                            env=environment(**(more or {})))


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The ids of the processes that torchrun has started and that live; each leads a group of its own."""
    found = [path.read_text().split() for path in Path(f"/proc/{process.pid}/task").glob("*/children")]
    return [int(word) for words in found for word in words]


@contextmanager
def killed_at_the_end(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """`process` for the body of a with statement; whatever of it and its workers lives then is killed."""
    try:
        yield process
    finally:
        for worker in workers(process):
            with suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGKILL)
        process.kill()
        process.communicate()
