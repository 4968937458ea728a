"""Checkpoints: the last two and the best are kept; damage is noticed and survived."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cfvideo.core.training.checkpoint import Checkpoints, Progress
from cfvideo.core.training.optimizer import make_optimizer
from tests.core.training.networks import network


def _optimizer(net: torch.nn.Module) -> torch.optim.SGD:
    return make_optimizer(net, momentum=0.9, nesterov=False, weight_decay=0.0, decay_batch_norm=False)


def _saved(folder: Path, losses: list[float | None]) -> Checkpoints:
    kept = Checkpoints(folder)
    net = network()
    for number, loss in enumerate(losses, start=1):
        with torch.no_grad():
            net[0].bias.fill_(number)
        kept.save(net, _optimizer(net), Progress(samples=10 * number, recent_loss=loss))
    return kept


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    kept = _saved(tmp_path, [3.0, 1.0, 2.0, 2.5, 4.0])
    assert [int(path.stem.split("-")[1]) for path in kept.files()] == [20, 40, 50]
    assert kept.best() == kept.files()[0]


def test_without_a_loss_there_is_no_best(tmp_path: Path) -> None:
    kept = _saved(tmp_path, [None, None, None])
    assert len(kept.files()) == 2
    assert kept.best() is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    kept = _saved(tmp_path, [None, None])
    newest = kept.files()[-1]
    content = bytearray(newest.read_bytes())
    if damage == "flipped":
        content[-3] ^= 1
    newest.write_bytes({"cut": content[:-100], "flipped": content, "empty": b""}[damage])
    net = network()
    assert kept.restore(net, _optimizer(net)).samples == 10
    assert net[0].bias[0].item() == 1.0
    assert not newest.exists()


def test_nothing_saved_is_a_fresh_start(tmp_path: Path) -> None:
    net = network()
    assert Checkpoints(tmp_path).restore(net, _optimizer(net)) == Progress()
