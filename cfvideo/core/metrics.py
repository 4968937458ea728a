"""Scores of predictions against labels. N rows, C classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def hit_at(k: int, scores: NDArray[np.float64], labels: Sequence[NDArray[np.int32]]) -> float:
    """Share of rows with a true label among the k best of `scores` [N, C].

    With one label per row it is top-k accuracy; with several it is Sports-1M's hit@k (Karpathy et al., 2014). Equal
    scores rank by class number; a score of -inf (a class that was never learned) is no guess. No rows score 0.
    """
    if not len(labels):
        return 0.0
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best[np.isneginf(np.take_along_axis(scores, best, axis=1))] = -1
    return sum(bool(np.isin(own, row).any()) for own, row in zip(labels, best, strict=True)) / len(labels)
