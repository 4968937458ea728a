"""From data sets in their true form to batches: members of shards, folders of frames and files alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core.records import Reading
from cfvideo.data.batches import eval_batches
from cfvideo.data.formats import read_index
from tests.data.test_formats_tar import write_shard
from tests.data.test_frame_folder import write_frames
from tests.format_files import write_list

Video = Callable[[str], Path]
VIEW = {"num_frames": 4, "frame_stride": 1, "short_edge_px": 48, "crop_px": 48, "flip": False}


def batch(root: Path, format: str, path: Path, workers: int) -> tuple[list[bool], bytes, list[str]]:
    index = read_index(format=format, path=path, root=root)
    reading = Reading(threads=1, workers=workers)
    found, = eval_batches(index, np.arange(index.num_rows), view=VIEW, num_views=1, batch_rows=index.num_rows,
                          reading=reading)
    return found.valid.tolist(), found.data[0].numpy().tobytes(), [str(failure) for failure in found.failures]


@pytest.mark.parametrize("workers", [0, 1])
def test_one_video_in_every_form(tmp_path: Path, video: Video, workers: int) -> None:
    content = video("gop12").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content)
    write_shard(tmp_path / "s.tar", [("a.mp4", content), ("b.mp4", b"no video")])
    valid, pixels, failures = batch(tmp_path, "tar", tmp_path / "s.tar", workers)
    assert valid == [True, False]
    assert failures[0].startswith("row 1: s.tar/b.mp4: undecodable")
    assert batch(tmp_path, "folder", tmp_path, 0) == ([True], pixels, [])


@pytest.mark.parametrize("workers", [0, 1])
def test_folders_of_frames(tmp_path: Path, workers: int) -> None:
    write_frames(tmp_path / "100218")
    path = write_list(tmp_path, b"100218 4 0\n100218 13 0\ngone 4 0\n")
    valid, pixels, failures = batch(tmp_path, "mmaction2", path, workers)
    assert valid == [True, False, False]
    assert "frames 0 to 13, but the folder holds 12" in failures[0]
    assert failures[1].startswith("row 2: gone[0:4]: missing")
    assert len(set(pixels)) > 2
