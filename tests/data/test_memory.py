"""Memory stays flat over thousands of decodes, in threads and in a worker that is never replaced."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from cfvideo.data.jobs import Answer, Job, do
from cfvideo.data.worker_main import resident_bytes
from cfvideo.data.workers import WorkerPool
from tests.synthetic import Recipe, write_video

NUM_DECODES = 5000
MAX_GROWTH_BYTES = 4 << 20  # one 64 x 48 frame kept per decode would be 44 MiB
VIEW = {"num_frames": 4, "frame_stride": 1, "short_edge_px": 48, "crop_px": 32, "flip": False, "seed": 0}


def after_each_fifth(work: Callable[[Job], Answer], path: Path, resident: Callable[[], int]) -> list[int]:
    """Resident bytes after each fifth of NUM_DECODES random clips."""
    seen = []
    for number in range(NUM_DECODES):
        work(Job(0, "one", str(path), "train", {**VIEW, "epoch": number}))
        if (number + 1) % (NUM_DECODES // 5) == 0:
            gc.collect()
            seen.append(resident())
    return seen


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("memory") / "one.mp4", Recipe(num_frames=12))


@pytest.mark.slow
def test_in_this_process(path: Path) -> None:
    seen = after_each_fifth(do, path, resident_bytes)
    assert seen[-1] - seen[0] < MAX_GROWTH_BYTES, seen


@pytest.mark.slow
def test_in_a_worker(path: Path) -> None:
    with WorkerPool(timeout_seconds=120, max_jobs=10 * NUM_DECODES) as pool:
        seen = after_each_fifth(pool.run, path, lambda: next(iter(pool._all)).resident_bytes)
        assert pool.num_started == 1
    assert seen[-1] - seen[0] < MAX_GROWTH_BYTES, seen
