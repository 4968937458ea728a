"""What a status file says, counted: for the table at the end of a check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

STATUSES = ("ok", "short", "truncated", "missing", "refused", "no_video", "undecodable", "timeout", "crashed")
_COLUMNS = ["status", "path", "cause", "codec", "container", "width", "height", "num_frames", "variable_rate",
            "orientation", "counted", "size_bytes"]


@dataclass
class Summary:
    """Counts over all rows of a status file.

    statuses: rows per status; examples: the first row of each status but ok, with its cause. kinds: readable rows per
    (codec, container); sizes: per (width, height). num_frames, num_bytes: sums.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    num_frames: int = 0
    num_bytes: int = 0
    num_variable_rate: int = 0
    num_turned: int = 0
    num_counted: int = 0

    @property
    def num_rows(self) -> int:
        return sum(self.statuses.values())

    @property
    def bad_share(self) -> float:
        """Share of rows that are not ok, in [0, 1]."""
        return 1 - self.statuses["ok"] / self.num_rows if self.num_rows else 0.0


def summarise(file: Path) -> Summary:
    """Read a status file in batches and count."""
    summary = Summary()
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(columns=_COLUMNS):
            columns = batch.to_pydict()
            for values in zip(*(columns[name] for name in _COLUMNS), strict=True):
                _count(summary, *values)
    return summary


def _count(summary: Summary, status: str, path: str, cause: str, codec: str | None, container: str | None,
           width: int, height: int, num_frames: int, variable_rate: bool | None, orientation: str, counted: bool,
           size_bytes: int) -> None:
    summary.statuses[status] += 1
    summary.num_bytes += max(size_bytes, 0)
    if status != "ok":
        summary.examples.setdefault(status, f"{path}: {cause}" if cause else path)
    if codec is None or container is None:
        return
    summary.kinds[codec, container] += 1
    summary.sizes[width, height] += 1
    summary.num_frames += num_frames
    summary.num_variable_rate += bool(variable_rate)
    summary.num_turned += orientation != "upright"
    summary.num_counted += counted
