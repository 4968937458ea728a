"""Which clusters and members are shown, and their numbers, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.core.errors import ConfigError
from cfvideo.core.inspection.choice import choose_clusters, choose_members
from cfvideo.core.inspection.numbers import ClusterNumbers, cluster_numbers, label_shares
from cfvideo.core.pseudo_labels import PseudoLabels
from tests.core.inspection.made import index, labels


def test_numbers_of_clusters() -> None:
    ids = np.array([0, 0, 0, 0, 1, 1, 2, -1], np.int32)
    squared = np.array([1, 4, 9, 16, 0, 4, 25, np.inf], np.float32)
    known = np.array([5, 5, 2, -1, 0, 1, -1, 5], np.int32)
    found = cluster_numbers(PseudoLabels(ids, squared, np.arange(3, dtype=np.int32), "h"), known)
    assert found.sizes.tolist() == [4, 2, 1]
    assert found.distances.tolist() == [2.5, 1.0, 5.0]
    np.testing.assert_allclose(found.purity, [2 / 3, 0.5, np.nan])
    assert found.labelled


def test_without_any_label_there_is_no_purity() -> None:
    found = cluster_numbers(labels(), np.full(56, -1, np.int32))
    assert np.isnan(found.purity).all()
    assert not found.labelled
    with pytest.raises(ConfigError, match="--by purity: no row of these clusters has a label; choose by size"):
        choose_clusters(found, order="purity", count=2)


def test_label_shares_count_every_label_of_a_row() -> None:
    assert label_shares(index(), np.arange(4), 6) == [("run", 1.0), ("jump", 0.5)]
    assert label_shares(index(), np.arange(4), 1) == [("run", 1.0)]
    assert label_shares(index(), np.array([31, 33]), 6) == [("run", 1.0)]


NUMBERS = ClusterNumbers(np.array([5, 9, 1, 7, 3]), np.zeros(5), np.array([0.5, 0.2, 1.0, np.nan, 0.5]))


@pytest.mark.parametrize(("options", "expected"), [
    ({"order": "size", "count": 3}, [1, 0, 2]),
    ({"order": "size", "count": 9}, [1, 3, 0, 4, 2]),
    ({"order": "purity", "count": 9}, [2, 0, 4, 1]),  # of equally pure ones the larger first; without labels never
    ({"order": "purity", "count": 2}, [2, 1]),
    ({"order": "size", "count": 3, "named": (4, 0, 4)}, [4, 0])])
def test_clusters_are_chosen_along_an_order_or_by_name(options: dict[str, object], expected: list[int]) -> None:
    assert choose_clusters(NUMBERS, **options) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("named", [(5,), (0, -1)])
def test_a_cluster_that_is_none_is_refused(named: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"--clusters: there is no cluster {named[-1]}; they are 0 to 4"):
        choose_clusters(NUMBERS, order="size", count=3, named=named)


def test_members_are_the_nearest_the_farthest_and_some_between() -> None:
    found = labels()
    chosen = choose_members(found, 0, seed=3)
    assert chosen["nearest"].tolist() == list(range(8))
    assert chosen["farthest"].tolist() == list(range(22, 30))
    between = chosen["random"].tolist()
    assert len(set(between)) == 8
    assert set(between) <= set(range(8, 22))
    assert between == sorted(between) == choose_members(found, 0, seed=3)["random"].tolist()
    assert any(choose_members(found, 0, seed=seed)["random"].tolist() != between for seed in range(3))


@pytest.mark.parametrize(("size", "counts"), [(1, (1, 0, 0)), (8, (8, 0, 0)), (9, (8, 0, 1)), (16, (8, 0, 8)),
                                              (17, (8, 1, 8)), (24, (8, 8, 8)), (40, (8, 8, 8))])
def test_no_member_stands_twice_and_small_clusters_are_shown_whole(size: int, counts: tuple[int, int, int]) -> None:
    found = PseudoLabels(np.zeros(size, np.int32), np.arange(size, dtype=np.float32), np.zeros(1, np.int32), "h")
    chosen = list(choose_members(found, 0, seed=0).values())
    assert tuple(map(len, chosen)) == counts
    rows = np.concatenate(chosen)
    assert len(np.unique(rows)) == len(rows) == min(size, 24)
