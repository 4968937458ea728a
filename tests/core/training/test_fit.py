"""The loop: what a step is, whoever computes its parts; how it diverges, clips, skips and resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cfvideo.core.errors import ConfigError, TooManyBadSamples
from cfvideo.core.journal import read_journal
from cfvideo.core.training.fit import Trainer
from cfvideo.core.training.optimizer import parameters_of
from tests.core.training.networks import LABELS, NUM_CLASSES, Cliff, budget, features, network, train, trainer


def _trained(folder: Path, **options: object) -> dict[str, torch.Tensor]:
    net = network(norm=bool(options.pop("norm", True)))
    changes = options.pop("changes", {})
    train(trainer(folder, net=net, plan=budget(**changes), **options))  # type: ignore[arg-type]
    return net.state_dict()


def test_a_step_is_plain_sgd_on_the_mean_loss(tmp_path: Path) -> None:
    plan = budget(max_samples=24)
    net, twin = network(), network()
    one = trainer(tmp_path, net=net, plan=plan)
    draws = [step.parts[0] for step in one.order.steps()]
    train(one)
    groups = [{"params": [p for p in twin.parameters() if p.ndim > 1], "weight_decay": 1e-3},
              {"params": [p for p in twin.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
    sgd = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    for number, draw in enumerate(draws):
        for group in sgd.param_groups:
            group["lr"] = plan.rate(12 * number)
        sgd.zero_grad()
        F.cross_entropy(twin(features(draw.rows, draw.epochs)), torch.from_numpy(LABELS[draw.rows]).long()).backward()
        sgd.step()
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("micro", [1, 4, 5])
def test_accumulated_parts_are_the_whole_step(tmp_path: Path, micro: int) -> None:
    """Without batch norm a step cut into parts is the same step; the journal shows the same loss."""
    whole = _trained(tmp_path / "whole", norm=False)
    cut = _trained(tmp_path / "cut", norm=False, changes={"micro_batch_size": micro})
    for name, value in whole.items():
        torch.testing.assert_close(cut[name], value, rtol=1e-5, atol=1e-6)
    losses = [[line["loss"] for line in read_journal(tmp_path / kind / "metrics.jsonl")] for kind in ("whole", "cut")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_running_statistics_take_one_step_towards_the_mean_over_parts(tmp_path: Path) -> None:
    plan = budget(max_samples=12, micro_batch_size=4)
    net, twin = network(), network()
    one = trainer(tmp_path, net=net, plan=plan)
    parts = next(one.order.steps()).parts
    train(one)
    inputs = [twin[0](features(part.rows, part.epochs)).detach() for part in parts]
    mean = torch.stack([value.mean(0) for value in inputs]).mean(0)
    variance = torch.stack([value.var(0) for value in inputs]).mean(0)
    torch.testing.assert_close(net[1].running_mean, 0.1 * mean)
    torch.testing.assert_close(net[1].running_var, 0.9 + 0.1 * variance)
    assert int(net[1].num_batches_tracked) == 1


def test_undecodable_rows_take_no_part(tmp_path: Path) -> None:
    """A step with bad rows is the step on its good ones."""
    net, plan = network(norm=False), budget(max_samples=12)
    draw = next(trainer(tmp_path, net=net, plan=plan).order.steps()).parts[0]
    bad = frozenset(draw.rows[[0, 3, 7]].tolist())
    good = np.array([row not in bad for row in draw.rows])
    one = trainer(tmp_path, net=net, plan=plan, bad=bad)
    progress = train(one)
    assert set(progress.bad_rows) == {str(row) for row in draw.rows[~good]}
    twin = network(norm=False)
    loss = F.cross_entropy(twin(features(draw.rows[good], draw.epochs[good])),
                           torch.from_numpy(LABELS[draw.rows[good]]).long())
    assert progress.loss_sum == 0.0  # the journal line took it
    assert read_journal(tmp_path / "metrics.jsonl")[0]["loss"] == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    expected = twin[0].weight - 0.1 * 1.9 * (twin[0].weight.grad + 1e-3 * twin[0].weight)
    torch.testing.assert_close(net[0].weight, expected, rtol=1e-4, atol=1e-6)


def test_too_many_bad_rows_end_the_run(tmp_path: Path) -> None:
    net = network()
    one = trainer(tmp_path, net=net, plan=budget(), bad=frozenset(range(9)))
    object.__setattr__(one, "max_bad_share", 0.05)
    said = (r"^pretrain toy: \d of 40 rows cannot be used .missing or undecodable., more than DATA.MAX_BAD_SHARE = "
            r"0.05 allows; last: row (\d): video \1: undecodable")
    with pytest.raises(TooManyBadSamples, match=said):
        train(one)


def test_divergence_stops_before_the_weights_are_touched(tmp_path: Path) -> None:
    net = network(norm=False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    said = (r"^pretrain toy: training diverged in the step after 0 samples: the loss is nan; lower "
            r"N_PRE.SOLVER.BASE_LR \(0.1\), raise N_PRE.SOLVER.WARMUP_SAMPLES \(0\) or set N_PRE.SOLVER.CLIP_GRADIENT")
    with pytest.raises(ConfigError, match=said):
        train(trainer(tmp_path, net=net, plan=budget(), scale=float("nan")))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_no_number_stops_before_the_weights_are_touched(tmp_path: Path, clip: float) -> None:
    """The loss is finite."""
    net = network(norm=False)
    one = trainer(tmp_path, net=net, plan=budget(), objective=Cliff(7), clip=clip)
    with pytest.raises(ConfigError, match=r"^pretrain toy: .* after \d+ samples: the gradient's norm is nan; lower N"):
        train(one)
    assert all(torch.isfinite(value).all() for value in net.state_dict().values())


def test_a_single_item_at_the_end_of_the_budget_sits_out_where_it_cannot_be_normalised(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        train(trainer(tmp_path / "raw", net=network(), plan=budget(max_samples=25)))
    nets = [network(), network()]
    ends = [train(trainer(tmp_path / str(samples), net=net, plan=budget(max_samples=samples, schedule="constant"),
                          fewest=2)).samples for net, samples in zip(nets, (24, 25), strict=True)]
    assert ends == [24, 25]
    for name, value in nets[0].state_dict().items():
        assert torch.equal(nets[1].state_dict()[name], value), name


def test_divergence_names_the_best_checkpoint(tmp_path: Path) -> None:
    one = trainer(tmp_path, net=network(), plan=budget())
    train(one)
    with pytest.raises(ConfigError, match=r"lowest loss is .*checkpoint-\d+.safetensors"):
        train(trainer(tmp_path, net=network(), plan=budget(max_samples=120), scale=float("inf")))


def test_gradients_are_cut_to_the_largest_norm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    step = torch.optim.SGD.step

    def noted(optimizer: torch.optim.SGD) -> None:
        gradients = [p.grad.flatten() for p in parameters_of(optimizer) if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))
        step(optimizer)

    monkeypatch.setattr(torch.optim.SGD, "step", noted)
    _trained(tmp_path / "free")
    free, norms[:] = list(norms), []
    _trained(tmp_path / "clipped", clip=0.1)
    assert max(free) > 0.2
    assert max(norms) == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("micro", [0, 5])
@pytest.mark.parametrize("killed_after", [24, 48, 72])
def test_a_resumed_run_ends_with_the_same_bytes(tmp_path: Path, micro: int, killed_after: int,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"micro_batch_size": micro}
    undisturbed = _trained(tmp_path / "whole", changes=changes)

    class Killed(BaseException):
        pass

    save = Trainer._save

    def dying(self: Trainer, progress: object, journal: object) -> None:
        save(self, progress, journal)  # type: ignore[arg-type]
        if progress.samples >= killed_after:  # type: ignore[attr-defined]
            raise Killed

    monkeypatch.setattr(Trainer, "_save", dying)
    with pytest.raises(Killed):
        _trained(tmp_path / "cut", changes=changes)
    monkeypatch.setattr(Trainer, "_save", save)
    resumed = _trained(tmp_path / "cut", changes=changes)
    assert all(torch.equal(resumed[name], value) for name, value in undisturbed.items())
    assert (tmp_path / "cut/metrics.jsonl").read_bytes() == (tmp_path / "whole/metrics.jsonl").read_bytes()


def test_the_head_may_be_of_any_size_but_a_checkpoint_of_another_is_refused(tmp_path: Path) -> None:
    from cfvideo.core.errors import IntegrityError
    from cfvideo.core.training.objectives import LabelObjective

    _trained(tmp_path)
    other = LabelObjective([LABELS], ["abcd"])
    with pytest.raises(IntegrityError, match="another network"):
        train(trainer(tmp_path, net=network(outputs=NUM_CLASSES + 1), plan=budget(), objective=other))
