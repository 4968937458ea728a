"""Scores of predictions against labels, exact under padding and in any batches. N rows, B some of them, C classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
_KS = (1, 5)
# Classes of a row that a Tally looks at.
NUM_BEST = max(_KS)


def best_classes(scores: Scores, k: int) -> NDArray[np.int64]:
    """int64 [B, k]: the k best of `scores` [B, C], best first.

    Equal scores rank by class number; a score of -inf (a class that was never learned) is no guess and becomes -1.
    """
    left = np.array(scores, copy=True)
    rows, best = np.arange(len(left)), np.full((len(left), k), -1, np.int64)
    for place in range(min(k, left.shape[1])):
        found = left.argmax(axis=1)
        best[:, place] = np.where(np.isneginf(left[rows, found]), -1, found)
        left[rows, found] = -np.inf
    return best


def hit_at(k: int, scores: Scores, labels: Sequence[NDArray[np.int32]]) -> float:
    """Share of rows with a true label among the k best of `scores` [N, C].

    With one label per row it is top-k accuracy; with several it is Sports-1M's hit@k (Karpathy et al., 2014). No rows
    score 0.
    """
    if not len(labels):
        return 0.0
    best = best_classes(scores, k)
    return sum(bool(np.isin(own, row).any()) for own, row in zip(labels, best, strict=True)) / len(labels)


class Tally:
    """Whole numbers that add up over batches: what top-k, per-class accuracy and confusion are made of.

    num_rows: N, the rows that have a label. class_rows, class_hits: int64 [C], rows that have a class, and those of
    them whose best guess is one of the row's own labels. confusion: (true, guessed) -> rows; a row with several labels
    stands under the guessed one if that is its own, else under its first; -1: nothing was guessed.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_rows = 0
        self._hits = dict.fromkeys(_KS, 0)
        self.class_rows, self.class_hits = np.zeros((2, num_classes), np.int64)
        self.confusion = Counter[tuple[int, int]]()

    def add(self, scores: Scores, labels: Sequence[NDArray[np.int32]], valid: NDArray[np.bool_] | None = None) -> None:
        """Count rows of `scores` [B, C]; those with valid False are padding and count nowhere."""
        self.count(best_classes(scores, NUM_BEST), labels, valid)

    def count(self, best: NDArray[np.int64], labels: Sequence[NDArray[np.int32]],
              valid: NDArray[np.bool_] | None = None) -> None:
        """As `add`, from the rows' best classes [B, NUM_BEST]."""
        taken = [row for row, own in enumerate(labels) if len(own) and (valid is None or valid[row])]
        if not taken:
            return
        lengths = np.array([len(labels[row]) for row in taken])
        values, starts = np.concatenate([labels[row] for row in taken]), np.cumsum(lengths) - lengths
        best = best[taken]
        found = np.logical_or.reduceat(best.repeat(lengths, axis=0) == values[:, None], starts, axis=0)
        self.num_rows += len(taken)
        for k in _KS:
            self._hits[k] += int(found[:, :k].any(axis=1).sum())
        np.add.at(self.class_rows, values, 1)
        np.add.at(self.class_hits, values, found[:, 0].repeat(lengths))
        true = np.where(found[:, 0], best[:, 0], values[starts])
        self.confusion.update(zip(true.tolist(), best[:, 0].tolist(), strict=True))

    def hit_share(self, k: int) -> float:
        """Top-k accuracy, or hit@k where rows have several labels; k is 1 or 5. No rows score 0."""
        return self._hits[k] / max(self.num_rows, 1)

    def class_shares(self) -> NDArray[np.float64]:
        """float64 [C]: accuracy within each class; NaN where no row has it."""
        with np.errstate(invalid="ignore"):
            shares: NDArray[np.float64] = self.class_hits / self.class_rows
            return shares

    def mean_class_share(self) -> float:
        """Mean accuracy over the classes that rows have; no rows score 0."""
        present = self.class_rows > 0
        return float(self.class_shares()[present].mean()) if present.any() else 0.0


def average_precision(scores: NDArray[np.floating], targets: NDArray[np.int8], *, points: int = 0) -> float:
    """Average precision of one class: scores [N], targets int8 [N] (1 has it, -1 has not, 0 is left out).

    points 0: the integral, the area under the precision envelope (VOC from 2010 on; VISSL's svm_utils/evaluate.py).
    points 11: VOC2007's mean of the envelope at recalls 0, 0.1 ... 1. The two are different numbers: say which.
    Rows of equal score enter together, so the order of rows means nothing. NaN where no row has the class.
    """
    scores, hits = scores[targets != 0], targets[targets != 0] == 1
    num_true = int(hits.sum())
    if num_true == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(order) - 1)
    found = np.cumsum(hits[order])[ends]
    envelope = np.maximum.accumulate((found / (ends + 1))[::-1])[::-1]
    if points:
        # Exact: recall >= i / (points - 1) in whole numbers.
        reached = np.searchsorted(found * (points - 1), np.arange(points) * num_true)
        return float(np.mean([envelope[place] if place < len(envelope) else 0.0 for place in reached]))
    # Divided last: rounding carries no sum of shares of rows past their number, but it carries a sum of 1 / n past 1.
    return float(np.sum(np.diff(found, prepend=0) * envelope)) / num_true


def average_precisions(scores: Scores, targets: NDArray[np.int8], *, points: int = 0) -> NDArray[np.float64]:
    """float64 [C]: `average_precision` of every column of scores [N, C] and targets int8 [N, C]."""
    return np.array([average_precision(scores[:, column], targets[:, column], points=points)
                     for column in range(targets.shape[1])])


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean over the classes that have a value (mAP); 0 where none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0
