"""The loop on several real processes: the same steps as one process, bad rows, empty shares, SyncBN, fingerprints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cfimage.resnet import build_resnet
from cfvideo.core.distributed import Ranks
from cfvideo.core.errors import ConfigError
from cfvideo.core.tensors import load_tensors
from cfvideo.core.training.batch_norm import synchronised, unsynchronised
from cfvideo.core.training.fit import Trainer
from cfvideo.core.training.optimizer import sum_gradients
from cfvideo.core.training.sample_order import SampleOrder
from cfvideo.models.r2plus1d import R2Plus1D
from tests.core.pipeline.test_solver_keys import keys_of
from tests.core.processes import launch
from tests.core.training.networks import LABELS, budget, features, network, train, trainer

MANY_BAD = tuple(range(30))
# What each run does: keys of its budget; "bad": rows that cannot be decoded; "sync": synchronised batch norms.
RUNS: dict[str, dict[str, object]] = {
    "parts": {"micro_batch_size": 3, "bad": (3, 17, 30)},
    "few": {"micro_batch_size": 6, "bad": MANY_BAD},
    "apart": {},
    "sync": {"sync": True},
    "sync_bad": {"sync": True, "bad": MANY_BAD},
    "sync_empty": {"sync": True, "bad": (3, 17, 30), "batch_size": 2, "max_samples": 25, "base_lr": 0.02},
    "sync_resumed": {"sync": True, "schedule": "constant", "max_samples": 60},
}
# Changes of N_PRE.SOLVER whose fingerprints are compared.
CUTS: tuple[dict[str, object], ...] = ({}, {"MICRO_BATCH_SIZE": 12}, {"MICRO_BATCH_SIZE": 8}, {"SYNC_BATCH_NORM": True},
                                       {"BATCH_SIZE": 2})
PROGRAM = """
import sys, pathlib
import torch
from cfvideo.core.distributed import joined
from cfvideo.core.errors import ConfigError
from cfvideo.core.tensors import save_tensors
from cfvideo.core.training.batch_norm import unsynchronised
from tests.core.training.networks import Cliff, budget, network, train, trainer
from tests.core.training.test_many_processes import RUNS, cuts, made, real_gradients
folder = pathlib.Path(sys.argv[1])
torch.set_num_threads(1)
with joined() as ranks:
    for name in RUNS:
        one = made(name, folder / name, ranks)
        progress = train(one)
        unsynchronised(one.network)
        facts = {"bad": sorted(progress.bad_rows)}
        save_tensors(folder / name / f"rank{ranks.rank}.safetensors", one.network.state_dict(), facts)
    one = trainer(folder / "cliff", net=network(), plan=budget(), ranks=ranks, objective=Cliff(7))
    try:
        train(one)
    except ConfigError as error:
        print(error)
    save_tensors(folder / f"cliff/rank{ranks.rank}.safetensors", one.network.state_dict(), {})
    save_tensors(folder / f"real{ranks.rank}.safetensors", real_gradients(ranks), {"cuts": cuts(folder / "cliff")})
"""


def made(name: str, folder: Path, ranks: Ranks, **changes: object) -> Trainer:
    """One of RUNS."""
    values = {**RUNS[name], **changes}
    sync, bad = values.pop("sync", False), frozenset(values.pop("bad", ()))
    net = network()
    if sync and ranks.size > 1:
        synchronised(net)
    return trainer(folder, net=net, plan=budget(**values), ranks=ranks, bad=bad, fewest=2)


def cuts(folder: Path) -> list[object]:
    """What stands in the fingerprints of CUTS for the parts of a step, or why it is refused."""
    found: list[object] = []
    for changes in CUTS:
        try:
            found.append(keys_of(folder, **changes)["N_PRE.SOLVER.MICRO_BATCH_SIZE"])
        except ConfigError as error:
            found.append(str(error))
    return found


def real_gradients(ranks: Ranks) -> dict[str, torch.Tensor]:
    """Of small real networks whose four samples are all the first process's, summed over processes."""
    found = {}
    for name, (net, shape) in _real().items():
        net.train()
        if ranks.size > 1:
            synchronised(net)
        data = torch.randn((4, *shape), generator=torch.Generator().manual_seed(1))
        net(data[:4 if ranks.is_first else 0]).square().sum().backward()
        sum_gradients(list(net.parameters()))
        unsynchronised(net)
        found |= {f"{name}.{key}": value.grad for key, value in net.named_parameters()}
    return found


def _real() -> dict[str, tuple[torch.nn.Module, tuple[int, ...]]]:
    sizes = {"blocks": (1, 1, 1, 1), "widths": (4, 6, 8, 10)}
    nets = {"r2plus1d": (R2Plus1D(num_classes=3, **sizes), (3, 4, 16, 16)),
            "resnet": (build_resnet(num_classes=3, arch="resnet", **sizes), (3, 16, 16))}
    for net, _ in nets.values():
        net.initialise(torch.Generator().manual_seed(0))
    return nets


@pytest.fixture(scope="module", params=[2, 3])
def several(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, list[str]]:
    """All RUNS by two and by three processes: their number, their folder, what each said."""
    folder = tmp_path_factory.mktemp("several")
    _alone("sync_resumed", folder / "sync_resumed", max_samples=24)
    done = launch(PROGRAM, request.param, str(folder))
    assert [one.returncode for one in done] == [0] * request.param, done[0].stderr + done[-1].stderr
    return request.param, folder, [one.stdout for one in done]


def _state(size: int, folder: Path) -> dict[str, torch.Tensor]:
    """What one process ended with, having seen that the others ended with the same bytes."""
    states = [load_tensors(folder / f"rank{rank}.safetensors")[0] for rank in range(size)]
    for state in states[1:]:
        assert all(torch.equal(value, states[0][name]) for name, value in state.items())
    return states[0]


def _alone(name: str, folder: Path, **changes: object) -> dict[str, torch.Tensor]:
    one = made(name, folder, Ranks(), **changes)
    train(one)
    return one.network.state_dict()


def _close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Sums in another order differ in last bits."""
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


def _valid(name: str, size: int) -> list[list[int]]:
    """Valid rows of each process in each step of a run."""
    values = dict(RUNS[name])
    bad = set(values["bad"])
    plan = budget(**{key: value for key, value in values.items() if key not in ("bad", "sync")})
    steps = zip(*(SampleOrder(np.arange(40), plan.batch_size, plan.max_samples, 5, plan.micro_batch_size,
                              Ranks(rank, size)).steps() for rank in range(size)), strict=True)
    return [[sum(int(row) not in bad for part in step.parts for row in part.rows) for step in shares]
            for shares in steps]


@pytest.mark.parametrize("name", ["parts", "few"])
def test_any_number_of_processes_takes_the_same_steps(several: tuple[int, Path, list[str]], tmp_path: Path, name: str,
                                                      ) -> None:
    """Micro-batches in steps of 12; bad rows on some processes only, more processes than parts."""
    size, folder, _ = several
    _close(_alone(name, tmp_path), _state(size, folder / name))
    assert load_tensors(folder / "parts/rank1.safetensors")[1]["bad"] == ["17", "3", "30"]


@pytest.mark.parametrize("name", ["sync", "sync_bad", "sync_empty"])
def test_synchronised_batch_norm_is_batch_norm_over_all_processes(several: tuple[int, Path, list[str]], tmp_path: Path,
                                                                  name: str) -> None:
    """... within 1e-4 of each weight: with bad rows, with processes that have no valid row or no share of a step, with
    steps that all skip together, and with a single sample left at the end."""
    size, folder, _ = several
    _close(_alone(name, tmp_path), _state(size, folder / name))
    if name != "sync":
        valid = _valid(name, size)
        assert any(0 in shares and sum(shares) > 1 for shares in valid) or (name, size) == ("sync_empty", 2)
        assert any(sum(shares) < 2 for shares in valid)


def test_a_run_with_synchronised_batch_norm_goes_on_with_several_processes_and_with_one_again(
        several: tuple[int, Path, list[str]], tmp_path: Path) -> None:
    """One process to sample 24, several to 60, one to 96; a network that began anew at 60 would be another."""
    size, folder, _ = several
    undisturbed = _alone("sync_resumed", tmp_path / "undisturbed", max_samples=96)
    again = tmp_path / "again"
    shutil.copytree(folder / "sync_resumed", again)
    _close(_alone("sync_resumed", again, max_samples=96), undisturbed)
    metrics = [json.loads(line)["samples"] for line in (again / "metrics.jsonl").read_text().splitlines()]
    assert metrics == sorted(set(metrics)) == list(range(12, 97, 12))
    _close(_alone("sync_resumed", tmp_path / "undisturbed_60"), _state(size, folder / "sync_resumed"))


def test_batch_norm_of_each_process_by_itself_is_another_network(several: tuple[int, Path, list[str]], tmp_path: Path,
                                                                 ) -> None:
    size, folder, _ = several
    apart, alone = _state(size, folder / "apart"), _alone("apart", tmp_path)
    assert not torch.allclose(apart["0.weight"], alone["0.weight"], atol=1e-3)


def test_a_gradient_that_is_no_number_on_one_process_stops_all_of_them(several: tuple[int, Path, list[str]]) -> None:
    size, folder, said = several
    assert [text.count("pretrain toy: training diverged") for text in said] == [1] * size
    assert len(set(said)) == 1
    assert all(torch.isfinite(value).all() for value in _state(size, folder / "cliff").values())


def test_a_process_without_samples_takes_part_in_the_batch_norms_of_real_networks(
        several: tuple[int, Path, list[str]]) -> None:
    _, folder, _ = several
    found = load_tensors(folder / "real1.safetensors")[0]
    for name, value in real_gradients(Ranks()).items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: name + text)


def test_fingerprints_differ_where_parts_do(several: tuple[int, Path, list[str]], tmp_path: Path) -> None:
    """Steps of 24 and a last one of 4: with micro-batches, or one batch norm over all, those of one process."""
    size, folder, _ = several
    alone, found = cuts(tmp_path), load_tensors(folder / "real0.safetensors")[1]["cuts"]
    assert alone == [[24, 4], [12, 4], [8, 4], [24, 4], [2]]
    assert found[:4] == [[24 // size, 4], [12, 4], [8, 4], [24, 4]]
    assert f"BATCH_SIZE 2 on {size} processes leaves a single sample" in str(found[4])
    assert f"BATCH_SIZE to an even number from {2 * size} on, or use fewer processes" in str(found[4])


def test_the_toy_data_is_what_it_says() -> None:
    assert features(LABELS[:3].astype("int64"), LABELS[:3].astype("int64")).shape == (3, 4)
