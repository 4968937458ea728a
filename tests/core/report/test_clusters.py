"""Whose clusters a page shows where there are several clusterings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.records import Reading
from cfvideo.core.report import figures as report_figures
from cfvideo.core.report.clusters import shown, whose
from cfvideo.core.report.data import ClusterSummary, ReportData
from cfvideo.core.report.layout import Layout
from cfvideo.core.report.style import LIGHT
from cfvideo.core.report.text import network_text
from cfvideo.core.stages.report import contact_sheets
from tests.core.report.reader import read
from tests.core.report.sample import clusters, sheets
from tests.toy_modality import TOY


def _of(network: str, seed: int, num_clusters: int) -> ClusterSummary:
    scores = {"nmi_with_labels": 0.5, "purity_with_labels": 0.6, "adjusted_rand_with_labels": 0.1}
    return replace(clusters(seed, num_clusters), network=network, scores=scores)


def _data(*summaries: ClusterSummary, config: int = 0) -> ReportData:
    return ReportData("t", "c", "", clusters=summaries, layout=Layout(num_clusters=config))


MANY = [_of(name, seed, num) for name, num in (("prototype", 9), ("n_cf_k9", 9), ("n_cf_k12", 12), ("n_cf_k20", 20))
        for seed in (0, 1)]


@pytest.mark.parametrize(("summaries", "config", "network"), [
    (MANY, 12, "n_cf_k12"), (MANY, 9, "n_cf_k9"), (MANY, 400, "n_cf_k9"), (MANY, 0, "n_cf_k9"),
    (MANY[:2], 12, "prototype")])
def test_the_clusters_of_the_configs_n_cf_are_shown(summaries: list[ClusterSummary], config: int, network: str) -> None:
    found = shown(_data(*summaries, config=config))
    assert [(one.network, one.seed) for one in found] == [(network, 0), (network, 1)]


def test_without_clusters_none_are_shown() -> None:
    assert shown(_data()) == []


def test_their_network_and_k_are_said() -> None:
    assert whose(MANY[4:]) == " that N_cf k12 learns (K = 12)"
    assert whose([replace(MANY[4], network="")]) == " (K = 12)"
    sizes = next(one for one in report_figures.figures(_data(*MANY, config=12)) if one.name == "cluster_sizes")
    assert "clusters that N_cf k12 learns (K = 12)" in sizes.caption
    assert "seed 1" in sizes.alt
    assert "prototype" not in sizes.alt


def test_the_page_says_it_and_calls_scores_by_words(tmp_path: Path) -> None:
    own = replace(sheets(MANY[4], 1)[0], network="n_cf_k12")
    _, page = read(replace(_data(*MANY, config=12), sheets=[own]), tmp_path)
    assert "Clusters that Ncf k12 learns (K = 12), seed 0: members nearest to the centroid" in page.text
    assert "NMI with the labels Purity Adjusted Rand index" in page.text
    assert "_with_labels" not in page.text


def test_of_many_clusterings_each_network_has_a_colour_and_is_named() -> None:
    axes = Figure().add_subplot()
    keys = [one.network for one in MANY] * 2
    report_figures._paint_iterations(axes, LIGHT, keys=keys, lines=[[2.0, 1.0]] * len(keys), label="")
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [network_text(key) for key in dict.fromkeys(keys)]
    assert len({line.get_color() for line in axes.lines}) == 4


def test_a_sheet_has_the_nearest_members_and_their_distances_not_squared() -> None:
    index = TOY.read_index(format="", path=Path("4"), root=None, min_rows_per_label=1)
    labels = PseudoLabels(np.array([0, 0, 1, 0], np.int32), np.array([9, 4, 1, 16], np.float32),
                          np.zeros((2, 3), np.float32), index.content_hash)
    first, second = contact_sheets(labels, 0, "n_cf", modality=TOY, index=index, reading=Reading())
    assert (first.cluster, first.size, first.distances) == (0, 3, [2.0, 3.0, 4.0])
    assert [caption.split()[0] for caption in first.captions] == ["row0001", "row0000", "row0003"]
    assert (second.cluster, second.distances) == (1, [1.0])
