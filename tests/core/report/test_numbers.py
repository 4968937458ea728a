"""Means, spreads and paired differences, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.core.report import numbers
from cfvideo.core.report.data import ProbeResult, ReportData
from tests.core.report.sample import FINE, MOTION, curve, probe, probes


def data_of(*results: ProbeResult) -> ReportData:
    return ReportData("title", "command", "", probes=results)


def test_mean_and_sample_spread() -> None:
    # 0.2, 0.4, 0.9: mean 0.5, squared deviations 0.09 + 0.01 + 0.16 = 0.26, / (3 - 1) = 0.13, root 0.360555
    data = data_of(*[probe("n_cf", "t", seed, value) for seed, value in ((2, 0.9), (0, 0.2), (1, 0.4))])
    summary = numbers.summarise(data, "n_cf", "t")
    assert summary is not None
    assert summary.mean == pytest.approx(0.5)
    assert summary.spread == pytest.approx(0.13 ** 0.5)
    assert list(summary.by_seed) == [0, 1, 2]


def test_one_seed_has_no_spread() -> None:
    summary = numbers.summarise(data_of(probe("n_cf", "t", 0, 0.5)), "n_cf", "t")
    assert summary is not None
    assert summary.spread is None


def test_nothing_measured_gives_nothing() -> None:
    data = data_of(probe("n_pre", "t", 0, 0.5))
    assert numbers.summarise(data, "n_cf", "t") is None
    assert numbers.compare(data, "n_cf", "t") is None


def test_differences_are_paired_by_seed() -> None:
    comparison = numbers.compare(data_of(*probes("motion", MOTION)), "n_cf", "motion")
    assert comparison is not None
    # (254 - 231, 262 - 244, 233 - 238) / 400
    assert list(comparison.difference.by_seed.values()) == pytest.approx([23 / 400, 18 / 400, -5 / 400])
    assert comparison.difference.mean == pytest.approx(0.03)
    # deviations 0.0275, 0.015, -0.0425: sum of squares 0.0027875, / 2, root
    assert comparison.difference.spread == pytest.approx(0.00139375 ** 0.5)
    assert (comparison.won, comparison.lost, comparison.num_seeds) == ((0, 1), (2,), 3)


def test_a_seed_without_its_partner_is_left_out_and_named() -> None:
    data = data_of(probe("n_pre", "t", 0, 0.5), probe("n_cf", "t", 0, 0.6), probe("n_cf", "t", 1, 0.9),
                   probe("n_pre", "t", 2, 0.1))
    comparison = numbers.compare(data, "n_cf", "t")
    assert comparison is not None
    assert comparison.difference.by_seed == pytest.approx({0: 0.1})
    assert comparison.unpaired == (1, 2)


def test_equal_up_to_rounding_is_a_tie() -> None:
    comparison = numbers.compare(data_of(probe("n_pre", "t", 0, 0.1 + 0.2), probe("n_cf", "t", 0, 0.3)), "n_cf", "t")
    assert comparison is not None
    assert comparison.won == comparison.lost == ()


def test_networks_come_in_the_papers_order() -> None:
    names = ["n_cf_k400", "distilled", "n_cf", "n_pre", "untrained", "n_pre_2x"]
    data = data_of(*[probe(name, "t", 0, 0.5) for name in names])
    assert numbers.networks(data) == ["untrained", "n_pre", "distilled", "n_pre_2x", "n_cf_k400", "n_cf"]
    assert numbers.candidates(data) == ["n_cf_k400", "n_cf"]


def test_the_headline_metric_is_each_targets_own() -> None:
    data = data_of(ProbeResult("n_pre", "voc", 0, {"loss_share": 0.1, "map": 0.7}, 10, 0, 1.0),
                   probe("n_pre", "motion", 0, 0.4, mean_class=0.3, top5=0.9))
    assert numbers.metrics(data, "voc") == ["map", "loss_share"]
    assert numbers.metrics(data, "motion") == ["top1", "mean_class", "top5"]
    assert (numbers.targets(data), numbers.seeds(data)) == (["voc", "motion"], [0])


def test_label_memory_leaves_out_what_was_not_measured() -> None:
    curves = [curve("n_pre", 0, 0.3), curve("n_pre", 1, 0.3), curve("n_cf", 0, 0.3)]
    memory = numbers.label_memory(curves, "n_pre")
    assert memory is not None
    assert memory.by_seed == {0: curves[0].final_label_accuracy, 1: curves[1].final_label_accuracy}
    assert numbers.label_memory(curves, "untrained") is None


def test_targets_do_not_mix() -> None:
    data = data_of(*probes("motion", MOTION), *probes("fine", FINE))
    summary = numbers.summarise(data, "untrained", "fine")
    assert summary is not None
    assert summary.by_seed == {0: 92 / 400, 1: 97 / 400, 2: 88 / 400}


@pytest.mark.parametrize(("sizes", "count", "wanted"), [
    ([3, 9, 0, 5, 7], 3, [1, 3, 0]),  # largest 9, of 9 7 5 3 the middle is 5 (rank 1.5 -> 2), smallest 3
    ([3, 9, 0, 5, 7], 99, [1, 4, 3, 0]),
    ([4, 4, 4], 1, [0]),
    ([0, 0], 3, []),
    ([1], 0, []),
])
def test_clusters_to_look_at(sizes: list[int], count: int, wanted: list[int]) -> None:
    assert numbers.pick_clusters(np.array(sizes, dtype=np.int64), count) == wanted
