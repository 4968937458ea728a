"""Extraction by one process and by many: equal bytes, whoever dies, whatever lies there already."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from cfvideo.core import screen as screen_module
from cfvideo.core.errors import DecodeError, TooManyBadSamples
from cfvideo.core.failures import read_failures
from cfvideo.core.features import FeatureStore
from cfvideo.core.records import Batch, Modality
from cfvideo.core.screen import Screen
from tests.core.processes import group
from tests.toy_extraction import all_rows, extract, finished, shards, toy_index, worker
from tests.toy_modality import TOY, ToyNetwork

SECOND = "rows-000000000004-000000000008.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one undisturbed process leaves for 30 rows, of which row 5 is bad."""
    folder = tmp_path_factory.mktemp("whole") / "stage"
    facts = extract(folder, "30bad")
    assert facts == {"num_rows": 30, "num_bad_rows": 1, "dims": {"res5": 6}, "decoders": {}}
    assert len(shards(folder)) == 9  # 8 shards and failures.csv
    return shards(folder)


def altered(change: Callable[[Batch], Batch]) -> Modality:
    def eval_batches(*args: Any, **more: Any) -> Iterator[Batch]:
        yield from (change(batch) for batch in TOY.eval_batches(*args, **more))

    return replace(TOY, eval_batches=eval_batches)


def until(true: Callable[[], object], *alive: Any) -> None:
    """Wait for `true()`, as long as the processes live."""
    while not true():
        assert all(process.poll() is None for process in alive)
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_by_the_living_and_leaves_no_trace(whole: dict[str, bytes],
                                                                      tmp_path: Path) -> None:
    folder, sign = tmp_path / "stage", tmp_path / "stuck"
    victim = worker(folder, rows="30bad", stuck_after=(1, str(sign)))  # holds its first unit, one batch of it made
    until(sign.exists, victim)
    others = [worker(folder, rows="30bad") for _ in range(2)]
    until(lambda: len(list(folder.glob("rows-*.safetensors"))) == 7, victim, *others)
    time.sleep(0.1)
    assert [process.poll() for process in others] == [None, None]  # waiting for the victim's unit
    victim.kill()
    codes, said = finished(*others)
    assert codes == [0, 0], said
    assert said.count('"num_bad_rows": 1, "num_rows": 30') == 2
    assert shards(folder) == whole
    assert finished(victim)[0] == [-signal.SIGKILL]


@pytest.mark.slow
def test_killed_and_resumed_by_another_number_of_processes_it_ends_with_the_same_bytes(whole: dict[str, bytes],
                                                                                       tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    made = []
    for fault in ("before_rename:2", "after_rename:1", "shard:3"):
        assert finished(worker(folder, rows="30bad", more={"CFVIDEO_FAULT": fault}))[0] == [-signal.SIGKILL]
        made.append(len(list(folder.glob("rows-*.safetensors"))))
    assert made == [1, 2, 5]
    before = {path: path.stat().st_mtime_ns for path in folder.glob("rows-*.safetensors")}
    codes, said = finished(*(worker(folder, rows="30bad", more=one) for one in group(2)))
    assert codes == [0, 0], said
    assert said.count('"num_bad_rows": 1, "num_rows": 30') == 2
    assert shards(folder) == whole  # and what the killed had begun to write is gone
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_fewer_shards_than_processes(tmp_path: Path) -> None:
    codes, said = finished(*(worker(tmp_path / "many", rows="6", more=one) for one in group(3)))
    assert codes == [0, 0, 0], said
    extract(tmp_path / "one", "6")
    assert shards(tmp_path / "many") == shards(tmp_path / "one")
    assert len(shards(tmp_path / "one")) == 3


def test_too_many_bad_rows_end_every_process_and_the_next_attempt(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    codes, said = finished(*(worker(folder, rows="30bad", max_bad_share=0.03) for _ in range(2)))
    assert codes == [4, 4]  # one makes the bad row's shard, the other reads of it
    assert said.count("1 of 30 rows cannot be used") == 2
    assert not (folder / "failures.csv").exists()
    with pytest.raises(TooManyBadSamples):
        extract(folder, "30bad", max_bad_share=0.03)


def test_a_full_disk_keeps_what_is_finished(whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    largest = max(len(content) for content in whole.values())
    code, said = finished(worker(folder, rows="30bad", largest_file=largest - 1))
    assert code == [1]
    assert "File too large" in said
    kept = shards(folder)
    assert all(kept[name] == whole[name] for name in kept if name.endswith(".safetensors"))
    assert len(kept) < len(whole)
    extract(folder, "30bad")
    assert shards(folder) == whole


@pytest.mark.parametrize("damage", [lambda content: content[:-3], lambda content: b"", lambda content: bytes([
    *content[:-1], content[-1] ^ 4])], ids=["cut", "empty", "flipped"])
def test_a_damaged_shard_of_an_unfinished_stage_is_made_again(whole: dict[str, bytes], tmp_path: Path,
                                                              damage: Callable[[bytes], bytes]) -> None:
    folder = tmp_path / "stage"
    extract(folder, "30bad")
    (folder / SECOND).write_bytes(damage(whole[SECOND]))
    before = {path: path.stat().st_ino for path in folder.glob("rows-*") if path.name != SECOND}
    said = io.StringIO()
    extract(folder, "30bad", screen=Screen(Console(file=said)))
    assert shards(folder) == whole
    assert f"{SECOND}: damaged; made again" in said.getvalue()
    assert {path: path.stat().st_ino for path in before} == before


def test_shards_of_another_network_or_size_are_made_again(whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    extract(folder, "30bad", seed=1)
    assert shards(folder)[SECOND] != whole[SECOND]
    extract(folder, "30bad", shard_rows=8)
    extract(folder, "30bad")
    assert shards(folder) == whole


def test_only_failures_that_may_pass_are_tried_again(tmp_path: Path) -> None:
    def failing(status: str, *bad: int) -> Modality:
        def change(batch: Batch) -> Batch:
            hit = np.isin(batch.rows, bad)
            failures = tuple(DecodeError(int(row), "x", status, "toy") for row in np.unique(batch.rows[hit]))
            return replace(batch, valid=batch.valid & ~hit, failures=failures)
        return altered(change)

    extract(tmp_path / "stage", "12", modality=failing("timeout", 1))
    assert FeatureStore.open(tmp_path / "stage").failures() == {1: ("timeout", "toy")}
    extract(tmp_path / "stage", "12", modality=failing("undecodable", 2, 9))
    assert FeatureStore.open(tmp_path / "stage").failures() == {2: ("undecodable", "toy")}
    extract(tmp_path / "stage", "12")
    assert FeatureStore.open(tmp_path / "stage").failures() == {2: ("undecodable", "toy")}


def test_nonfinite_rows_are_counted_listed_and_never_valid(tmp_path: Path) -> None:
    def change(batch: Batch) -> Batch:
        batch.data[torch.from_numpy(batch.rows == 7)] = torch.inf
        return batch

    facts = extract(tmp_path / "stage", "30bad", modality=altered(change))
    assert facts["num_bad_rows"] == 2
    assert [line["status"] for line in read_failures(tmp_path / "stage")] == ["undecodable", "nonfinite"]
    features, valid = all_rows(FeatureStore.open(tmp_path / "stage"))
    assert np.flatnonzero(~valid).tolist() == [5, 7]
    assert not features[[5, 7]].any()
    with pytest.raises(TooManyBadSamples, match="2 of 30 rows"):
        extract(tmp_path / "stage", "30bad", max_bad_share=0.05)


def test_a_row_that_fails_in_one_view_without_a_word_is_not_valid(tmp_path: Path) -> None:
    def change(batch: Batch) -> Batch:
        return replace(batch, valid=batch.valid & ~((batch.rows == 3) & (batch.views == 1)))

    extract(tmp_path / "stage", "8", modality=altered(change))
    assert np.flatnonzero(~all_rows(FeatureStore.open(tmp_path / "stage"))[1]).tolist() == [3]


def test_layers_and_kept_views_give_what_single_extractions_give(tmp_path: Path) -> None:
    extract(tmp_path / "both", layers=("res5", "conv1"), keep_views=True)
    both = FeatureStore.open(tmp_path / "both")
    assert both.dims() == {"res5": 6, "conv1": 4}
    for layer in both.layers:
        extract(tmp_path / layer, layers=(layer,), keep_views=True)
        single = all_rows(FeatureStore.open(tmp_path / layer))[0]
        assert single.shape == (30, 2, both.dims()[layer])
        assert np.array_equal(all_rows(both, layer)[0], single)
        extract(tmp_path / f"mean {layer}", layers=(layer,))
        mean = all_rows(FeatureStore.open(tmp_path / f"mean {layer}"))[0]
        np.testing.assert_allclose(mean, single.mean(axis=1), atol=3e-3)
    network = ToyNetwork(3).eval()
    network.initialise(torch.Generator().manual_seed(0))
    batch = next(TOY.eval_batches(toy_index("30"), np.arange(30), view={}, num_views=2, batch_rows=30, reading=None))
    with torch.no_grad():
        expected = network.pooled(batch.data, ("res5",))["res5"].reshape(30, 2, 6).half().float().numpy()
    np.testing.assert_allclose(all_rows(both, "res5")[0], expected, rtol=1e-3)


def test_features_do_not_depend_on_the_size_of_a_shard(tmp_path: Path) -> None:
    batches: list[tuple[int, ...]] = []

    def change(batch: Batch) -> Batch:
        batches.append(tuple(batch.rows[::2].tolist()))
        return batch

    matrices, read = [], []
    for shard_rows in (1, 5, 64):  # with batches of 4 rows
        batches.clear()
        extract(tmp_path / str(shard_rows), shard_rows=shard_rows, modality=altered(change))
        matrices.append(all_rows(FeatureStore.open(tmp_path / str(shard_rows)))[0].tobytes())
        read.append(list(batches))
    assert len(set(matrices)) == 1
    assert read[0] == read[1] == read[2]
    assert [len(list((tmp_path / name).glob("rows-*"))) for name in ("1", "5", "64")] == [8, 4, 1]


def test_progress_tells_bad_rows_of_all_and_what_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "LOG_PERIOD_SECONDS", 0.0)
    said = io.StringIO()
    extract(tmp_path / "stage", "30bad", screen=Screen(Console(file=said)))
    lines = [line for line in said.getvalue().splitlines() if "extract toys" in line]
    assert "30/30" in lines[-1]
    assert "1 bad, " in lines[-1]
    assert all("% of the time waiting for data" in line for line in lines)
