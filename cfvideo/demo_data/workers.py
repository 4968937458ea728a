"""Making many videos at once. What a video is does not depend on which process makes it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.demo_data.encode import encode_mp4, write_whole
from cfvideo.demo_data.motions import path_of
from cfvideo.demo_data.pictures import Pictures
from cfvideo.demo_data.plan import RENDERING, Size, Video
from cfvideo.demo_data.render import background, ink, render

VIDEOS_PER_TASK = 8


@dataclass(frozen=True)
class Maker:
    """Writes videos of one data set."""

    out: Path
    size: Size
    pictures: Pictures
    codec: str = "h264"

    def content(self, video: Video) -> bytes:
        """The mp4 file of one video."""
        rng = video.rng(RENDERING)
        ground = background(self.pictures, self.size.edge_px, rng)
        inks = [ink(rng) for _ in video.actions]
        paths = [path_of(*action, self.size.num_frames, rng) for action in video.actions]
        digits = self.pictures.digits[video.digit_rows(len(self.pictures.digits))]
        return encode_mp4(render(ground, list(digits), paths, inks), self.codec)

    def write(self, videos: Sequence[Video]) -> int:
        """Write these videos; returns how many."""
        for video in videos:
            write_whole(self.out / video.path, self.content(video))
        return len(videos)


def write_all(maker: Maker, videos: Sequence[Video], num_workers: int) -> Generator[int, None, None]:
    """Write `videos` with `num_workers` processes (1: in this one), yielding how many each finished task wrote."""
    tasks = [videos[start:start + VIDEOS_PER_TASK] for start in range(0, len(videos), VIDEOS_PER_TASK)]
    if num_workers == 1 or len(tasks) < 2:
        yield from map(maker.write, tasks)
    else:
        yield from _write_in_pool(maker, tasks, num_workers)


def _write_in_pool(maker: Maker, tasks: list[Sequence[Video]], num_workers: int) -> Generator[int, None, None]:
    # spawn: forking a process that has threads (a progress bar's, BLAS's) can deadlock.
    with ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn"), _start_worker, (maker,)) as pool:
        try:
            for future in as_completed(_submit(pool, tasks)):
                yield future.result()
        except BrokenProcessPool as error:
            raise DataError("a process that makes videos was killed, perhaps for lack of memory; the same command "
                            "completes the data, --workers 1 needs the least memory") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, tasks: list[Sequence[Video]]) -> list[Future[int]]:
    """Start the pool. Its processes inherit the blocked Ctrl-C, which is the parent's alone to answer."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return [pool.submit(_write_here, task) for task in tasks]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_maker_here: Maker | None = None


def _start_worker(maker: Maker) -> None:
    """Keep the pictures in the process, so that they travel once; end with the parent, even one that was killed."""
    global _maker_here
    _maker_here = maker
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write_here(videos: Sequence[Video]) -> int:
    assert _maker_here is not None
    return _maker_here.write(videos)
