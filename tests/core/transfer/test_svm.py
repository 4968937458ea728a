"""SVMs against a plain loop of scikit-learn; low-shot draws; honest and dishonest costs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from cfvideo.core.device import linear_algebra_in
from cfvideo.core.metrics import average_precision
from cfvideo.core.transfer.low_shot import CHOSEN_HONESTLY, CHOSEN_ON_TEST, LowShot, draw_rows
from cfvideo.core.transfer.samples import Samples, signs
from cfvideo.core.transfer.solver import no_tick
from cfvideo.core.transfer.svm import SvmYardstick, in_threads
from tests.core.transfer.blobs import blas_threads, blobs, relabelled

COSTS = (10.0, 0.01, 1.0)


def _scene(num_rows: int, seed: int) -> Samples:
    """Multi-label rows: every class by a weak direction of its own, class 3 in a few rows, class 4 in none."""
    samples = blobs(num_rows, seed, distance=1.0, dims=(6,))
    rng = np.random.default_rng([seed, 1])
    labels = [sorted({int(own[0]), *([(int(own[0]) + 1) % 3] if rng.random() < 0.3 else []),
                      *([3] if rng.random() < 0.1 else [])}) for own in samples.labels]
    return relabelled(samples, labels)


def test_each_class_is_the_plain_loop() -> None:
    train, test = _scene(90, 0), _scene(80, 1)
    test = Samples(test.features, test.labels, [np.array([3] if row % 5 == 0 and 3 not in own else [], np.int32)
                                                for row, own in enumerate(test.labels)])
    outcome = SvmYardstick(num_classes=5, costs=COSTS, num_folds=3, num_threads=2)(train, test)["res5"]
    assert outcome.integral is not None
    data, held = (one.features["res5"][:, 0].astype(np.float64) for one in (train, test))
    data, held = (one / (np.linalg.norm(one, axis=1, keepdims=True) + 1e-5) for one in (data, held))
    for label in range(4):
        targets = np.array([1 if label in own else -1 for own in train.labels], np.int8)
        means = []
        for cost in sorted(COSTS):
            fold_values = []
            for fit, judge in StratifiedKFold(3).split(data, targets):
                model = LinearSVC(C=cost, class_weight={1: 2, -1: 1}, dual=False).fit(data[fit], targets[fit])
                fold_values.append(average_precision(model.decision_function(data[judge]), targets[judge]))
            means.append(np.mean(fold_values))
        assert outcome.more["costs"][label] == sorted(COSTS)[int(np.argmax(means))]
        model = LinearSVC(C=outcome.more["costs"][label], class_weight={1: 2, -1: 1}, dual=False).fit(data, targets)
        judged = np.array([1 if label in own else 0 if label in skipped else -1
                           for own, skipped in zip(test.labels, test.ignored, strict=True)], np.int8)
        assert outcome.integral[label] == pytest.approx(average_precision(model.decision_function(held), judged))
    assert np.isnan(outcome.integral[4])


def test_a_class_of_no_training_row_is_never_guessed() -> None:
    """Class 0 of a list that counts from 1: nothing else changes."""
    train, test = (blobs(60, seed, distance=1.5) for seed in (0, 1))
    shifted = [relabelled(one, [[int(own[0]) + 1] for own in one.labels]) for one in (train, test)]
    plain, moved = (SvmYardstick(num_classes=num, costs=(1.0,), num_folds=3, num_threads=1)(*given)["res5"]
                    for num, given in ((3, (train, test)), (4, shifted)))
    assert 0.5 < plain.tally.hit_share(1) < 1
    assert moved.tally.confusion == {(true + 1, guess + 1): rows
                                     for (true, guess), rows in plain.tally.confusion.items()}


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 1], [0, 0, 1, 2]])
def test_fewer_rows_than_folds(labels: list[int]) -> None:
    train = relabelled(blobs(len(labels), 0), [[label] for label in labels])
    for costs in ((1.0,), (10.0, 100.0)):
        outcome = SvmYardstick(num_classes=3, costs=costs, num_folds=5, num_threads=1)(train, blobs(9, 1))["res5"]
        assert (set(outcome.more["costs"]) <= {*costs, 1.0}, outcome.tally.num_rows) == (True, 9)


def test_threads_change_nothing() -> None:
    train, test = _scene(60, 0), _scene(50, 1)
    one, three = (SvmYardstick(num_classes=5, costs=COSTS, num_folds=3, num_threads=num)(train, test)["res5"]
                  for num in (1, 3))
    assert one.more == three.more
    assert np.array_equal(one.integral, three.integral, equal_nan=True)


def test_products_of_classes_at_work_side_by_side_are_of_one_thread_each() -> None:
    with linear_algebra_in(2):
        assert in_threads(lambda _: blas_threads(), [0, 1, 2], 2, no_tick) == 3 * [{1}]
        assert blas_threads() == {2}


def test_signs_leave_out_what_is_ignored_unless_it_is_a_label() -> None:
    found = signs([np.array([0]), np.array([1, 2])], 3, [np.array([1]), np.array([2])])
    assert found.tolist() == [[1, 0, -1], [-1, 1, 1]]


def test_a_draw_is_k_positives_and_19_k_others() -> None:
    targets = np.array([1] * 30 + [-1] * 200 + [0] * 50, np.int8)
    first, again, other = (draw_rows(targets, 4, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.bincount(targets[first] + 1).tolist() == [76, 0, 4]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.bincount(targets[draw_rows(targets, 20, np.random.default_rng(0))] + 1).tolist() == [200, 0, 20]


def _low_shot(on_test: bool, **changes: object) -> LowShot:
    given = {"num_classes": 4, "shots": (1, 8), "num_draws": 3, "costs": COSTS, "num_folds": 3, "seed": 0,
             "num_threads": 1, **changes}
    return LowShot(on_test=on_test, **given)  # type: ignore[arg-type]


def test_more_shots_help_and_the_result_says_what_chose_the_cost() -> None:
    train, test = _scene(200, 0), _scene(150, 1)
    honest, public = (_low_shot(on_test)(train, test)["res5"] for on_test in (False, True))
    assert (honest["chosen_on"], public["chosen_on"]) == (CHOSEN_HONESTLY, CHOSEN_ON_TEST)
    for result in (honest, public):
        assert result["shots"]["8"]["mean"] > result["shots"]["1"]["mean"]
        assert result["shots"]["1"]["min"] < result["shots"]["1"]["mean"] < result["shots"]["1"]["max"]


def test_the_spread_over_draws_is_a_samples() -> None:
    """Of two draws it is their distance over the root of two; of one there is none."""
    train, test = _scene(120, 0), _scene(60, 1)
    two, one = (_low_shot(False, num_draws=num, shots=(2,))(train, test)["res5"]["shots"]["2"] for num in (2, 1))
    assert two["std"] == pytest.approx((two["max"] - two["min"]) / 2 ** 0.5)
    assert (one["std"], one["min"]) == (0.0, one["max"])


def test_honest_costs_do_not_depend_on_test_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = _scene(120, 0), _scene(60, 1)
    flipped = relabelled(test, [[(int(own[0]) + 1) % 3] for own in test.labels])
    used: list[list[float]] = []
    for judged in (test, flipped):
        costs: list[float] = []
        monkeypatch.setattr("cfvideo.core.transfer.low_shot.train_machine", _recording(costs))
        _low_shot(False)(train, judged)
        used.append(costs)
    assert used[0] == used[1]
    assert len(used[0]) == 2 * 3 * 4  # shots, draws, classes: one machine each


def _recording(costs: list[float]):  # noqa: ANN202
    from cfvideo.core.transfer.svm import train_machine

    def train(data: np.ndarray, targets: np.ndarray, cost: float) -> object:
        costs.append(cost)
        return train_machine(data, targets, cost)

    return train
