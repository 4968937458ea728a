"""Linear probes: choose on training rows only, several labels per row, unseen classes."""

from __future__ import annotations

import numpy as np

from cfvideo.core.probe import linear_probe, split_holdout

STRENGTHS = (0.01, 1.0)


def _blobs(num: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=num)
    features = (np.eye(3)[labels] * 4 + rng.normal(size=(num, 3))).astype(np.float32)
    return features, [np.array([label], np.int32) for label in labels]


def _run(train: tuple, test: tuple, num_classes: int = 3) -> object:
    return linear_probe(train, test, num_classes=num_classes, strengths=STRENGTHS, holdout=0.25, max_iterations=200,
                        seed=0)


def test_separable_classes_are_learned_and_shuffled_ones_are_not() -> None:
    train, test = _blobs(300, 0), _blobs(200, 1)
    assert _run(train, test).top1 > 0.95
    shuffled = [train[1][row] for row in np.random.default_rng(2).permutation(300)]
    assert _run((train[0], shuffled), test).top1 < 0.6


def test_test_rows_do_not_choose_the_strength() -> None:
    train, test = _blobs(120, 0), _blobs(100, 1)
    flipped = [np.array([(label[0] + 1) % 3], np.int32) for label in test[1]]
    honest, spoiled = _run(train, test), _run(train, (test[0], flipped))
    assert (honest.strength, honest.holdout) == (spoiled.strength, spoiled.holdout)


def test_several_labels_per_row_count_once_and_hit_any() -> None:
    features, labels = _blobs(300, 0)
    both = [np.array([label[0], 3], np.int32) for label in labels]
    outcome = _run((features, both), (features, both), num_classes=4)
    assert outcome.top1 > 0.95


def test_a_class_unseen_in_training_scores_nothing() -> None:
    train, test = _blobs(100, 0), _blobs(50, 1)
    unseen = [np.array([3], np.int32) for _ in test[1]]
    outcome = _run(train, (test[0], unseen), num_classes=4)
    assert outcome.top1 == 0.0


def test_holdout_is_a_seeded_partition() -> None:
    classes = np.repeat([0, 1], [40, 10]).astype(np.int32)
    fit, held = split_holdout(classes, share=0.2, seed=3)
    assert np.bincount(classes[held]).tolist() == [8, 2]
    assert sorted([*fit, *held]) == list(range(50))
    assert not np.array_equal(held, split_holdout(classes, share=0.2, seed=4)[1])


def test_no_class_is_lost_to_the_holdout() -> None:
    for seed in range(20):
        fit, held = split_holdout(np.array([0, 0, 0, 0, 0, 1], np.int32), share=0.1, seed=seed)
        assert 5 in fit
        assert len(held) == 1
