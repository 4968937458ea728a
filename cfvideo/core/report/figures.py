"""The figures of a report: those of the probes, and here those of training and clustering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cfvideo.core.report.clusters import shown, whose
from cfvideo.core.report.data import ClusterSummary, ReportData, TrainingCurve
from cfvideo.core.report.low_shot_figures import low_shot_figures
from cfvideo.core.report.probe_figures import probe_figures
from cfvideo.core.report.style import Palette, ReportFigure, compact_numbers, legend, make_figure, plain_log, short_name
from cfvideo.core.report.sweep_figures import layer_figures, sweep_figures
from cfvideo.core.report.text import family, network_text

# name of the series -> caption, label of the axis
CURVES = {"loss": ("Training loss.", "training loss"),
          "accuracy": ("Training accuracy of every network on its own labels.", "training accuracy, %")}
CURVES_NOTE = " One line per seed. Each network learns labels of its own, so their levels do not compare."
# name -> caption, label of the axis, values of the iterations
ITERATIONS: dict[str, tuple[str, str, Callable[[ClusterSummary], Sequence[float]]]] = {
    "objective": ("k-means objective after each iteration; one line per clustering. It must never rise but where a "
                  "sample gives way to all rows.", "k-means objective", lambda summary: summary.objective),
    "moved": ("Rows that change their cluster in each iteration, per cent of those that k-means learns from.",
              "rows moved, %", lambda summary: [100 * share for share in summary.share_moved])}
# With more lines the legend would hide them; the table of clusterings has their numbers.
MOST_NAMED = 9
# With more networks a colour stands for all N_pre, all N_cf and so on.
MOST_COLOURS = 5
SIZES = "How many of the clusters{whose} have how many rows; one outline per seed."
MAX_BINS = 18
# Curves that end further apart than by this factor are drawn on a logarithmic scale.
MOST_APART = 50


def figures(data: ReportData) -> list[ReportFigure]:
    """Those that the data allows, in the page's order."""
    return [*sweep_figures(data), *layer_figures(data), *probe_figures(data), *low_shot_figures(data),
            *_curve_figures(data.curves), *_iteration_figures(data.clusters),
            *_sizes_figure(shown(data))]


def _curve_figures(curves: Sequence[TrainingCurve]) -> list[ReportFigure]:
    drawn = [curve for curve in curves if len(curve.samples)]
    if not drawn:
        return []
    made = []
    for name, (caption, label) in CURVES.items():
        ends = [f"{network_text(curve.network)}, seed {curve.seed}: ends at {_series(curve, name)[-1]:.3g}"
                for curve in drawn]
        made.append(make_figure(name, caption + CURVES_NOTE, f"Line chart, {label}. {'; '.join(ends)}.",
                                partial(_paint_curves, curves=drawn, name=name, label=label)))
    return made


def _series(curve: TrainingCurve, name: str) -> NDArray[np.float64]:
    return np.asarray(curve.loss) if name == "loss" else 100 * np.asarray(curve.accuracy)


def _paint_curves(axes: Axes, palette: Palette, *, curves: list[TrainingCurve], name: str, label: str) -> None:
    names = [curve.network for curve in curves]
    if len(set(names)) > MOST_COLOURS:
        names = [family(name) for name in names]
    colours = palette.colours(dict.fromkeys(names))
    for place, (curve, own) in enumerate(zip(curves, names, strict=True)):
        axes.plot(curve.samples, _series(curve, name), alpha=0.8, color=colours[own],
                  label=short_name(network_text(own)) if own not in names[:place] else None)
    axes.set_xlabel("training samples")
    axes.set_ylabel(label)
    ends = [float(_series(curve, name)[-1]) for curve in curves]
    # Distillation's loss carries the square of its temperature and would press the others to the ground.
    if name == "loss" and 0 < min(ends) < max(ends) / MOST_APART:
        axes.set_yscale("log")
        plain_log(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)
    compact_numbers(axes)
    legend(axes, num_columns=4)


def _iteration_figures(clusters: Sequence[ClusterSummary]) -> list[ReportFigure]:
    made = []
    for name, (caption, label, values_of) in ITERATIONS.items():
        kept = [summary for summary in clusters if len(values_of(summary))]
        lines = [list(values_of(summary)) for summary in kept]
        texts = [_clustering(summary, clusters) for summary in kept]
        falls = [f"{text}: from {values[0]:.4g} to {values[-1]:.4g} in {len(values)} iterations"
                 for text, values in zip(texts, lines, strict=True)]
        keys = texts if len(texts) <= MOST_NAMED else [summary.network for summary in kept]
        if kept:
            made.append(make_figure(name, caption, f"Line chart. {'; '.join(falls)}.",
                                    partial(_paint_iterations, keys=keys, lines=lines, label=label)))
    return made


def _clustering(summary: ClusterSummary, among: Sequence[ClusterSummary]) -> str:
    """Which clustering this is: its seed, and where there are several of a seed, the network that learns it."""
    if len({one.network for one in among}) == 1:
        return f"seed {summary.seed}"
    return f"{network_text(summary.network)}, seed {summary.seed}"


def _paint_iterations(axes: Axes, palette: Palette, *, keys: list[str], lines: list[list[float]], label: str) -> None:
    """keys: the network of each line, or its seed; lines of one key share a colour."""
    order = list(dict.fromkeys(keys))
    colours = palette.colours(order)
    for place, (key, values) in enumerate(zip(keys, lines, strict=True)):
        rank = order.index(key)
        axes.plot(range(1, len(values) + 1), values, marker="o", markersize=3, alpha=0.85,
                  color=colours[key], linestyle=palette.stroke(rank),
                  label=_keyed(network_text(key), order) if key not in keys[:place] else None)
    axes.set_xlabel("iteration")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes, num_columns=5 if len(order) < 6 else 3)


def _keyed(text: str, drawn: Sequence[object]) -> str | None:
    """The text of a line in the legend; of too many none is named there."""
    return short_name(text) if len(drawn) <= MOST_NAMED else None


def _sizes_figure(clusters: Sequence[ClusterSummary]) -> list[ReportFigure]:
    ranges = [f"{_clustering(summary, clusters)}: {int(np.min(summary.sizes))} to {int(np.max(summary.sizes))} "
              "rows in a cluster" for summary in clusters]
    if not 0 < len(clusters) <= MOST_NAMED:
        return []
    caption = SIZES.format(whose=whose(clusters))
    return [make_figure("cluster_sizes", caption, f"Histogram of cluster sizes. {'; '.join(ranges)}.",
                        partial(_paint_sizes, clusters=clusters))]


def _paint_sizes(axes: Axes, palette: Palette, *, clusters: Sequence[ClusterSummary]) -> None:
    top = max(int(np.max(summary.sizes)) for summary in clusters)
    edges = np.unique(np.linspace(0, top + 1, min(top + 1, MAX_BINS) + 1).astype(np.int64))
    for place, summary in enumerate(clusters):
        counts, _ = np.histogram(summary.sizes, bins=edges)
        axes.stairs(counts, edges, fill=len(clusters) == 1, linewidth=1.6, alpha=0.85,
                    color=palette.others[place % len(palette.others)],
                    label=_keyed(_clustering(summary, clusters), clusters))
    axes.set_xlabel("rows in the cluster")
    axes.set_ylabel("clusters")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    compact_numbers(axes)
    legend(axes, num_columns=5)
