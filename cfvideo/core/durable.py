"""Files that are either whole or absent: write beside the target, flush to disk, rename, flush the folder.

A SIGKILL or a power cut between any two system calls leaves the old file, the new file, or a stray `*.tmp` that the
next writer overwrites; never half a file under its final name.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from cfvideo.core.faults import fault_point

TMP_SUFFIX = ".tmp"


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(tmp: Path, path: Path) -> None:
    """Give a finished file its name, durably."""
    with tmp.open("rb") as file:
        os.fsync(file.fileno())
    tmp.replace(path)
    fsync_folder(path.parent)


def own_tmp(path: Path) -> Path:
    """A name beside `path` to write it under first, which no other process on any machine uses."""
    return path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}{TMP_SUFFIX}")


def write_bytes(path: Path, data: bytes, *, tmp: Path | None = None) -> None:
    """Publish `data` as `path`, atomically and durably.

    tmp: written first; `own_tmp(path)` where several processes could write one `path` at once.
    """
    tmp = tmp or path.with_name(path.name + TMP_SUFFIX)
    with tmp.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fault_point("before_rename")
    tmp.replace(path)
    fault_point("after_rename")
    fsync_folder(path.parent)


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spare blanks. What fingerprints are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def write_json(path: Path, value: Any) -> None:
    """Publish `value` as indented JSON with sorted keys."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def sha256_file(path: Path) -> str:
    """Hex digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
