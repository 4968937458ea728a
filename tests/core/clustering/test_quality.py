"""Numbers about clusters, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.core.clustering.quality import agreement, size_facts


def test_sizes() -> None:
    assert size_facts(np.array([5, 5])) == {"smallest": 5, "largest": 5, "imbalance": 1.0}
    assert size_facts(np.array([1, 9]))["imbalance"] == pytest.approx(2 * (0.01 + 0.81))


def test_agreement_counts_rows_that_have_both() -> None:
    found = np.array([0, 0, 0, 1, 1, -1, 1], np.int32)
    known = np.array([4, 4, 7, 7, 7, 7, -1], np.int32)
    scores = agreement(found, known)
    assert scores["purity_with_labels"] == pytest.approx(4 / 5)
    assert 0 < scores["nmi_with_labels"] < 1
    assert agreement(known, known) == {"nmi_with_labels": 1.0, "purity_with_labels": 1.0,
                                       "adjusted_rand_with_labels": 1.0}
    assert agreement(found, np.full(7, -1, np.int32)) == {}
