"""The clusters of a run as one HTML page that opens from disk, fetches nothing and runs no script.

Its policy, style, figures and escaping are the report's (`cfvideo/core/report/page.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from markupsafe import Markup

from cfvideo.core.inspection.choice import FARTHEST, NEAREST, RANDOM
from cfvideo.core.inspection.clips import MAX_FRAMES
from cfvideo.core.inspection.gather import Sheet
from cfvideo.core.inspection.numbers import ClusterNumbers
from cfvideo.core.inspection.source import Source
from cfvideo.core.report import text as report_text
from cfvideo.core.report.clusters import score_name
from cfvideo.core.report.data import ClusterSummary, ReportData
from cfvideo.core.report.page import environment, style_hash, style_sheet
from cfvideo.core.report.pictures import png_uri

_ORDERS = {"size": "evenly by size, the largest first", "purity": "evenly by purity, the purest first",
           "": "those asked for"}
_GROUPS = {NEAREST: "Nearest to the centroid", RANDOM: "At random", FARTHEST: "Farthest from the centroid"}


@dataclass(frozen=True)
class Page:
    """What one page shows. order: by which the clusters were chosen, "" where they were named."""

    title: str
    seed: int
    order: str
    command: str
    source: Source
    numbers: ClusterNumbers
    sheets: Sequence[Sheet]


def page_html(page: Page) -> str:
    """The whole page."""
    from cfvideo.core.report.figures import figures

    own = (files("cfvideo.core.inspection") / "templates" / "clusters.css").read_text(encoding="utf-8")
    style = style_sheet() + own
    drawn = figures(ReportData(page.title, "", "", clusters=[_summary(page)]))
    return environment("cfvideo.core.inspection").get_template("clusters.html.j2").render(
        page=page, style=Markup(style), style_hash=style_hash(style), overview=_overview(page), num_frames=MAX_FRAMES,
        figures=[(figure, png_uri(figure.light), png_uri(figure.dark)) for figure in drawn],
        chosen=_ORDERS[page.order], groups=_GROUPS, text=report_text, known=math.isfinite)


def _summary(page: Page) -> ClusterSummary:
    facts, fit = page.source.facts, page.source.fit
    sizes = np.append(page.numbers.sizes, np.zeros(facts["num_empty"], np.int64))
    return ClusterSummary(page.seed, len(sizes), sizes, fit.get("objective", ()), fit.get("share_of_points", 1.0),
                          facts["num_empty"], network="", share_moved=fit.get("share_moved", ()))


def _overview(page: Page) -> list[tuple[str, str]]:
    """Names and values of the whole clustering."""
    facts, fit, sizes = page.source.facts, page.source.fit, page.numbers.sizes
    rows = len(page.source.labels.labels)
    shown = [("Rows", f"{rows:,}"), ("Rows without a cluster", f"{facts['num_unlabelled']:,}"),
             ("Clusters", f"{facts['num_clusters']:,}"), ("Empty clusters", f"{facts['num_empty']:,}"),
             ("Rows in a cluster", f"{facts['smallest']:,} to {facts['largest']:,}, median {np.median(sizes):g}"),
             ("Imbalance", f"{facts['imbalance']:.2f} (1: all equally large)")]
    if fit:
        shown += [("Iterations", f"{fit['num_iterations']}"),
                  ("Rows that k-means learned from", f"{fit['num_points']:,} "
                                                     f"({report_text.percent(fit['share_of_points'])} %)"),
                  ("Objective", f"{fit['objective'][0]:.4g} at first, {fit['objective'][-1]:.4g} at last"),
                  ("Rows moved in the last iteration", f"{report_text.percent(fit['share_moved'][-1])} %")]
    return shown + [(score_name(name), f"{value:.3f}") for name, value in facts["scores"].items()]
