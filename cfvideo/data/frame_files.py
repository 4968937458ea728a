"""Folders of numbered JPEGs, which stand for videos: which files are frames, and in which order.

`{id}/00001.jpg ...` (Something-Something V1), `{video}/img_00001.jpg ...` (MMAction2 raw frames). Optical flow in the
same folder (`flow_x_00001.jpg`) is not a frame.
"""

from __future__ import annotations

import os
import re

_FRAME = re.compile(rb"(|img_|image_|frame_?)(\d+)\.jpe?g", re.IGNORECASE)


class FrameGap(ValueError):
    """Frame files whose numbers do not follow each other."""


def frame_names(names: list[bytes]) -> list[bytes]:
    """The frames among the files of a folder, in order. Raises FrameGap where one is missing or there twice."""
    found: dict[bytes, dict[int, bytes]] = {}
    for name in names:
        match = _FRAME.fullmatch(name)
        if match is not None:
            numbered, number = found.setdefault(match[1].lower(), {}), int(match[2])
            if number in numbered:
                raise FrameGap(f"frame {number} is there twice: {os.fsdecode(numbered[number])}, {os.fsdecode(name)}")
            numbered[number] = name
    if len(found) > 1:
        raise FrameGap("frames under several names: " + ", ".join(f"{os.fsdecode(p)}*.jpg" for p in sorted(found)))
    frames = next(iter(found.values()), {})
    numbers = sorted(frames)
    if numbers and numbers[-1] - numbers[0] + 1 != len(numbers):
        gap = next(number + 1 for number in numbers if number + 1 not in frames)
        raise FrameGap(f"frame {gap} is missing, but there are frames after it")
    return [frames[number] for number in numbers]


def frames_size_bytes(folder: bytes) -> int:
    """Bytes of all frames in a folder, whatever their numbers; -1 where there is no frame or no folder to read."""
    try:
        with os.scandir(folder) as entries:
            sizes = [entry.stat().st_size for entry in entries if _FRAME.fullmatch(entry.name) and entry.is_file()]
    except OSError:
        return -1
    return sum(sizes) if sizes else -1
