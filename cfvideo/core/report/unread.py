"""Rows that could not be read, each once, however many stages met it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cfvideo.core.report.data import FailureLine


@dataclass(frozen=True)
class Unread:
    """line: of the first stage that met the row; num_stages: that did."""

    line: FailureLine
    num_stages: int


def unread(failures: Sequence[FailureLine]) -> list[Unread]:
    """The rows of `failures` in their order."""
    found: dict[tuple[str, int, str, str], list[FailureLine]] = {}
    for line in failures:
        found.setdefault((line.index, line.row, line.path, line.status), []).append(line)
    return [Unread(lines[0], len({line.dataset for line in lines})) for lines in found.values()]
