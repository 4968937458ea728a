"""An ablation's figure in the form of the paper's: lines or bars over what it changes, one figure for each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from cfvideo.core.backbone import GRID
from cfvideo.core.report import numbers
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.layout import Axis
from cfvideo.core.report.numbers import Summary
from cfvideo.core.report.style import Palette, ReportFigure, legend, make_figure, plain_ticks, short_name
from cfvideo.core.report.text import network_text, percent

LINES = "Mean and standard deviation over seeds. Broken lines: networks that {axis} does not change."
PAPER = " Grey crosses and dotted lines: the paper's own values, of networks trained on videos that are not public."
LAYERS = "Probes of every layer: mean and standard deviation over seeds."
_MARKERS = "osD^vPX"
_PAPER = "the paper's"
# Side by side, so that the standard deviations of equal means do not hide one another; points.
_STEP_POINTS = 2.5


@dataclass
class Lines:
    """series: position -> summary of each; levels: networks that the axis does not change. Both again as the paper has
    them, as fractions."""

    series: dict[str, dict[float, Summary]] = field(default_factory=dict)
    levels: dict[str, Summary] = field(default_factory=dict)
    paper_points: list[tuple[float, float]] = field(default_factory=list)
    paper_levels: list[float] = field(default_factory=list)


def sweep_figures(data: ReportData) -> list[ReportFigure]:
    """A figure for each target, where the data is an ablation's."""
    chart = data.layout.chart
    if chart is None:
        return []
    made = []
    for number, target in enumerate(numbers.targets(data), start=1):
        lines, metric = gather(data, target), numbers.metric_name(numbers.metrics(data, target)[0])
        caption = f"{target}: {metric} over {chart.axis.text}. {LINES.format(axis='this')}"
        if lines.paper_points or lines.paper_levels:
            caption += PAPER
        paint = paint_bars if chart.axis.form == "bars" else paint_lines
        made.append(make_figure(f"sweep_{number}", caption, _alt(lines, chart.axis),
                                partial(paint, lines=lines, axis=chart.axis, metric=metric)))
    return made


def gather(data: ReportData, target: str) -> Lines:
    """What is drawn of one target."""
    lines, chart = Lines(), data.layout.chart
    for network in numbers.networks(data):
        summary = numbers.summarise(data, network, target)
        paper = data.layout.reference.get((network, target))
        if summary is None or chart is None:
            continue
        if network in chart.points:
            series, place = chart.points[network]
            lines.series.setdefault(series, {})[place] = summary
            lines.paper_points += [(place, paper)] if paper is not None else []
        else:
            lines.levels[network] = summary
            lines.paper_levels += [paper] if paper is not None else []
    return lines


def _alt(lines: Lines, axis: Axis) -> str:
    marks = dict(axis.places.values())
    shown = [f"{network_text(name)}: " + ", ".join(f"{percent(one.mean)} at {marks[place]}" for place, one in
                                                    sorted(points.items())) for name, points in lines.series.items()]
    shown += [f"{network_text(name)} throughout {percent(one.mean)}" for name, one in lines.levels.items()]
    return f"{'Bar' if axis.form == 'bars' else 'Line'} chart over {axis.text}. {'; '.join(shown)}."


def paint_lines(axes: Axes, palette: Palette, *, lines: Lines, axis: Axis, metric: str) -> None:
    if axis.scale == "log":
        axes.set_xscale("log")
    colours = palette.colours([*lines.series, *lines.levels])
    for rank, (name, points) in enumerate(lines.series.items()):
        places, step = sorted(points), _STEP_POINTS * (rank - (len(lines.series) - 1) / 2)
        aside = offset_copy(axes.transData, cast(Figure, axes.get_figure()), x=step, units="points")
        axes.plot(places, [100 * points[place].mean for place in places], color=colours[name], transform=aside,
                  marker=_MARKERS[rank % 7], markersize=5, label=short_name(network_text(name)))
        _spreads(axes, points, color=colours[name], transform=aside)
        # What is drawn aside does not widen the axes by itself.
        axes.update_datalim([(place, 100 * (one.mean + sign * (one.spread or 0.0))) for place, one in points.items()
                             for sign in (-1, 1)])
    _surroundings(axes, palette, lines, axis, metric)


def paint_bars(axes: Axes, palette: Palette, *, lines: Lines, axis: Axis, metric: str) -> None:
    width, colours = 0.8 / max(1, len(lines.series)), palette.colours([*lines.series, *lines.levels])
    for rank, (name, points) in enumerate(lines.series.items()):
        shift = (rank - (len(lines.series) - 1) / 2) * width
        axes.bar([place + shift for place in points], [100 * one.mean for one in points.values()], 0.92 * width,
                 color=colours[name], alpha=0.8, label=short_name(network_text(name)))
        _spreads(axes, {place + shift: one for place, one in points.items()}, color=palette.ink)
    _surroundings(axes, palette, lines, axis, metric)
    axes.set_ylim(bottom=0)


def _spreads(axes: Axes, points: Mapping[float, Summary], **options: Any) -> None:
    """Standard deviations over seeds, where there are several."""
    known = {place: (100 * one.mean, 100 * one.spread) for place, one in points.items() if one.spread is not None}
    if known:
        means, spreads = zip(*known.values(), strict=True)
        axes.errorbar(list(known), means, spreads, fmt="none", elinewidth=1, capsize=1.8, **options)


def _surroundings(axes: Axes, palette: Palette, lines: Lines, axis: Axis, metric: str) -> None:
    """Level lines, the paper's values, the axis and the legend."""
    colours = palette.colours([*lines.series, *lines.levels])
    for name, summary in lines.levels.items():
        axes.axhline(100 * summary.mean, color=colours[name], linestyle="--", linewidth=1.3,
                     label=short_name(network_text(name)))
    for level in lines.paper_levels:
        axes.axhline(100 * level, color=palette.paper, linestyle=":", linewidth=1.3)
    if lines.paper_points:
        axes.plot([place for place, _ in lines.paper_points], [100 * value for _, value in lines.paper_points], "x",
                  color=palette.paper, markersize=6, label=_PAPER)
    plain_ticks(axes, dict(axis.places.values()))
    axes.set_xlabel(axis.text)
    axes.set_ylabel(f"{metric.removesuffix(' accuracy')}, %")
    legend(axes, num_columns=3 if len(lines.series) + len(lines.levels) > 2 else 2)


def layer_figures(data: ReportData) -> list[ReportFigure]:
    """Bars over the layers (Figure 4), for the targets of which several were probed."""
    made = []
    for number, target in enumerate(numbers.targets(data), start=1):
        found = {name: numbers.by_layer(data, name, target) for name in numbers.networks(data)}
        layers = list(dict.fromkeys(layer for own in found.values() for layer in own))
        if len(layers) < 2:
            continue
        metric = numbers.metric_name(numbers.metrics(data, target)[0])
        # The same word under every bar would leave no room between the names.
        cut, text = (GRID, "layer, grids of averages") if all(one.endswith(GRID) for one in layers) else ("", "layer")
        axis = Axis("layer", "bars", text, "names", {layer: (float(at), layer.removesuffix(cut)) for at, layer in
                                                     enumerate(layers)})
        lines = Lines({name: {float(layers.index(layer)): one for layer, one in own.items()}
                       for name, own in found.items()})
        made.append(make_figure(f"layers_{number}", f"{target}: {metric}. {LAYERS}", _alt(lines, axis),
                                partial(paint_bars, lines=lines, axis=axis, metric=metric)))
    return made
