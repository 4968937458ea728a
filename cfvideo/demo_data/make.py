"""Write the demo's data set, or what is missing of it.

A video file appears whole or not at all, so its presence says that it is done: a run after an interruption makes what
is missing, a run after a finished one makes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cfvideo.core.errors import ConfigError
from cfvideo.demo_data.encode import write_whole
from cfvideo.demo_data.lists import list_files
from cfvideo.demo_data.pictures import Pictures
from cfvideo.demo_data.plan import Size, plan
from cfvideo.demo_data.weak_tags import TagNoise
from cfvideo.demo_data.workers import Maker, write_all

# Raised whenever the same seed and size give other videos: old folders are then refused instead of mixed with new.
VERSION = 2
IDENTITY = "dataset.json"


@dataclass(frozen=True)
class Progress:
    """Videos found from an earlier run, made by this one, and wanted in all."""

    num_found: int
    num_made: int
    num_wanted: int


def make(out: Path, pictures: Pictures, *, size: Size, seed: int, noise: TagNoise,
         num_workers: int = 1, codec: str = "h264") -> Generator[Progress, None, None]:
    """Make what is missing of the data set below `out`; reports once at the start and then every few videos.

    Args:
        noise: reliability of the hashtags.
        num_workers: processes; they change nothing but the time.
        codec: h264 or vp9.

    Raises:
        ConfigError: `out` holds something else, or cannot be written.
        DataError: the encoder is missing.
    """
    _claim(out, {"version": VERSION, "seed": seed, "size": asdict(size), "tags": asdict(noise),
                 "digits": pictures.origin, "codec": codec})
    videos = plan(size, seed, noise)
    for name, text in list_files(videos, pictures.digit_labels).items():
        _write_if_new(out / name, text)
    missing = [video for video in videos if not _is_there(out / video.path)]
    found, made = len(videos) - len(missing), 0
    yield Progress(found, made, len(videos))
    for count in write_all(Maker(out, size, pictures, codec), missing, num_workers):
        made += count
        yield Progress(found, made, len(videos))


def _claim(out: Path, identity: dict[str, Any]) -> None:
    """Mark the folder as this data set, or refuse it."""
    path = out / IDENTITY
    there = _read_identity(path)
    if there is None:
        if out.is_dir() and any(out.iterdir()):
            raise ConfigError(f"{out} is not empty and holds no {IDENTITY}: choose another folder with --out")
        write_whole(path, json.dumps(identity, indent=1).encode())
    elif there != identity:
        changes = [f"{key}: {there.get(key)} there, {value} asked for" for key, value in identity.items()
                   if there.get(key) != value]
        raise ConfigError(f"{out} holds another data set ({'; '.join(changes)}): choose another folder with --out, "
                          "or remove this one")


def _read_identity(path: Path) -> dict[str, Any] | None:
    try:
        there = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}; choose another folder with --out") from error
    # Folders from before there was a choice say nothing of it.
    return {"codec": "h264", **there} if isinstance(there, dict) else {}


def _is_there(path: Path) -> bool:
    """An empty file is what a crash of the whole machine can leave of a renamed one."""
    return path.is_file() and path.stat().st_size > 0


def _write_if_new(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text() != text:
        write_whole(path, text.encode())
