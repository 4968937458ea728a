"""SVMs from a few rows per class: their table, and what must be said where test rows chose their costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from cfvideo.core.report import numbers
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.numbers import Summary

WARNING = ("Test rows chose the costs of the low-shot SVMs (PROBE.SVM.CHOOSE_ON_TEST), as in the public code. So these "
           "figures flatter every network, are no fair estimate and compare with none but others chosen that way.")


@dataclass(frozen=True)
class Cell:
    """score: mAP by seed, each a mean over the draws. over_draws: their standard deviation, a mean over the seeds.
    difference: to the network's own N_pre, seed by seed; None where it has none."""

    score: Summary
    over_draws: float
    difference: Summary | None


@dataclass(frozen=True)
class LowShotTable:
    """One target. shots: rows per class, rising. lines: network -> rows per class -> cell."""

    target: str
    shots: tuple[int, ...]
    lines: Mapping[str, Mapping[int, Cell]]


def low_shot_tables(data: ReportData) -> list[LowShotTable]:
    """A table for each target that was probed with few rows, on the layer of its headline."""
    made = []
    for target in numbers.targets(data):
        lines = {name: cells for name in numbers.networks(data) if (cells := _line(data, name, target))}
        if lines:
            made.append(LowShotTable(target, tuple(sorted({k for cells in lines.values() for k in cells})), lines))
    return made


def warning(data: ReportData) -> str:
    """What must be said of the figures; empty where they are fair."""
    return WARNING if any(probe.low_shot_on_test for probe in data.probes) else ""


def _line(data: ReportData, network: str, target: str) -> dict[int, Cell]:
    own, before = (_scores(data, name, target) for name in (network, numbers.baseline_of(data, network)))
    means = {k: Summary({seed: one["mean"] for seed, one in by_seed.items()}) for k, by_seed in own.items()}
    others = {k: Summary({seed: one["mean"] for seed, one in by_seed.items()}) for k, by_seed in before.items()}
    return {k: Cell(mean, fmean(one["std"] for one in own[k].values()), numbers.paired(mean, others.get(k)))
            for k, mean in means.items()}


def _scores(data: ReportData, network: str, target: str) -> dict[int, dict[int, Mapping[str, float]]]:
    """rows per class -> seed -> mean, std, min, max."""
    found: dict[int, dict[int, Mapping[str, float]]] = {}
    for probe in numbers.probes_of(data, network, target):
        for k, scores in probe.low_shot.get(probe.layer, {}).items():
            found.setdefault(k, {})[probe.seed] = scores
    return found
