"""What tells the files of one modality from all others on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class MediaKind:
    """The files that are samples.

    noun: what messages call one. extensions: in lower case, with their dots. frames_bytes: the size of a folder of
    frames, which is one sample too, -1 where it holds none; None where samples have no frames.
    """

    noun: str
    extensions: tuple[str, ...]
    frames_bytes: Callable[[bytes], int] | None = None

    def has_name(self, name: bytes) -> bool:
        """Whether a file name ends as this kind's names do."""
        return os.fsdecode(os.path.splitext(name)[1]).lower() in self.extensions
