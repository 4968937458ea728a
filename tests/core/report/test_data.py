"""Records of the report: what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cfvideo.core.report.data import ClusterSummary, ContactSheet, ProbeResult, ReportData, TrainingCurve
from tests.core.report.sample import clusters, curve, picture, probe


@pytest.mark.parametrize("value", [68.8, -0.1, float("nan"), float("inf")])
def test_a_probe_refuses_what_is_no_fraction(value: float) -> None:
    with pytest.raises(ValueError, match="n_cf on motion, seed 3: top1 is .* fraction from 0 to 1"):
        probe("n_cf", "motion", 3, value)


def test_a_probe_needs_a_metric() -> None:
    with pytest.raises(ValueError, match="no metrics"):
        ProbeResult("n_cf", "motion", 0, {}, 10, 0, 1.0)


@pytest.mark.parametrize("change", [{"loss": [1.0]}, {"accuracy": []}, {"final_label_accuracy": 97.0}])
def test_a_curve_refuses_parts_that_disagree(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="curve of n_pre, seed 0"):
        replace(curve("n_pre", 0, 0.3), **change)


def test_a_curve_need_not_know_how_much_was_memorised() -> None:
    assert TrainingCurve("n_cf", 0, [], [], [], None).final_label_accuracy is None


@pytest.mark.parametrize("change", [{"num_clusters": 61}, {"num_empty": 59}, {"share_of_points": 100.0},
                                    {"sizes": np.zeros(0, np.int64), "num_clusters": 0, "num_empty": 0}])
def test_clusters_refuse_counts_that_disagree(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="clusters of seed 0"):
        replace(clusters(0), **change)


def test_clusters_count_their_empty_ones() -> None:
    assert ClusterSummary(0, 3, np.array([5, 0, 1]), [2.0], 1.0, 1).num_empty == 1


@pytest.mark.parametrize("bad", [picture(0).astype(np.float32), picture(0)[..., 0], picture(0)[..., :2]])
def test_a_contact_sheet_refuses_what_is_no_picture(bad: Any) -> None:
    with pytest.raises(ValueError, match="cluster 4, seed 1: a picture is"):
        ContactSheet(1, 4, 10, [None, bad], ["a", "b"], [0.1, 0.2])


def test_a_contact_sheet_refuses_lengths_that_disagree() -> None:
    with pytest.raises(ValueError, match="lengths disagree.*'captions': 1"):
        ContactSheet(1, 4, 10, [None, None], ["a"], [0.1, 0.2])


def test_a_report_refuses_two_probes_of_the_same() -> None:
    with pytest.raises(ValueError, match="two probes of the same.*motion"):
        ReportData("t", "c", "", probes=[probe("n_cf", "motion", 0, 0.5), probe("n_cf", "motion", 0, 0.6)])
