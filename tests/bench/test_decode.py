"""The arithmetic of the measurement, and that all methods are given, and give, the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cfvideo.bench import decode_methods
from cfvideo.bench.decode import Timings, measure, summary, tasks_of
from cfvideo.bench.decode_methods import CROP_PX, Task, decord_scaled, floor, ours, why_not
from cfvideo.bench.sources import SOURCES, make, shortened


def test_ratios_are_paired() -> None:
    timings = Timings()
    for ours_seconds, theirs in ((1.0, 2.0), (10.0, 30.0), (2.0, 8.0)):
        timings.add("train", "ours", "K12", ours_seconds)
        timings.add("train", "decord", "K12", theirs)
    assert timings.ratios("train", "decord", "ours") == {"K12": 3.0}
    assert timings.ratios("train", "torchcodec", "ours") == {}


def test_the_mean_is_geometric_over_groups_and_what_did_not_run_has_a_reason() -> None:
    timings = Timings(reasons={"torchcodec": "torchcodec cannot be imported: x"})
    for group, theirs in (("K250", 2.0), ("S", 8.0)):
        timings.add("extract", "ours", group, 1.0)
        timings.add("extract", "decord", group, theirs)
    result = summary(timings, 1)
    assert result["extract_vs_decord"] == pytest.approx(4.0)
    assert result["extract_vs_torchcodec"] is None
    assert result["reasons"]["extract_vs_torchcodec"] == "torchcodec cannot be imported: x"
    assert result["train_vs_decord"] is None


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder, small = tmp_path_factory.mktemp("bench"), shortened(SOURCES[0], 60)
    return tasks_of(small, make(small, folder), "extract", 0, folder / "packets")


def test_tasks(task: Task) -> None:
    assert len(task.numbers) == 6 * 32
    assert (task.numbers[0], task.numbers[-1]) == (0, 59)
    starts = [tasks_of(SOURCES[0], task.path, "train", i, task.packets).starts[0] for i in range(20)]
    assert len(set(starts)) == 20
    assert 0 <= min(starts) < 60
    assert 200 < max(starts) <= 300 - 32


def test_methods_give_the_same_pictures(task: Task) -> None:
    found = np.asarray(ours(task))
    assert found.shape == (192, CROP_PX, CROP_PX, 3)
    floor(task)  # raises where a frame is missing
    if why_not("decord_scaled", task) is None:
        theirs = np.asarray(decord_scaled(task))
        assert theirs.shape == found.shape
        assert np.abs(found.astype(int) - theirs).mean() < 6  # another filter, and it darkens


def test_why_not(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(task: Task) -> object:
        raise ImportError("No module named 'decord'")

    monkeypatch.setitem(decode_methods.METHODS, "decord", missing)
    assert why_not("decord", task) == "decord cannot be imported: No module named 'decord'"
    assert why_not("floor", task) is None


def test_measure(tmp_path: Path) -> None:
    sources = [shortened(one, 40) for one in (SOURCES[0], SOURCES[2])]
    timings = measure(sources, tmp_path, num_rounds=2, methods=("ours", "floor"))
    assert {key: {group: len(values) for group, values in by.items()} for key, by in timings.seconds.items()} == {
        (workload, method): {"K250": 2, "K12": 2} for workload in ("extract", "train") for method in ("ours", "floor")}
    assert (tmp_path / "packets").is_dir()
