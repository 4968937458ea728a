"""Decoding in processes: a crash or a hang costs one row, order and content stay, and no process is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core.errors import DecodeError
from cfvideo.core.prefetch import in_order
from cfvideo.data.jobs import Job, do
from cfvideo.data.workers import WorkerPool
from tests.source_tree import ROOT
from tests.synthetic import Recipe, numbers_of, write_video

FAULTY = (sys.executable, str(Path(__file__).with_name("faulty_worker.py")))
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("good") / "good.mp4", Recipe(num_frames=9, size=(32, 32)))


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(timeout_seconds=PATIENCE_SECONDS, command=FAULTY) as pool:
        yield pool


def middle(path: Path, row: int = 0) -> Job:
    """A job whose answer shows frame 4 of the good video."""
    return Job(row=row, name=path.name, path=str(path), kind="thumbnail", options={"height_px": 32})


@pytest.fixture
def fault(tmp_path: Path, good: Path) -> Callable[[str], Path]:
    def write(kind: str) -> Path:
        path = tmp_path / kind
        path.write_text(f"FAULT {kind} {tmp_path / 'g.mp4'}")
        return path

    (tmp_path / "g.mp4").symlink_to(good)
    return write


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].split()[0] != b"Z"
    except FileNotFoundError:
        return False


def assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_worker_answers_as_this_process_does(pool: WorkerPool, good: Path) -> None:
    view = {"num_frames": 4, "frame_stride": 1, "short_edge_px": 32, "crop_px": 24, "flip": True}
    for kind, more in (("train", {"seed": 1, "epoch": 5}), ("eval", {"num_views": 3})):
        job = Job(3, "good", str(good), kind, {**view, **more})
        np.testing.assert_array_equal(pool.run(job).frames, do(job).frames)
    assert numbers_of(pool.run(middle(good)).frames) == [4]
    examined = Job(0, "good", str(good), "examine", {"num_decoded": -1})
    assert dict(pool.run(examined).facts) == dict(do(examined).facts)
    assert pool.num_started == 1


def test_what_is_wrong_with_a_file_is_said_as_ever(pool: WorkerPool, tmp_path: Path) -> None:
    for path, status in ((tmp_path / "nowhere.mp4", "missing"), (tmp_path, "refused")):
        with pytest.raises(DecodeError) as caught:
            pool.run(middle(path, row=7))
        assert (caught.value.row, caught.value.path, caught.value.status) == (7, path.name, status)
    assert pool.num_started == 1


def test_names_that_are_no_text_reach_the_worker(pool: WorkerPool, good: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe \n'.mp4"))
    path.symlink_to(good)
    assert numbers_of(pool.run(middle(path)).frames) == [4]


@pytest.mark.parametrize(("kind", "said"), [("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("exit", "exit code 3")])
def test_a_crash_costs_one_row_after_two_attempts(pool: WorkerPool, good: Path, fault: Callable[[str], Path],
                                                  kind: str, said: str) -> None:
    with pytest.raises(DecodeError, match=said) as caught:
        pool.run(middle(fault(kind), row=2))
    assert (caught.value.row, caught.value.status) == (2, "crashed")
    assert numbers_of(pool.run(middle(good)).frames) == [4]
    assert pool.num_started == 3


def test_a_crash_that_does_not_repeat_costs_nothing(pool: WorkerPool, fault: Callable[[str], Path]) -> None:
    assert numbers_of(pool.run(middle(fault("once"))).frames) == [4]
    assert pool.num_started == 2


@pytest.mark.parametrize("kind", ["hang", "sleep"])
def test_a_hang_is_killed_at_its_deadline(good: Path, fault: Callable[[str], Path], kind: str) -> None:
    with WorkerPool(timeout_seconds=0.3, command=FAULTY) as pool:
        with pytest.raises(DecodeError, match=r"0\.3 seconds") as caught:
            pool.run(middle(fault(kind)))
        assert caught.value.status == "timeout"
        assert pool.pids() == []
        assert pool.num_started == 2


def test_the_others_go_on_in_order_beside_crashes_and_hangs(good: Path, fault: Callable[[str], Path]) -> None:
    bad = {3: fault("hang"), 4: fault("segfault"), 11: fault("exit")}

    def work(row: int) -> str | list[int]:
        try:
            return numbers_of(pool.run(middle(bad.get(row, good), row)).frames)
        except DecodeError as error:
            return error.status

    with WorkerPool(timeout_seconds=3, command=FAULTY) as pool:
        groups = [(start, list(range(start, start + 4))) for start in range(0, 16, 4)]
        results = [one for _, group in in_order(groups, work, threads=2, stop=pool.close) for one in group]
    expected: list[str | list[int]] = [[4]] * 16
    expected[3], expected[4], expected[11] = "timeout", "crashed", "crashed"
    assert results == expected


def test_what_a_decoder_prints_does_not_disturb(pool: WorkerPool, fault: Callable[[str], Path]) -> None:
    assert numbers_of(pool.run(middle(fault("print"))).frames) == [4]
    assert pool.num_started == 1


def test_a_bug_of_ours_is_no_bad_row(pool: WorkerPool, fault: Callable[[str], Path]) -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'a bug of ours'"):
        pool.run(middle(fault("bug")))


def test_a_worker_that_cannot_start_says_why(good: Path) -> None:
    with WorkerPool(timeout_seconds=5, command=(*FAULTY, "broken")) as pool, \
            pytest.raises(RuntimeError, match="this worker never starts"):
        pool.run(middle(good))


def test_workers_are_replaced_after_so_many_jobs(good: Path) -> None:
    with WorkerPool(timeout_seconds=PATIENCE_SECONDS, max_jobs=2) as pool:
        for _ in range(5):
            assert numbers_of(pool.run(middle(good)).frames) == [4]
        assert pool.num_started == 3
        assert len(pool.pids()) == 1


def test_a_worker_that_has_grown_is_replaced(good: Path, fault: Callable[[str], Path]) -> None:
    grow = middle(fault("grow"))
    with WorkerPool(timeout_seconds=PATIENCE_SECONDS, max_resident_bytes=192 << 20, command=FAULTY) as pool:
        pids = {pool.run(grow).facts["pid"] for _ in range(6)}
    assert 2 <= len(pids) <= 4


def test_leaving_ends_idle_and_busy_workers(good: Path, fault: Callable[[str], Path]) -> None:
    outcome: list[str] = []

    def wait() -> None:
        try:
            pool.run(middle(fault("sleep")))
        except RuntimeError as error:
            outcome.append(str(error))

    with WorkerPool(timeout_seconds=PATIENCE_SECONDS, command=FAULTY) as pool:
        thread = threading.Thread(target=wait)
        thread.start()
        pool.run(middle(good))
        while len(pids := pool.pids()) < 2:
            time.sleep(0.01)
    thread.join(timeout=PATIENCE_SECONDS / 2)
    assert outcome == ["the worker pool is closed"]
    assert_gone(pids)
    with pytest.raises(RuntimeError, match="closed"):
        pool.run(middle(good))


PARENT = """
import sys, threading
from cfvideo.data.jobs import Job
from cfvideo.data.workers import WorkerPool
from tests.data.test_workers import FAULTY
pool = WorkerPool(timeout_seconds=float(sys.argv[2]), command=FAULTY)
job = Job(0, "x", sys.argv[1], "thumbnail", {"height_px": 8})
threading.Thread(target=pool.run, args=(job,), daemon=True).start()
while not pool.pids():
    pass
worker = next(iter(pool._all))
while not worker.num_jobs:
    pass
print(worker.pid, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize(("kind", "number", "seconds"), [
    ("sleep", signal.SIGKILL, 1000), ("sleep", signal.SIGTERM, 1000), ("hang", signal.SIGKILL, 1)])
def test_a_killed_parent_leaves_no_orphan(fault: Callable[[str], Path], kind: str, number: signal.Signals,
                                          seconds: float) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(fault(kind)), str(seconds)], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.send_signal(number)
    parent.wait(timeout=60)
    assert_gone([pid])


def test_a_worker_is_light() -> None:
    script = "import cfvideo.data.worker_main, sys; print(sorted({'torch', 'pyarrow', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == "[]"
