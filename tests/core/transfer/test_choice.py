"""Every solver: choose on training rows only, several labels per row, unseen classes, several layers and clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cfvideo.core.errors import Interrupted
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.transfer.choice import Chosen
from cfvideo.core.transfer.knn import KnnSolver
from cfvideo.core.transfer.lbfgs import LbfgsSolver
from cfvideo.core.transfer.ridge import RidgeSolver
from cfvideo.core.transfer.samples import Samples
from cfvideo.core.transfer.sgd import Schedule, SgdSolver
from cfvideo.core.transfer.solver import Solver
from tests.core.transfer.blobs import NUM_CLASSES, blobs, judge, relabelled

CPU = torch.device("cpu")


def _sgd(num_classes: int, scaling: str = "standardise") -> Solver:
    schedule = Schedule(epochs=10, batch_size=32, momentum=0.9, nesterov=True, drops="three")
    return SgdSolver(num_classes=num_classes, learning_rates=(0.01, 0.1), weight_decays=(1e-4, 5e-4), num_cells={},
                     schedule=schedule, scaling=scaling, seed=0, device=CPU)


SOLVERS = {
    "lbfgs": lambda num_classes: LbfgsSolver(num_classes=num_classes, strengths=(1.0, 0.01), max_iterations=200),
    "ridge": lambda num_classes: RidgeSolver(num_classes=num_classes, strengths=(1.0, 0.01), device=CPU),
    "knn": lambda num_classes: KnnSolver(num_classes=num_classes, neighbours=(5, 20), device=CPU),
    "sgd": _sgd,
    "sgd with batch norm": lambda num_classes: _sgd(num_classes, "batch_norm"),
    "sgd as they are": lambda num_classes: _sgd(num_classes, "none"),
}


@pytest.fixture(params=SOLVERS)
def solver(request: pytest.FixtureRequest) -> Solver:
    return SOLVERS[request.param](NUM_CLASSES)


def test_separable_classes_are_learned_and_shuffled_ones_are_not(solver: Solver) -> None:
    train, test = blobs(300, 0), blobs(200, 1)
    assert judge(solver, train, test)["res5"].tally.hit_share(1) > 0.95
    shuffled = [train.labels[row] for row in np.random.default_rng(2).permutation(300)]
    assert judge(solver, replace(train, labels=shuffled), test)["res5"].tally.hit_share(1) < 0.6


@pytest.mark.parametrize("labels", [[[0], [1]], [[0, 1], [0], [0]], [[0], [0, 1], [0]],
                                    [[0], [0], [0, 1]]])
def test_the_holdout_may_leave_a_single_class(solver: Solver, labels: list[list[int]]) -> None:
    """Two rows of two classes; or a second class that one row has beside the first."""
    outcome = judge(solver, relabelled(blobs(len(labels), 0), labels), blobs(30, 1))["res5"]
    assert outcome.tally.num_rows == 30
    assert 2 not in {guess for _, guess in outcome.tally.confusion}


def test_test_rows_choose_nothing(solver: Solver) -> None:
    train, test = blobs(120, 0, distance=1.5), blobs(100, 1, distance=1.5)
    flipped = relabelled(test, [[(label[0] + 1) % NUM_CLASSES] for label in test.labels])
    honest, spoiled = judge(solver, train, test)["res5"], judge(solver, train, flipped)["res5"]
    assert (honest.setting, honest.holdout) == (spoiled.setting, spoiled.holdout)
    assert honest.tally.hit_share(1) > spoiled.tally.hit_share(1)


def test_a_run_again_gives_the_same_to_the_last_bit(solver: Solver) -> None:
    train, test = blobs(150, 0, distance=1.0), blobs(80, 1, distance=1.0)
    scores = [next(iter(solver.fit(train, np.arange(150), {"res5": solver.grid[:1]})["res5"]
                        .scores(test.features["res5"]))) for _ in range(2)]
    assert np.array_equal(*scores)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_class_unseen_in_training_is_never_guessed(name: str) -> None:
    train, test = blobs(100, 0), relabelled(blobs(50, 1), [[3]] * 50)
    assert judge(SOLVERS[name](4), train, test, 4)["res5"].tally.hit_share(5) == 0.0


@pytest.mark.parametrize("name", SOLVERS)
def test_several_labels_per_row_count_once_and_hit_any(name: str) -> None:
    samples = blobs(300, 0)
    both = relabelled(samples, [[label[0], 3] for label in samples.labels])
    outcome = judge(SOLVERS[name](4), both, both, 4)["res5"]
    assert outcome.tally.hit_share(1) > 0.95
    assert outcome.integral is not None
    assert outcome.integral[3] == pytest.approx(1.0)  # every row has class 3


@pytest.mark.parametrize("name", SOLVERS)
def test_rows_without_a_label_train_nothing_and_are_negatives_of_every_class(name: str) -> None:
    train, test = blobs(150, 0), blobs(100, 1)
    kept = [row for row in range(150) if row % 3]
    few = [[own.tolist() if row % 3 else [] for row, own in enumerate(one.labels)] for one in (train, test)]
    alone = Samples({"res5": train.features["res5"][kept]}, [train.labels[row] for row in kept])
    found = judge(SOLVERS[name](NUM_CLASSES), relabelled(train, few[0]), relabelled(test, few[1]))["res5"]
    expected = judge(SOLVERS[name](NUM_CLASSES), alone, test)["res5"]
    assert found.setting == expected.setting
    assert found.tally.num_rows == 66
    assert found.integral is not None
    assert found.integral.max() < 0.95  # a third of the rows look like a class and are not


def test_layers_are_judged_each_by_itself(solver: Solver) -> None:
    """The better layer's result is what it is alone, and the useless one's is chance."""
    train, test = blobs(200, 0, dims=(5, 3)), blobs(200, 1, dims=(5, 3))
    noise = np.random.default_rng(3).normal(size=(200, 1, 5)).astype(np.float32)
    train.features["res4"][:], test.features["res4"][:] = noise, noise[::-1]
    together = judge(solver, train, test)
    alone = judge(solver, replace(train, features={"res5": train.features["res5"]}), test)
    assert together["res5"].tally.confusion == alone["res5"].tally.confusion
    assert together["res4"].tally.hit_share(1) < 0.5 < together["res5"].tally.hit_share(1)


@pytest.mark.parametrize("name", SOLVERS)
def test_float16_features_are_taken_as_they_are_stored(name: str) -> None:
    train, test = blobs(200, 0, distance=2.0), blobs(100, 1, distance=2.0)
    half = [replace(one, features={"res5": one.features["res5"].astype(np.float16)}) for one in (train, test)]
    full = [replace(one, features={"res5": one.features["res5"].astype(np.float32)}) for one in half]
    assert (judge(SOLVERS[name](NUM_CLASSES), *half)["res5"].tally.confusion
            == judge(SOLVERS[name](NUM_CLASSES), *full)["res5"].tally.confusion)


def test_a_signal_stops_a_probe_at_its_next_tick(solver: Solver) -> None:
    stop = StopRequest()
    stop.signal_name = "SIGTERM"
    yardstick = Chosen(solver, num_classes=NUM_CLASSES, holdout=0.25, seed=0)
    with pytest.raises(Interrupted):
        yardstick(blobs(60, 0), blobs(20, 1), stop.check)


def test_progress_ends_where_it_was_announced(solver: Solver) -> None:
    ticks = []
    yardstick = Chosen(solver, num_classes=NUM_CLASSES, holdout=0.25, seed=0)
    yardstick(blobs(256, 0, dims=(4, 3)), blobs(20, 1, dims=(4, 3)), lambda: ticks.append(1))
    assert len(ticks) == pytest.approx(yardstick.num_ticks(256, 2), rel=0.1)
