"""What a run would do, stage by stage, and why: the text of --dry-run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from cfvideo.core.durable import canonical_json
from cfvideo.core.stage import Cost, Stage
from cfvideo.core.store import Store

# What a GPU of 2023 sustains in bf16 and in TF32, about; FLOP/s.
_FAST, _SLOW = 200e12, 100e12
_SI = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


def si(value: float, unit: str) -> str:
    """A number with an SI prefix: 4.5e20 FLOP -> 450 EFLOP."""
    if not value:
        return "-"
    step = 0
    while value >= 999.5 and step < len(_SI) - 1:
        value, step = value / 1000.0, step + 1
    return f"{value:.3g} {_SI[step]}{unit}"


def changed_keys(stage: Stage, manifest: Mapping[str, Any]) -> list[str]:
    """Keys and inputs in which a finished stage differs from the one asked for."""
    old, new = manifest["keys"], stage.keys
    differing = [key for key in sorted({*old, *new}) if old.get(key) != _jsonable(new.get(key))]
    if stage.name == "report":  # whole texts and tables
        return differing or ["its inputs"]
    keys = [f"{key} {old.get(key, 'absent')} -> {new.get(key, 'absent')}" for key in differing]
    inputs = {name: given.fingerprint for name, given in stage.inputs.items()}
    changed = [name for name, value in inputs.items() if manifest["inputs"].get(name) != value]
    code = [] if manifest["version"] == stage.version else ["this program's version of the stage"]
    return keys + [f"its input {name}" for name in changed] + code


def _jsonable(value: Any) -> Any:
    return json.loads(canonical_json(value))


def status(stage: Stage, store: Store) -> tuple[str, list[str]]:
    """re-use | resume | run | stale, and for stale which keys or inputs changed."""
    if store.find(stage) is not None:
        return "re-use", []
    if store.partial(stage).exists():
        return "resume", []
    earlier = store.manifests(stage.name, stage.role)
    if not earlier:
        return "run", []
    # Of several earlier results, the nearest says most plainly what changed.
    return "stale", min((changed_keys(stage, manifest) for manifest in earlier), key=len)


def stale_lines(stages: Sequence[Stage], store: Store) -> list[str]:
    """Why each stale stage would be made anew."""
    lines = []
    for stage in stages:
        what, changed = status(stage, store)
        if what == "stale":
            lines.append(f"stale: {stage.name} {stage.role}: because {'; '.join(changed) or 'its files'} changed")
    return lines


def time_line(stages: Sequence[Stage], store: Store) -> str:
    """How long what is still to do keeps a GPU busy, or ""; nothing under an hour, where other things decide."""
    flops = sum(stage.cost.flops for stage in stages if status(stage, store)[0] != "re-use")
    least, most = (flops / rate / 3600 for rate in (_FAST, _SLOW))
    if most < 1:
        return ""
    return (f"To do: {least:,.0f} to {most:,.0f} hours of one GPU that sustains {_FAST / 1e12:.0f} to "
            f"{_SLOW / 1e12:.0f} TFLOP/s; decoding and the probes' own training are not counted")


def plan_table(stages: Sequence[Stage], store: Store) -> Table:
    """One line per stage and a total of what is still to do."""
    table = Table(title="Plan", title_justify="left")
    for name in ("stage", "which", "status", "rows", "FLOPs", "reads", "writes"):
        table.add_column(name, justify="right" if name in ("rows", "FLOPs", "reads", "writes") else "left",
                         overflow="fold")
    left = Cost()
    for stage in stages:
        what, cost = status(stage, store)[0], stage.cost
        table.add_row(stage.name, escape(stage.role), what, *_cells(cost))
        if what != "re-use":
            left = Cost(left.rows + cost.rows, left.flops + cost.flops, left.read_bytes + cost.read_bytes,
                        left.written_bytes + cost.written_bytes)
    table.add_section()
    table.add_row("to do", "", "", *_cells(left))
    return table


def _cells(cost: Cost) -> tuple[str, ...]:
    return (f"{cost.rows:,}" if cost.rows else "-", si(cost.flops, "FLOP"), si(cost.read_bytes, "B"),
            si(cost.written_bytes, "B"))
