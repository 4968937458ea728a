"""The stages of one or several runs over one store: each once, named by what it differs in from run to run.

A K sweep trains N_pre once and N_cf once for each K: the tables then say n_pre, n_cf_k400, n_cf_k800.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from cfvideo.core.stage import Stage


@dataclass(frozen=True)
class Wired:
    """One run's stages without its report. at: where it stands on each axis of a sweep: {"k": "k400"}."""

    at: Mapping[str, str]
    stages: Sequence[Stage]


@dataclass(frozen=True)
class Row:
    """A network of the tables. network: its name in its own run; at: the axes that change it; run: the first that has
    it; baseline: the row of the N_pre it is compared with, empty where it is none or not the same in every run."""

    network: str
    at: Mapping[str, str]
    run: int
    baseline: str


@dataclass(frozen=True)
class Arrangement:
    """stages: each once, after its inputs, under its name of the tables. rows: the probed networks by that name."""

    stages: Sequence[Stage]
    rows: Mapping[str, Row]


# Kind, role, and which of its kind and role: two rounds of k-means are called the same within one run.
_Key = tuple[str, str, int]


def arrange(runs: Sequence[Wired]) -> Arrangement:
    """Name and order the stages of all runs."""
    keyed = [_keyed(run.stages) for run in runs]
    axes = {key: _deciding_axes([(run.at, stages[key].fingerprint) for run, stages in zip(runs, keyed, strict=True)
                                 if key in stages]) for stages in keyed for key in stages}
    found: dict[str, Stage] = {}
    rows: dict[str, Row] = {}
    for number, (run, stages) in enumerate(zip(runs, keyed, strict=True)):
        names = {stage.about["network"]: _row_name(stage.about["network"], _at(run, axes[key]))
                 for key, stage in stages.items() if stage.name == "probe"}
        for key, stage in stages.items():
            found.setdefault(stage.fingerprint, _named(stage, _at(run, axes[key])))
            if stage.name == "probe":
                _add_row(rows, Row(stage.about["network"], _at(run, axes[key]), number, ""), names)
    return Arrangement(list(found.values()), rows)


def _keyed(stages: Sequence[Stage]) -> dict[_Key, Stage]:
    seen: Counter[tuple[str, str]] = Counter()
    keyed = {}
    for stage in stages:
        keyed[(stage.name, stage.role, seen[(stage.name, stage.role)])] = stage
        seen[(stage.name, stage.role)] += 1
    return keyed


def _deciding_axes(seen: Sequence[tuple[Mapping[str, str], str]]) -> tuple[str, ...]:
    """The fewest axes whose positions tell the fingerprints apart."""
    axes = list(dict.fromkeys(axis for at, _ in seen for axis in at))
    for chosen in (subset for size in range(len(axes) + 1) for subset in combinations(axes, size)):
        table: dict[tuple[str, ...], str] = {}
        if all(table.setdefault(tuple(at.get(axis, "") for axis in chosen), fingerprint) == fingerprint
               for at, fingerprint in seen):
            return chosen
    raise ValueError(f"two runs stand at the same place of all axes: {[dict(at) for at, _ in seen]}")


def _at(run: Wired, axes: Sequence[str]) -> dict[str, str]:
    return {axis: run.at[axis] for axis in axes if axis in run.at}


def _row_name(network: str, at: Mapping[str, str]) -> str:
    return "_".join([network, *at.values()])


def _named(stage: Stage, at: Mapping[str, str]) -> Stage:
    """The same stage, its role and network under the name of the tables; neither decides its result."""
    if not at:
        return stage
    about = dict(stage.about)
    if "network" in about:
        about["network"] = _row_name(about["network"], at)
    return replace(stage, role=f"{stage.role}, {' '.join(at.values())}", about=about)


def _add_row(rows: dict[str, Row], row: Row, names: Mapping[str, str]) -> None:
    name, baseline = _row_name(row.network, row.at), names.get(_baseline(row.network, names), "")
    row = rows.setdefault(name, replace(row, baseline=baseline))
    if row.baseline != baseline:
        rows[name] = replace(row, baseline="")


def _baseline(network: str, names: Mapping[str, str]) -> str:
    """The N_pre that a network is compared with: of several its own."""
    if network in ("untrained", "n_pre") or (network.startswith("n_pre_") and network != "n_pre_2x"):
        return ""
    own = network.replace("n_cf_", "n_pre_", 1)
    return own if own != network and own in names else "n_pre"
