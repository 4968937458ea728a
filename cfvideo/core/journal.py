"""metrics.jsonl (part of the result, no clock in it) and TensorBoard events (for watching, outside the result)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfvideo.core.durable import canonical_json

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


METRICS = "metrics.jsonl"


class Journal:
    """Appends one JSON object per line.

    A resumed run cuts the file back to the length its checkpoint remembers, so that it holds each line once.

    Args:
        path: metrics.jsonl.
        events: folder for TensorBoard, or None.
        length_bytes: where a checkpoint says the file ended. samples: how far that was; later events are hidden.
    """

    def __init__(self, path: Path, *, events: Path | None = None, length_bytes: int = 0, samples: int = 0) -> None:
        self._events, self._samples = events, samples
        self._writer: SummaryWriter | None = None
        self._file = path.open("ab")
        self._file.truncate(length_bytes)

    def record(self, values: Mapping[str, float | int]) -> None:
        """Write one line; `samples` is TensorBoard's step."""
        self._file.write((canonical_json(dict(values)) + "\n").encode())
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                if name != "samples":
                    self._tensorboard().add_scalar(name, value, int(values["samples"]))

    def _tensorboard(self) -> SummaryWriter:
        if self._writer is None:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._writer = SummaryWriter(str(self._events), purge_step=self._samples + 1)
        return self._writer

    def sync(self) -> int:
        """Make all lines durable; returns the file's length in bytes, for a checkpoint."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Flush and close."""
        self.sync()
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All lines of a metrics.jsonl."""
    return [json.loads(line) for line in path.read_text().splitlines()]
