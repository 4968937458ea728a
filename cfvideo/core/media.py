"""Where a sample's bytes or frames lie: a whole file or folder, or a part of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MediaPart:
    """The half-open part [offset, offset + length) of a file, in bytes, or of a folder of frames, in frames."""

    path: Path
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.path}[{self.offset}:{self.offset + self.length}]"


# What a row of an index is read from.
Media = Path | MediaPart
