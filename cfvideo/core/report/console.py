"""The headline table for a console."""

from __future__ import annotations

from collections.abc import Callable

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cfvideo.core.report import numbers
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.numbers import Summary
from cfvideo.core.report.protocol import yardstick
from cfvideo.core.report.text import network_text, percent, points, seeds_won_text, spread_text, visible

# Up to so many seeds a cell lists each value.
FEW_SEEDS = 6
# The lines under the table wrap at its width, so a small table is widened for them up to this.
LINE_CHARACTERS = 72


def console_table(data: ReportData) -> Table:
    """Rows: networks and the difference N_cf - N_pre, of many networks beside them; columns: targets; under it, the
    seeds won. Per cent."""
    targets, seeds = numbers.targets(data), numbers.seeds(data)
    lines = _console_lines(data)
    table = Table(title=Text(visible(data.title)), caption=Text("\n".join(lines)), caption_justify="left",
                  caption_style="", min_width=min(LINE_CHARACTERS, max(map(len, lines))))
    table.add_column(Text("%"))
    for target in targets:
        metric = numbers.metric_name(numbers.metrics(data, target)[0])
        table.add_column(Text(visible(f"{target}\n{yardstick(data, target)}\n{metric}", keep="\n")), justify="right")
    in_lines = numbers.in_lines(data)
    for network in numbers.networks(data):
        cells = [_cell(numbers.summarise(data, network, target), seeds) for target in targets]
        if in_lines:
            for target, cell in zip(targets, cells, strict=True):
                cell.append(_to_baseline(data, network, target))
        table.add_row(Text(visible(network_text(network))), *cells)
    for candidate in [] if in_lines else numbers.candidates(data):
        found = [numbers.compare(data, candidate, target) for target in targets]
        cells = [_cell(comparison.difference if comparison else None, seeds, points) for comparison in found]
        table.add_row(Text(visible(f"{network_text(candidate)} - {_baseline(data, candidate)}")), *cells, style="bold")
    return table


def red_box(words: str) -> Panel:
    """What a reader must not miss."""
    return Panel(Text(words), border_style="bold red", style="red")


def _console_lines(data: ReportData) -> list[str]:
    lines = [_seeds_line(numbers.seeds(data))]
    if numbers.in_lines(data):
        lines.append("in brackets: difference to the network's own N_pre")
    for candidate in [] if numbers.in_lines(data) else numbers.candidates(data):
        for target in numbers.targets(data):
            comparison = numbers.compare(data, candidate, target)
            lines += [f"{visible(target)}: {seeds_won_text(comparison)}"] if comparison else []
    for network in ("n_pre", "n_cf"):
        memory = numbers.label_memory(data.curves, network)
        lines += [f"{network_text(network)} gives back {percent(memory.mean)} % of its own training labels"
                  ] if memory else []
    return lines


def _baseline(data: ReportData, network: str) -> str:
    return network_text(numbers.baseline_of(data, network))


def _to_baseline(data: ReportData, network: str, target: str) -> str:
    """The difference to its N_pre in brackets; an empty string where it has none."""
    comparison = numbers.compare(data, network, target)
    return f" ({points(comparison.difference.mean)})" if comparison else ""


def _seeds_line(seeds: list[int]) -> str:
    if not seeds:
        return "no target task was probed"
    if len(seeds) == 1:
        return f"one seed ({seeds[0]}): no spread"
    return f"mean ± standard deviation over {len(seeds)} seeds ({', '.join(map(str, seeds))})"


def _cell(summary: Summary | None, seeds: list[int], form: Callable[[float], str] = percent) -> Text:
    """Mean ± spread, and below it the values in the order of `seeds`, '-' where one did not run."""
    if summary is None:
        return Text("-")
    text = Text(f"{form(summary.mean)} {spread_text(summary)}".strip())
    if 1 < len(seeds) <= FEW_SEEDS:
        values = [form(summary.by_seed[seed]) if seed in summary.by_seed else "-" for seed in seeds]
        text.append("\n" + " ".join(values), style="dim")
    return text
