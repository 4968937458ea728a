"""The list files beside the videos: weak tags, the truth behind them, and the fine target's partitions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cfvideo.demo_data.plan import FINE_LABELS, FINE_TEST, FINE_TRAIN, PRE, Video


def list_files(videos: Sequence[Video], digit_labels: NDArray[np.int64]) -> dict[str, str]:
    """Content of every list, by its path relative to the data set. Paths inside a list start from its own folder.

    `d_pre/truth.csv` is for measuring the purity of clusters; nothing trains on it.
    """
    return {"d_pre/tags.jsonl": _text(_tags_line(video) for video in videos if video.split == PRE),
            "d_pre/truth.csv": _text(["path,motion,variant,digit", *(_truth_line(video, digit_labels)
                                                                     for video in videos if video.split == PRE)]),
            "fine/labels.txt": _text(" ".join(label) for label in FINE_LABELS),
            "fine/train_partition.txt": _text(_fine_line(video) for video in videos if video.split == FINE_TRAIN),
            "fine/test_partition.txt": _text(_fine_line(video) for video in videos if video.split == FINE_TEST)}


def _tags_line(video: Video) -> str:
    return json.dumps({"path": _inside(video, "d_pre"), "tags": video.tags})


def _truth_line(video: Video, digit_labels: NDArray[np.int64]) -> str:
    (row,) = video.digit_rows(len(digit_labels))
    return ",".join((_inside(video, "d_pre"), *video.actions[0], str(digit_labels[row])))


def _fine_line(video: Video) -> str:
    return f"{_inside(video, 'fine')} {','.join(str(FINE_LABELS.index(action)) for action in video.actions)}"


def _inside(video: Video, folder: str) -> str:
    return str(PurePosixPath(video.path).relative_to(folder))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
