"""k_l: proportional, within bounds, summing to K exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvideo.core.clustering.quotas import clusters_per_label
from cfvideo.core.errors import ConfigError


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60).filter(any), st.floats(0, 1),
       st.sampled_from(["sqrt", "linear"]))
def test_sum_bounds_and_monotony(sizes: list[int], place: float, rule: str) -> None:
    rows = np.array(sizes)
    labels, most = int((rows > 0).sum()), int(rows.sum())
    num_clusters = labels + int(place * (most - labels))
    found = clusters_per_label(rows, num_clusters, rule=rule)
    assert found.sum() == num_clusters
    assert ((found >= 1) & (found <= rows))[rows > 0].all()
    assert (found[rows == 0] == 0).all()
    assert (np.diff(found[np.argsort(rows, kind="stable")]) >= -1).all()
    assert all(found[i] >= found[j] for i in range(len(rows)) for j in range(len(rows)) if rows[i] > rows[j])


def test_by_hand() -> None:
    assert clusters_per_label(np.array([100, 400, 900]), 12, rule="sqrt").tolist() == [2, 4, 6]
    assert clusters_per_label(np.array([100, 400, 900]), 14, rule="linear").tolist() == [1, 4, 9]
    assert clusters_per_label(np.array([1, 100, 100]), 8, rule="sqrt").tolist() == [1, 4, 3]
    assert clusters_per_label(np.array([2, 0, 50]), 9, rule="linear").tolist() == [1, 0, 8]


@pytest.mark.parametrize("asked", [2, 16])
def test_too_few_and_too_many_are_refused_with_the_way_out(asked: int) -> None:
    with pytest.raises(ConfigError, match="set it between 3 and 15"):
        clusters_per_label(np.array([5, 4, 0, 6]), asked, rule="sqrt")
