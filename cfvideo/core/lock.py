"""One writer per output folder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cfvideo.core.errors import ConfigError


@contextmanager
def output_lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for the body of a with statement.

    The kernel drops a flock when its holder dies, however it dies, so there are no stale locks to clean up.

    Raises:
        ConfigError: the folder cannot be written, or another run holds it.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigError(f"OUTPUT_DIR: {folder} cannot be written: {error.strerror}; choose another folder") from error
    try:
        _acquire(descriptor, folder)
        owner = {"host": socket.gethostname(), "pid": os.getpid()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def check_writable(folder: Path) -> None:
    """ConfigError where `folder` cannot be made or written, as far as that shows without writing."""
    # os.path's functions call what may not be looked into absent.
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):
        return
    why = "may not be written by you" if os.path.isdir(there) else "is no folder"
    raise ConfigError(f"OUTPUT_DIR: {folder} cannot be written: {there} {why}; choose another folder")


def _acquire(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 4096, 0).decode(errors="replace") or "unknown"
        raise ConfigError(f"OUTPUT_DIR: {folder} is in use by another run ({owner}); wait for it or choose another "
                          "OUTPUT_DIR") from None
