"""Whose clusters a page shows where there are several clusterings, and what their scores are called."""

from __future__ import annotations

from collections.abc import Sequence

from cfvideo.core.report.data import ClusterSummary, ReportData
from cfvideo.core.report.numbers import is_clusterfit
from cfvideo.core.report.text import network_text

SCORE_NAMES = {"nmi_with_labels": "NMI with the labels", "purity_with_labels": "Purity",
               "adjusted_rand_with_labels": "Adjusted Rand index"}


def shown(data: ReportData) -> list[ClusterSummary]:
    """One network's pseudo-labels, a summary for each seed: of the N_cf with as many clusters as the page's config
    says, else of the first N_cf; where no N_cf learns any, of the first network."""
    own = [one for one in data.clusters if is_clusterfit(one.network)] or list(data.clusters)
    first = next((one for one in own if one.num_clusters == data.layout.num_clusters), next(iter(own), None))
    return [one for one in own if first is not None and one.network == first.network]


def whose(clusters: Sequence[ClusterSummary]) -> str:
    """' that N_cf k400 learns (K = 400)'; without a name the number alone."""
    learner = f" that {network_text(clusters[0].network)} learns" if clusters[0].network else ""
    return f"{learner} (K = {clusters[0].num_clusters:,})"


def score_name(score: str) -> str:
    return SCORE_NAMES.get(score, score)
