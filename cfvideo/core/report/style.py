"""Colours of the figures for a light and a dark page, and drawing to PNG bytes that depend on the data alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from cfvideo.core.report.numbers import is_clusterfit
from cfvideo.core.report.text import visible

# Small, so that the letters stay readable where the page is 400 px wide.
SIZE_INCHES = (4.9, 3.1)
DOTS_PER_INCH = 200
# A longer name is cut in the figures; the tables show it whole.
LABEL_CHARACTERS = 18
# What a line of the legend holds, with 7 for each sample of a colour and its gaps; and how high it is.
LINE_CHARACTERS, LEGEND_LINE_INCHES = 62, 0.2


@dataclass(frozen=True)
class Palette:
    """background must equal the page's card colour, which the style sheet repeats."""

    background: str
    ink: str
    faint: str
    paper: str
    networks: dict[str, str]
    others: tuple[str, ...]

    def stroke(self, place: int) -> str:
        """The colours go round; the stroke tells the second round from the first."""
        return ("-", "--", ":")[place // len(self.others) % 3]

    def colours(self, names: Iterable[str]) -> dict[str, str]:
        """One for each network of a figure: fixed ones, shades of N_cf's for its kin (the last the fullest), and of the
        others those that nobody has."""
        names = list(names)
        found = {name: self.networks[name] for name in names if name in self.networks}
        kin = [name for name in names if is_clusterfit(name) and name not in found]
        steps = len(kin) + ("n_cf" in found)
        found |= {name: self._shade(0.3 + 0.7 * (place + 1) / steps) for place, name in enumerate(kin)}
        free = [colour for colour in self.others if colour not in found.values()] or self.others
        rest = [name for name in names if name not in found]
        return found | {name: free[place % len(free)] for place, name in enumerate(rest)}

    def _shade(self, share: float) -> str:
        """N_cf's colour, so much of it, on the background."""
        full, ground = to_rgb(self.networks["n_cf"]), to_rgb(self.background)
        red, green, blue = (share * own + (1 - share) * other for own, other in zip(full, ground, strict=True))
        return to_hex((red, green, blue))


# Okabe and Ito's colours, told apart by colour-blind readers; lightened for the dark page.
LIGHT = Palette("#ffffff", "#1d2430", "#dfe3ea", "#6b7280",
                {"untrained": "#9aa3b0", "n_pre": "#e08a00", "n_cf": "#0b6fb8", "n_pre_2x": "#d55e00",
                 "distillation": "#009e73", "prototype": "#cc79a7"},
                ("#009e73", "#cc79a7", "#d55e00", "#5b4bc4", "#7a8b00"))
DARK = Palette("#171b22", "#e4e8ee", "#333b47", "#9ca3af",
               {"untrained": "#8b95a3", "n_pre": "#f2b14a", "n_cf": "#5ab4ee", "n_pre_2x": "#f08a4b",
                "distillation": "#3ccba0", "prototype": "#e39cc4"},
               ("#3ccba0", "#e39cc4", "#f08a4b", "#a99cf5", "#b9c84a"))


@dataclass(frozen=True)
class ReportFigure:
    """name: the file's stem; light, dark: PNG bytes."""

    name: str
    caption: str
    alt: str
    light: bytes
    dark: bytes


def make_figure(name: str, caption: str, alt: str, paint: Callable[[Axes, Palette], None]) -> ReportFigure:
    """`paint` draws on empty axes with the colours it is given."""
    return ReportFigure(name, caption, alt, draw(LIGHT, paint), draw(DARK, paint))


def draw(palette: Palette, paint: Callable[[Axes, Palette], None]) -> bytes:
    """One set of axes painted by `paint`, as PNG."""
    with matplotlib.rc_context(_settings(palette)), warnings.catch_warnings():
        # A name in a script that the font lacks draws as boxes; the page's own text still shows it.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        paint(figure.add_subplot(), palette)
        stream = BytesIO()
        # The default would write the version of matplotlib into the file.
        figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return stream.getvalue()


def _settings(palette: Palette) -> dict[Any, Any]:
    """parse_math is off: a '$' in a target's name is a dollar sign."""
    ink, faint = palette.ink, palette.faint
    return {"text.parse_math": False, "text.usetex": False, "font.family": ["DejaVu Sans"], "font.size": 10,
            "figure.facecolor": palette.background, "savefig.facecolor": palette.background,
            "savefig.bbox": None, "savefig.transparent": False, "axes.facecolor": palette.background,
            "axes.edgecolor": faint, "axes.labelcolor": ink, "text.color": ink, "xtick.color": ink,
            "ytick.color": ink, "axes.grid": True, "axes.grid.axis": "y", "axes.axisbelow": True, "grid.color": faint,
            "grid.linestyle": "-", "grid.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False,
            "axes.spines.left": False, "xtick.major.size": 0, "ytick.major.size": 0, "legend.frameon": False,
            "lines.linewidth": 1.6}


def legend(axes: Axes, *, num_columns: int) -> None:
    """Above the axes, where it hides no data; as many columns as fit, and a higher figure for more than two lines."""
    handles, texts = axes.get_legend_handles_labels()
    if handles:
        columns = max(1, min(num_columns, LINE_CHARACTERS // (max(map(len, texts)) + 7)))
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2,
                    handlelength=1.2, columnspacing=1.4)
        lines = -(-len(handles) // columns)
        heighten(axes, SIZE_INCHES[1] + LEGEND_LINE_INCHES * (lines - 2))


def heighten(axes: Axes, inches: float) -> None:
    """At least that high a figure; never lower than the others."""
    figure = axes.get_figure()
    if isinstance(figure, Figure) and inches > SIZE_INCHES[1]:
        figure.set_size_inches(SIZE_INCHES[0], inches)


def plain_ticks(axes: Axes, marks: Mapping[float, str]) -> None:
    """Position -> text on the horizontal axis, and nothing else: a logarithmic one would write powers of ten."""
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(list(marks), [short_name(text) for text in marks.values()], rotation=20 if len(marks) > 6 else 0)
    axes.xaxis.set_minor_formatter(NullFormatter())


def plain_log(axis: Axis) -> None:
    """0.1, 0.3, 1, 3 on a logarithmic axis, and not the formulas of matplotlib's powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))


def compact_numbers(axes: Axes) -> None:
    """490000000 -> 490M on the horizontal axis."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))


def compact(value: float) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def short_name(name: str) -> str:
    """A name that fits beside an axis, hostile characters shown."""
    name = visible(name)
    return name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1] + "…"
