"""The score stage on the toy modality: mean probabilities, padding, bad rows, and what a resumed run does again."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from cfvideo.core.durable import sha256_file
from cfvideo.core.errors import TooManyBadSamples
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.network_file import FILE_NAME, save_network
from cfvideo.core.records import Reading
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Artefact, Workspace
from cfvideo.core.stages.score import run_score
from cfvideo.core.tensors import load_tensors, save_tensors
from tests.toy_modality import HEADER, TOY, ToyNetwork, eval_batches, read_index

VIEWS = 3


@pytest.fixture
def index() -> Index:
    """30 rows, of which row 5 cannot be decoded."""
    return read_index(format="toy", path=Path("30bad"), root=None, min_rows_per_label=1)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    network = ToyNetwork(3)
    network.initialise(torch.Generator().manual_seed(0))
    given = tmp_path / "network"
    given.mkdir()
    save_network(given, network, num_classes=3, **HEADER)
    artefact = Artefact(given, {"files": {FILE_NAME: {"sha256": sha256_file(given / FILE_NAME)}}})
    (tmp_path / "score").mkdir()
    return Workspace(tmp_path / "score", {"network": artefact}, Screen(Console(file=io.StringIO())), StopRequest(),
                     "score", tmp_path)


def _run(work: Workspace, index: Index, *, shard_rows: int = 8, batch_size: int = 12, max_bad_share: float = 0.1,
         ) -> dict:
    return dict(run_score(work, modality=TOY, index=index, view={}, num_views=VIEWS, batch_size=batch_size,
                          shard_rows=shard_rows, reading=Reading(), max_bad_share=max_bad_share,
                          device=torch.device("cpu")))


def test_each_row_is_scored_by_the_mean_of_its_probabilities(work: Workspace, index: Index) -> None:
    network = ToyNetwork(3)
    network.load_state_dict(load_tensors(work.inputs["network"].folder / FILE_NAME)[0])
    network.eval()
    right = []
    for row in [row for row in range(30) if row != 5]:
        batch = next(eval_batches(index, np.array([row]), view={}, num_views=VIEWS, batch_rows=1, reading=Reading()))
        with torch.no_grad():
            guess = int(network(batch.data).softmax(dim=1).mean(dim=0).argmax())
        right.append(guess == index.labels_of(row)[0])
    facts = _run(work, index)
    assert 0 < facts["top1"] < 1
    assert facts["top1"] == np.mean(right)
    assert (facts["num_test_rows"], facts["num_rows"], facts["num_bad_rows"]) == (29, 30, 1)
    confusion = json.loads((work.folder / "confusions.json").read_text())
    assert sum(rows for true, guess, rows in confusion if true == guess) == sum(right)
    assert (work.folder / "failures.csv").read_text().count("\n") == 2


@pytest.mark.parametrize(("shard_rows", "batch_size"), [(30, 90), (7, 12), (8, 3)])
def test_shards_and_padding_change_nothing(work: Workspace, index: Index, shard_rows: int, batch_size: int) -> None:
    assert _run(work, index, shard_rows=shard_rows, batch_size=batch_size)["top1"] == _run(work, index)["top1"]


def test_a_resumed_run_keeps_shards_but_tries_rows_again_that_timed_out(work: Workspace, index: Index) -> None:
    facts = _run(work, index)
    first, second, *_ = sorted(work.scratch.glob("best-*.safetensors"))
    tensors, header = load_tensors(first)
    save_tensors(first, {"best": torch.full_like(tensors["best"], -1)}, {"failures": {"2": ["timeout", "slow disk"]}})
    assert _run(work, index) == facts
    save_tensors(second, {"best": torch.full_like(tensors["best"], -1)}, {"failures": {}})
    assert _run(work, index)["top1"] < facts["top1"]


def test_more_bad_rows_than_allowed_fail(work: Workspace, index: Index) -> None:
    with pytest.raises(TooManyBadSamples):
        _run(work, index, max_bad_share=0.01)
