"""The figures of SVMs from a few rows per class: score over rows, a line for each network."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from cfvideo.core.report.data import ReportData
from cfvideo.core.report.low_shot import LowShotTable, low_shot_tables, warning
from cfvideo.core.report.style import Palette, ReportFigure, legend, make_figure, plain_ticks, short_name
from cfvideo.core.report.text import network_text, percent

CAPTION = "{target}: mAP of SVMs from a few rows of each class. Lines: mean over draws and seeds."
BANDS = " Bands: ± standard deviation over the draws."
# More bands would hide one another; the table has their widths.
MOST_BANDS = 4
_MARKERS = "osD^vPX"


def low_shot_figures(data: ReportData) -> list[ReportFigure]:
    """One for each target that was probed with few rows."""
    made = []
    for number, table in enumerate(low_shot_tables(data), start=1):
        caption = CAPTION.format(target=table.target) + (BANDS if len(table.lines) <= MOST_BANDS else "")
        made.append(make_figure(f"low_shot_{number}", f"{caption} {warning(data)}".strip(), _alt(table),
                                partial(_paint, table=table)))
    return made


def _alt(table: LowShotTable) -> str:
    shown = [f"{network_text(name)}: " + ", ".join(f"{percent(cells[k].score.mean)} at {k}" for k in sorted(cells))
             for name, cells in table.lines.items()]
    return f"Line chart, mAP over rows per class. {'; '.join(shown)}."


def _paint(axes: Axes, palette: Palette, *, table: LowShotTable) -> None:
    axes.set_xscale("log")
    colours = palette.colours(table.lines)
    for rank, (name, cells) in enumerate(table.lines.items()):
        colour, places = colours[name], sorted(cells)
        means = [100 * cells[k].score.mean for k in places]
        axes.plot(places, means, color=colour, marker=_MARKERS[rank % len(_MARKERS)], markersize=4,
                  linestyle=palette.stroke(rank), label=short_name(network_text(name)))
        if len(table.lines) <= MOST_BANDS:
            widths = [100 * cells[k].over_draws for k in places]
            axes.fill_between(places, [mean - width for mean, width in zip(means, widths, strict=True)],
                              [mean + width for mean, width in zip(means, widths, strict=True)], color=colour,
                              alpha=0.15, linewidth=0)
    plain_ticks(axes, {float(k): f"{k:,}" for k in table.shots})
    axes.set_xlabel("rows per class")
    axes.set_ylabel("mAP, %")
    legend(axes, num_columns=4)
