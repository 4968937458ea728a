"""Checkpoints: the last two and the best are kept; damage is noticed and survived."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cfvideo.core import tensors
from cfvideo.core.errors import IntegrityError
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


def test_a_damaged_older_checkpoint_stops_nothing(tmp_path: Path) -> None:
    kept = _saved(tmp_path, [1.0, 2.0])
    kept.files()[0].write_bytes(b"cut")
    net = network()
    kept.save(net, _optimizer(net), Progress(samples=30, recent_loss=3.0))
    assert kept.best() is not None
    assert int(kept.best().stem.split("-")[1]) == 20


def test_trouble_of_the_disk_deletes_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = _saved(tmp_path, [1.0, 2.0])

    def failing(path: Path, **_: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(tensors, "safe_open", failing)
    net = network()
    with pytest.raises(IntegrityError, match="Stale"):
        kept.restore(net, _optimizer(net))
    assert len(kept.files()) == 2
