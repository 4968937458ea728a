"""The figures of the headline: bars of the probes, and ClusterFit's difference to N_pre seed by seed."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from cfvideo.core.report import numbers
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.numbers import Comparison, Summary
from cfvideo.core.report.style import Palette, ReportFigure, heighten, legend, make_figure, short_name
from cfvideo.core.report.text import MINUS, network_text, percent, points

BARS = ("Every network on every target, by the target's own yardstick. Bars: mean over seeds; dots: single seeds; a "
        "thin line joins the networks of one seed.")
DIFFERENCES = ("ClusterFit against its N_pre, seed by seed, on the same target. Right of zero: ClusterFit is better. "
               "The tick marks the mean.")
# With more networks the numbers over the bars would run into one another; the table has them.
MOST_NUMBERED = 4
MOST_COMPARED = 10
# What two lines of text need beside the axis.
DIFFERENCE_INCHES = 0.42

Table = dict[str, list[Summary | None]]


def probe_figures(data: ReportData) -> list[ReportFigure]:
    """The bars, and the differences where N_pre and a ClusterFit network share a seed."""
    targets = numbers.targets(data)
    if not targets:
        return []
    table = {name: [numbers.summarise(data, name, target) for target in targets] for name in numbers.networks(data)}
    cells = [f"{target}: {network_text(name)} {percent(summary.mean)} %" for at, target in enumerate(targets)
             for name in table if (summary := table[name][at]) is not None]
    # Of many networks an ablation's own figure says more, and the table has every number.
    if data.layout.chart is not None:
        return _difference_figure(data, targets)
    bars = make_figure("probes", BARS, "Bar chart. " + "; ".join(cells) + ".",
                       partial(_paint_bars, table=table, targets=targets))
    return [bars, *_difference_figure(data, targets)]


def _difference_figure(data: ReportData, targets: list[str]) -> list[ReportFigure]:
    found = [numbers.compare(data, name, target) for target in targets for name in numbers.candidates(data)]
    comparisons = [comparison for comparison in found if comparison is not None]
    won = [f"{item.target}: {network_text(item.candidate)} {points(item.difference.mean)} points, {len(item.won)} of "
           f"{item.num_seeds} seeds won" for item in comparisons]
    if not 0 < len(comparisons) <= MOST_COMPARED:
        return []
    return [make_figure("differences", DIFFERENCES, "Dot chart. " + "; ".join(won) + ".",
                        partial(_paint_differences, comparisons=comparisons))]


def _paint_bars(axes: Axes, palette: Palette, *, table: Table, targets: list[str]) -> None:
    width = 0.8 / len(table)
    colours = palette.colours(table)
    offsets = {name: (place - (len(table) - 1) / 2) * width for place, name in enumerate(table)}
    for name, cells in table.items():
        shown = [(at + offsets[name], cell) for at, cell in enumerate(cells) if cell is not None]
        axes.bar([at for at, _ in shown], [100 * cell.mean for _, cell in shown], 0.92 * width, alpha=0.8,
                 color=colours[name], label=short_name(network_text(name)))
        if len(table) <= MOST_NUMBERED:
            _paint_means(axes, shown)
    for at in range(len(targets)):
        _paint_seeds(axes, palette, {offset + at: table[name][at] for name, offset in offsets.items()})
    axes.set_xticks(range(len(targets)), [short_name(target) for target in targets],
                    rotation=20 if len(targets) > 3 else 0)
    axes.set_ylabel("%")
    axes.set_ylim(0, max(5.0, 1.12 * axes.get_ylim()[1]))
    legend(axes, num_columns=len(table) if len(table) < 4 else 3)


def _paint_means(axes: Axes, shown: list[tuple[float, Summary]]) -> None:
    """The mean in figures, above the highest seed so that no dot covers it."""
    for at, cell in shown:
        axes.annotate(percent(cell.mean), (at, 100 * max(cell.by_seed.values())), xytext=(0, 5), ha="center",
                      textcoords="offset points", fontsize=9)


def _paint_seeds(axes: Axes, palette: Palette, cells: dict[float, Summary | None]) -> None:
    """cells: by horizontal position. One thin line and its dots per seed."""
    for seed in sorted({seed for cell in cells.values() if cell for seed in cell.by_seed}):
        seen = [(at, 100 * cell.by_seed[seed]) for at, cell in cells.items() if cell and seed in cell.by_seed]
        axes.plot([at for at, _ in seen], [value for _, value in seen], color=palette.ink, linewidth=0.7, alpha=0.55,
                  marker="o", markersize=3.2)


def _paint_differences(axes: Axes, palette: Palette, *, comparisons: list[Comparison]) -> None:
    order = list(dict.fromkeys(comparison.candidate for comparison in comparisons))
    several, colours = len(order) > 1, palette.colours(order)
    heighten(axes, len(comparisons) * (DIFFERENCE_INCHES if several else 0))
    for at, comparison in enumerate(comparisons):
        values = [100 * value for value in comparison.difference.by_seed.values()]
        axes.plot(values, [at] * len(values), "o", markersize=7, color=colours[comparison.candidate], alpha=0.75)
        axes.plot([100 * comparison.difference.mean], [at], "|", color=palette.ink, markersize=22, markeredgewidth=2)
    axes.axvline(0, color=palette.ink, linewidth=1)
    axes.grid(visible=True, axis="x")
    axes.set_yticks(range(len(comparisons)), [short_name(item.target) + (
        f"\n{short_name(network_text(item.candidate))}" if several else "") for item in comparisons])
    axes.set_ylim(len(comparisons) - 0.4, -0.6)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.15 * high), max(high, -0.15 * low))
    axes.set_xlabel(f"{'ClusterFit' if several else 'N_cf'} {MINUS} N_pre, points")
