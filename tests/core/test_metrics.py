"""Scores by hand, by brute force, and in any batches with any padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.metrics import Tally, average_precision, average_precisions, hit_at, mean_of_known


def test_hit_at_counts_any_true_label() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    labels = [np.array([1]), np.array([1, 2]), np.array([0])]
    assert hit_at(1, scores, labels) == 1 / 3
    assert hit_at(2, scores, labels) == 2 / 3
    assert hit_at(5, scores, labels) == 1.0


def test_equal_scores_rank_by_class_number() -> None:
    assert hit_at(1, np.zeros((1, 4)), [np.array([0])]) == 1.0
    assert hit_at(1, np.zeros((1, 4)), [np.array([1])]) == 0.0


def test_a_class_that_was_never_learned_is_no_guess() -> None:
    scores = np.array([[0.0, -np.inf, -np.inf]])
    assert hit_at(3, scores, [np.array([1])]) == 0.0
    assert hit_at(3, scores, [np.array([0])]) == 1.0


def test_no_rows_score_zero() -> None:
    assert hit_at(1, np.zeros((0, 3)), []) == 0.0
    assert (Tally(3).hit_share(1), Tally(3).mean_class_share()) == (0.0, 0.0)


def _made_up(num_rows: int, num_classes: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    scores = rng.integers(4, size=(num_rows, num_classes)).astype(np.float64)  # many equal scores
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    return scores, [rng.choice(num_classes, size=rng.integers(1, 3), replace=False) for _ in range(num_rows)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.integers(1, 9), st.integers(2, 7), st.integers(0, 1000))
def test_a_tally_is_the_same_in_any_batches_with_any_padding(num_rows: int, size: int, num_classes: int,
                                                             seed: int) -> None:
    scores, labels = _made_up(num_rows, num_classes, seed)
    whole, parts = Tally(num_classes), Tally(num_classes)
    whole.add(scores, labels)
    for start in range(0, num_rows, size):
        part, own = scores[start:start + size], labels[start:start + size]
        padding = size - len(part) + 2
        parts.add(np.concatenate([part, np.ones((padding, num_classes))]), [*own, *[np.array([0])] * padding],
                  np.arange(len(part) + padding) < len(part))
    assert parts.num_rows == num_rows
    assert parts.confusion == whole.confusion
    assert np.array_equal(parts.class_shares(), whole.class_shares(), equal_nan=True)
    for k in (1, 5):
        assert parts.hit_share(k) == whole.hit_share(k) == hit_at(k, scores, labels)


def test_classes_count_equally_in_their_mean_and_rows_once_in_the_confusion() -> None:
    scores = np.eye(4)[[0, 0, 0, 1, 2]]
    scores[4] = -np.inf
    tally = Tally(4)
    tally.add(scores, [np.array([0]), np.array([0]), np.array([1, 2]), np.array([2, 1]), np.array([2])])
    assert tally.class_rows.tolist() == [2, 2, 3, 0]
    assert tally.class_hits.tolist() == [2, 1, 1, 0]
    assert np.isnan(tally.class_shares()[3])
    assert tally.mean_class_share() == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert dict(tally.confusion) == {(0, 0): 2, (1, 0): 1, (1, 1): 1, (2, -1): 1}


def test_average_precision_by_hand() -> None:
    """Ranking + - + -, two positives: precision 1 at recall 1/2 and 2/3 at recall 1."""
    scores, targets = np.array([4.0, 3.0, 2.0, 1.0]), np.array([1, -1, 1, -1], np.int8)
    assert average_precision(scores, targets) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert average_precision(scores, targets, points=11) == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)


def test_a_perfect_ranking_is_exactly_1_and_none_is_more() -> None:
    for num_true in range(1, 400):
        scores, targets = -np.arange(num_true + 5.0), np.array([1] * num_true + [-1] * 5, np.int8)
        assert average_precision(scores, targets) == average_precision(scores, targets, points=11) == 1.0


def test_what_is_ignored_counts_neither_way() -> None:
    scores, targets = np.array([5.0, 4.0, 3.0, 2.0]), np.array([0, 1, 0, -1], np.int8)
    assert average_precision(scores, targets) == 1.0
    assert average_precision(scores, np.array([-1, 1, 0, -1], np.int8)) == 0.5


def test_equal_scores_enter_together_in_whatever_order() -> None:
    targets = np.array([1, -1, -1, 1], np.int8)
    assert average_precision(np.zeros(4), targets) == 0.5
    assert average_precision(np.zeros(4), targets[::-1]) == 0.5
    assert average_precision(np.full(4, -np.inf), targets) == 0.5


def test_a_class_of_no_row_has_no_value_and_does_not_count() -> None:
    values = average_precisions(np.ones((2, 2)), np.array([[1, -1], [1, -1]], np.int8))
    assert values[0] == 1.0
    assert np.isnan(values[1])
    assert mean_of_known(values) == 1.0
    assert mean_of_known(np.array([np.nan])) == 0.0


def _by_definition(scores: np.ndarray, targets: np.ndarray, points: int) -> float:
    """Precision at recall r is the best precision of any threshold whose recall is at least r."""
    found = []
    for threshold in np.unique(scores):
        taken = scores >= threshold
        true = int((targets[taken] == 1).sum())
        found.append((true, true / int(taken.sum())))
    num_true = int((targets == 1).sum())

    def best(need: float) -> float:
        return max((precision for true, precision in found if true >= need - 1e-9), default=0.0)

    if points:
        return float(np.mean([best(num_true * point / (points - 1)) for point in range(points)]))
    # The recall grows in steps of one row of the class: the integral is the mean over them.
    return float(np.mean([best(true) for true in range(1, num_true + 1)]))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.sampled_from([0, 11]), st.integers(0, 10_000))
def test_average_precision_is_its_definition(num_rows: int, levels: int, points: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, targets = rng.integers(levels, size=num_rows).astype(float), rng.choice([-1, 1], num_rows).astype(np.int8)
    targets[0] = 1
    assert average_precision(scores, targets, points=points) == pytest.approx(_by_definition(scores, targets, points))
