"""hit@k by hand."""

from __future__ import annotations

import numpy as np

from cfvideo.core.metrics import hit_at


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
