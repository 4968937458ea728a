"""failures.csv: one line per row that could not be decoded, next to the result that went without it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from cfvideo.core.durable import own_tmp, write_bytes
from cfvideo.core.errors import TooManyBadSamples
from cfvideo.core.index import Index

FILE_NAME = "failures.csv"
COLUMNS = ("row", "path", "status", "cause")


def write_failures(folder: Path, index: Index, failures: Mapping[int, tuple[str, str]]) -> None:
    """Publish `failures` (row -> status, cause) in row order, header only where there are none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, (status, cause) in sorted(failures.items()):
        writer.writerow([row, index.name_of(row), status, cause])
    path = folder / FILE_NAME
    write_bytes(path, text.getvalue().encode(errors="backslashreplace"), tmp=own_tmp(path))


def read_failures(folder: Path) -> list[dict[str, str]]:
    """The lines of a failures.csv."""
    with (folder / FILE_NAME).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check_ceiling(num_bad: int, num_rows: int, *, max_bad_share: float, where: str, last: str) -> None:
    """TooManyBadSamples (exit 4) where more than `max_bad_share` of `num_rows` rows are bad."""
    if num_bad > max_bad_share * num_rows:
        raise TooManyBadSamples(f"{where}: {num_bad} of {num_rows} rows cannot be used (missing or undecodable), more "
                                f"than DATA.MAX_BAD_SHARE = {max_bad_share} allows; last: {last}; mend the files or "
                                "raise DATA.MAX_BAD_SHARE")
