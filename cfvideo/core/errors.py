"""Errors a user can act on, each with its exit code. Anything else that escapes is a bug of ours (exit 1).

| code | meaning |
|---|---|
| 0 | finished |
| 2 | the command line or the config is wrong, or the output folder cannot be used |
| 3 | the data is missing, empty or unreadable |
| 4 | more bad samples than DATA.MAX_BAD_SHARE allows |
| 5 | interrupted; the same command resumes |
| 6 | a stored file does not match its checksum or its inputs |
"""

from __future__ import annotations

import sys
from collections.abc import Callable


class CfError(Exception):
    """Base of the errors below; `exit_code` is what tools/run_net.py returns."""

    exit_code = 1


def exit_code_of(work: Callable[[], int | None]) -> int:
    """Run a command's work: its exit code (None: 0), or the code of the CfError it raised, said on stderr."""
    try:
        return work() or 0
    except CfError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


class ConfigError(CfError):
    """Wrong key, value or command line."""

    exit_code = 2


class DataError(CfError):
    """Data that is missing, empty or not what its format says."""

    exit_code = 3


class TooManyBadSamples(CfError):
    """More undecodable rows than the ceiling allows."""

    exit_code = 4


class Interrupted(CfError):
    """SIGINT or SIGTERM; all finished work is kept."""

    exit_code = 5


class IntegrityError(CfError):
    """A stored file is damaged or belongs to other inputs."""

    exit_code = 6


class DecodeError(CfError):
    """One row could not be decoded. Becomes an invalid row and a line in failures.csv, never another row's data.

    Args:
        row: position in the frozen index.
        path: the file, as the index names it.
        status: one word for counting: missing, refused, undecodable, no_video.
        cause: what the decoder said.
    """

    exit_code = 3

    def __init__(self, row: int, path: str, status: str, cause: str) -> None:
        super().__init__(f"row {row}: {path}: {status}: {cause}")
        self.row, self.path, self.status, self.cause = row, path, status, cause
