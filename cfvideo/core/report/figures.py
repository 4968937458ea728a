"""The figures of a report: those of the probes, and here those of training and clustering."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cfvideo.core.report.data import ClusterSummary, ReportData, TrainingCurve
from cfvideo.core.report.probe_figures import probe_figures
from cfvideo.core.report.style import Palette, ReportFigure, compact_numbers, legend, make_figure, short_name
from cfvideo.core.report.text import network_text

# name of the series -> caption, label of the axis
CURVES = {"loss": ("Training loss.", "training loss"),
          "accuracy": ("Training accuracy of every network on its own labels.", "training accuracy, %")}
CURVES_NOTE = " One line per seed. Each network learns labels of its own, so their levels do not compare."
OBJECTIVE = "k-means objective after each iteration; one line per seed. It must never rise."
SIZES = "How many clusters have how many rows; one outline per seed."
MAX_BINS = 18


def figures(data: ReportData) -> list[ReportFigure]:
    """Those that the data allows, in the page's order."""
    return [*probe_figures(data), *_curve_figures(data.curves), *_objective_figure(data.clusters),
            *_sizes_figure(data.clusters)]


def _curve_figures(curves: Sequence[TrainingCurve]) -> list[ReportFigure]:
    drawn = [curve for curve in curves if len(curve.samples)]
    made = []
    for name, (caption, label) in CURVES.items():
        ends = [f"{network_text(curve.network)}, seed {curve.seed}: ends at {_series(curve, name)[-1]:.3g}"
                for curve in drawn]
        made.append(make_figure(name, caption + CURVES_NOTE, f"Line chart, {label}. {'; '.join(ends)}.",
                                partial(_paint_curves, curves=drawn, name=name, label=label)))
    return made if drawn else []


def _series(curve: TrainingCurve, name: str) -> NDArray[np.float64]:
    return np.asarray(curve.loss) if name == "loss" else 100 * np.asarray(curve.accuracy)


def _paint_curves(axes: Axes, palette: Palette, *, curves: list[TrainingCurve], name: str, label: str) -> None:
    order = list(dict.fromkeys(curve.network for curve in curves))
    for place, curve in enumerate(curves):
        first = curve.network not in [earlier.network for earlier in curves[:place]]
        axes.plot(curve.samples, _series(curve, name), alpha=0.8, label=short_name(network_text(curve.network)) if first
                  else None, color=palette.network(curve.network, order.index(curve.network)))
    axes.set_xlabel("training samples")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    compact_numbers(axes)
    legend(axes, num_columns=4)


def _objective_figure(clusters: Sequence[ClusterSummary]) -> list[ReportFigure]:
    drawn = [summary for summary in clusters if len(summary.objective)]
    falls = [f"seed {summary.seed}: from {summary.objective[0]:.4g} to {summary.objective[-1]:.4g} in "
             f"{len(summary.objective)} iterations" for summary in drawn]
    if not drawn:
        return []
    return [make_figure("objective", OBJECTIVE, f"Line chart. {'; '.join(falls)}.",
                        partial(_paint_objective, clusters=drawn))]


def _paint_objective(axes: Axes, palette: Palette, *, clusters: list[ClusterSummary]) -> None:
    for place, summary in enumerate(clusters):
        axes.plot(range(1, len(summary.objective) + 1), summary.objective, marker="o", markersize=3, alpha=0.85,
                  color=palette.others[place % len(palette.others)], label=f"seed {summary.seed}")
    axes.set_xlabel("iteration")
    axes.set_ylabel("k-means objective")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes, num_columns=5)


def _sizes_figure(clusters: Sequence[ClusterSummary]) -> list[ReportFigure]:
    ranges = [f"seed {summary.seed}: {int(np.min(summary.sizes))} to {int(np.max(summary.sizes))} rows in a cluster"
              for summary in clusters]
    if not clusters:
        return []
    return [make_figure("cluster_sizes", SIZES, f"Histogram of cluster sizes. {'; '.join(ranges)}.",
                        partial(_paint_sizes, clusters=clusters))]


def _paint_sizes(axes: Axes, palette: Palette, *, clusters: Sequence[ClusterSummary]) -> None:
    top = max(int(np.max(summary.sizes)) for summary in clusters)
    edges = np.unique(np.linspace(0, top + 1, min(top + 1, MAX_BINS) + 1).astype(np.int64))
    for place, summary in enumerate(clusters):
        counts, _ = np.histogram(summary.sizes, bins=edges)
        axes.stairs(counts, edges, fill=len(clusters) == 1, linewidth=1.6, alpha=0.85,
                    color=palette.others[place % len(palette.others)], label=f"seed {summary.seed}")
    axes.set_xlabel("rows in the cluster")
    axes.set_ylabel("clusters")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    compact_numbers(axes)
    legend(axes, num_columns=5)
