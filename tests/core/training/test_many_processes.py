"""The loop on several real processes: the same steps as one process, exact restarts, one bad rank, SyncBN."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cfvideo.core.tensors import load_tensors
from tests.core.processes import launch
from tests.core.training.networks import LABELS, budget, features, network, train, trainer

PROGRAM = """
import sys, pathlib
import torch
from cfvideo.core.distributed import current, joined
from cfvideo.core.tensors import save_tensors
from cfvideo.core.training.batch_norm import synchronised, unsynchronised
from tests.core.training.networks import budget, network, train, trainer
folder, micro, sync, bad = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "sync", sys.argv[4]
torch.set_num_threads(1)
with joined() as ranks:
    net = network()
    if sync:
        synchronised(net)
    rows = frozenset(int(row) for row in bad.split(",") if row)
    progress = train(trainer(folder, net=net, plan=budget(micro_batch_size=micro), ranks=ranks, bad=rows))
    unsynchronised(net)
    save_tensors(folder / f"rank{ranks.rank}.safetensors", net.state_dict(), {"bad": sorted(progress.bad_rows)})
"""


def _run(folder: Path, size: int, *, micro: int = 3, sync: bool = False, bad: str = "") -> dict[str, torch.Tensor]:
    folder.mkdir(parents=True, exist_ok=True)
    done = launch(PROGRAM, size, str(folder), str(micro), "sync" if sync else "each", bad)
    assert [one.returncode for one in done] == [0] * size, done[0].stderr + done[-1].stderr
    states = [load_tensors(folder / f"rank{rank}.safetensors")[0] for rank in range(size)]
    for state in states[1:]:
        assert all(torch.equal(value, states[0][name]) for name, value in state.items())
    return states[0]


def _close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


def test_any_number_of_processes_takes_the_same_steps(tmp_path: Path) -> None:
    """Micro-batches of 3 in steps of 12; bad rows on some processes only. Sums in another order differ in last bits."""
    alone = _run(tmp_path / "1", 1, bad="3,17,30")
    for size in (2, 3):
        _close(alone, _run(tmp_path / str(size), size, bad="3,17,30"))
        assert load_tensors(tmp_path / f"{size}/rank1.safetensors")[1]["bad"] == ["17", "3", "30"]


def test_more_processes_than_parts_and_a_process_without_a_valid_row(tmp_path: Path) -> None:
    bad = ",".join(str(row) for row in range(30))
    _close(_run(tmp_path / "1", 1, micro=6, bad=bad), _run(tmp_path / "3", 3, micro=6, bad=bad))


@pytest.mark.slow
def test_synchronised_batch_norm_is_batch_norm_over_all_processes(tmp_path: Path) -> None:
    """Each process's share of a step is one part (micro 0): synchronised, they are one batch norm of 12."""
    net = network()
    train(trainer(tmp_path / "1", net=net, plan=budget()))
    for size in (2, 3):
        _close(net.state_dict(), _run(tmp_path / str(size), size, micro=0, sync=True))


def test_batch_norm_of_each_process_by_itself_is_another_network(tmp_path: Path) -> None:
    net = network()
    train(trainer(tmp_path / "1", net=net, plan=budget()))
    apart = _run(tmp_path / "2", 2, micro=0)
    assert not torch.allclose(apart["0.weight"], net.state_dict()["0.weight"], atol=1e-3)


def test_the_toy_data_is_what_it_says() -> None:
    assert features(LABELS[:3].astype("int64"), LABELS[:3].astype("int64")).shape == (3, 4)
