"""Records of a run -> one self-contained HTML page, its figures and a CSV table. Opens from disk, fetches nothing.

The page carries no script; its content security policy allows its own style sheet (by hash) and data URIs only.
Everything is autoescaped, and characters that could mislead (controls, undecodable bytes, text reordering) are shown
as escapes. Equal data gives equal bytes under one version of matplotlib.
"""

from __future__ import annotations

import csv
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from cfvideo.core.report import numbers as report_numbers
from cfvideo.core.report import text as report_text
from cfvideo.core.report.clusters import score_name
from cfvideo.core.report.console import console_table
from cfvideo.core.report.data import ProbeResult, ReportData
from cfvideo.core.report.low_shot import low_shot_tables, warning
from cfvideo.core.report.protocol import protocols, yardstick
from cfvideo.core.report.unread import unread
from cfvideo.core.report.verdict import verdict

if TYPE_CHECKING:
    from cfvideo.core.report.style import ReportFigure

__all__ = ["ReportData", "console_table", "render", "verdict"]

MAX_FAILURES = 20
# Up to so many seeds a cell of the headline table lists each value; the table of all probes always does.
FEW_SEEDS = 6


def render(data: ReportData, folder: Path) -> Path:
    """Write report.html, table.csv, low_shot.csv and failures.csv (where there are any) and the figures as PNG into
    `folder`, which is made if absent. Returns the page's path."""
    # Drawing is the only part that needs matplotlib, which takes a second to import.
    from cfvideo.core.report.figures import figures

    folder.mkdir(parents=True, exist_ok=True)
    drawn = figures(data)
    for figure in drawn:
        (folder / f"{figure.name}.png").write_bytes(figure.light)
    _write(folder / "table.csv", table_csv(data))
    if any(probe.low_shot for probe in data.probes):
        _write(folder / "low_shot.csv", low_shot_csv(data))
    if data.failures:
        _write(folder / "failures.csv", failures_csv(data))
    page = folder / "report.html"
    _write(page, _page(data, drawn))
    return page


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _page(data: ReportData, drawn: list[ReportFigure]) -> str:
    from cfvideo.core.report.pictures import page_sheets, png_uri

    style = style_sheet()
    figures = [(figure, png_uri(figure.light), png_uri(figure.dark)) for figure in drawn]
    return environment("cfvideo.core.report").get_template("report.html.j2").render(
        data=data, style=Markup(style), style_hash=style_hash(style), figures=figures, verdict=verdict(data),
        protocols=protocols(data), yardstick=yardstick, score_name=score_name,
        low_shot=low_shot_tables(data), low_shot_warning=warning(data),
        sheets=page_sheets(data.sheets, data.clusters), unread=unread(data.failures), max_failures=MAX_FAILURES,
        few_seeds=FEW_SEEDS,
        numbers=report_numbers, text=report_text)


def style_sheet() -> str:
    """The style of this page, and of others that look like it."""
    return (files("cfvideo.core.report") / "templates" / "report.css").read_text(encoding="utf-8")


def style_hash(style: str) -> str:
    """What a content security policy calls this style sheet."""
    return b64encode(sha256(style.encode("utf-8")).digest()).decode("ascii")


def environment(package: str) -> Environment:
    """Templates of a package, that print whatever they are given escaped and with hostile characters shown."""
    made = Environment(
        loader=PackageLoader(package, "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_finalize)
    made.filters["one_line"] = report_text.visible
    made.filters["subscripts"] = _subscripts
    made.filters["breakable"] = _breakable
    made.filters["median"] = lambda sizes: float(np.median(sizes))
    return made


def _finalize(value: Any) -> Any:
    """Runs on every value the template prints, before it is escaped; line breaks are the template's to keep."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return report_text.visible(value, keep="\n\t")
    return value


def _breakable(text: str) -> Markup:
    """Escaped text on one line, where a path may break after a slash rather than inside a name."""
    return Markup(str(escape(report_text.visible(text))).replace("/", "/<wbr>"))


def _subscripts(text: str) -> Markup:
    """Escaped text with N_pre and N_cf set as in the paper."""
    return Markup(re.sub(r"\bN_(pre|cf)\b", r"N<sub>\1</sub>", str(escape(_finalize(text)))))


def table_csv(data: ReportData) -> str:
    """One line per target, network, seed, method, layer and metric; fractions with all their digits.

    headline: 1 on the lines that the tables show; strength is theirs.
    """
    visible = report_text.visible
    rows = [[visible(probe.target), visible(probe.network), probe.seed, visible(method), visible(layer),
             visible(metric), repr(float(value)), probe.num_test_rows, probe.num_invalid_rows,
             probe.num_unlabelled_rows, int(headline),
             repr(probe.strength) if headline and probe.strength is not None else ""]
            for target in report_numbers.targets(data) for network in report_numbers.networks(data)
            for probe in report_numbers.probes_of(data, network, target)
            for method, layer, figures, headline in _lines_of(probe) for metric, value in figures.items()]
    return _csv(["target", "network", "seed", "method", "layer", "metric", "value", "num_test_rows", "num_invalid_rows",
                 "num_unlabelled_rows", "headline", "strength"], rows)


def _lines_of(probe: ProbeResult) -> Iterator[tuple[str, str, Mapping[str, float], bool]]:
    """method, layer, metrics, and whether they are the probe's own; these come first."""
    yield probe.method, probe.layer, probe.metrics, True
    for method, layers in probe.results.items():
        for layer, figures in layers.items():
            if (method, layer) != (probe.method, probe.layer):
                yield method, layer, figures, False


def low_shot_csv(data: ReportData) -> str:
    """One line per target, network, seed, layer and number of rows per class: mAP over the draws, as fractions."""
    scores = ["mean", "std", "min", "max"]
    rows = [[report_text.visible(probe.target), report_text.visible(probe.network), probe.seed,
             report_text.visible(layer), k, *(repr(float(found[name])) for name in scores), int(probe.low_shot_on_test)]
            for target in report_numbers.targets(data) for network in report_numbers.networks(data)
            for probe in report_numbers.probes_of(data, network, target)
            for layer, shots in probe.low_shot.items() for k, found in sorted(shots.items())]
    return _csv(["target", "network", "seed", "layer", "rows_per_class", *scores, "costs_chosen_on_test"], rows)


def failures_csv(data: ReportData) -> str:
    visible = report_text.visible
    rows = [[visible(line.dataset), line.row, visible(line.path), visible(line.status), visible(line.cause)]
            for line in data.failures]
    return _csv(["dataset", "row", "path", "status", "cause"], rows)


def _csv(header: list[str], rows: list[list[Any]]) -> str:
    stream = StringIO()
    csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return stream.getvalue()
