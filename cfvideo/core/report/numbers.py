"""The arithmetic of a report: means, spreads and paired differences over seeds. Values are fractions throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.report.data import ProbeResult, ReportData, TrainingCurve

BASELINE = "n_pre"
UNTRAINED = "untrained"
# The headline metric of a target is the first of these that its probes carry.
METRIC_ORDER = ("top1", "mean_ap", "map", "mean_class", "top5")
METRIC_NAMES = {"top1": "top-1 accuracy", "top5": "top-5 accuracy", "mean_class": "mean per-class accuracy",
                "map": "mAP", "mean_ap": "mAP", "map_11_point": "mAP, 11 points"}
# What a yardstick is judged by where it is not the first of METRIC_ORDER.
HEADLINES = {"svm": "map"}
# With more of them a table has a line for each network, as the paper's Tables 6 to 8, and not a column.
MOST_COLUMNS, MOST_DIFFERENCES = 6, 3
# Shares of independent rows, for which the binomial standard error is right.
ROW_SHARES = ("top1", "top5")
# Closer than this (a fraction) two accuracies are the same number, written in floating point.
TIE = 1e-9


@dataclass(frozen=True)
class Summary:
    """Values by seed. mean over seeds; spread: sample standard deviation (n - 1), None for one seed."""

    by_seed: Mapping[int, float]

    @property
    def mean(self) -> float:
        return fmean(self.by_seed.values())

    @property
    def spread(self) -> float | None:
        return stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None

    @property
    def agreement(self) -> str:
        """Of differences: good or bad where several seeds all are, else even; one seed alone earns no colour."""
        values = self.by_seed.values()
        if len(values) < 2:
            return "even"
        return "good" if min(values) > TIE else "bad" if max(values) < -TIE else "even"


@dataclass(frozen=True)
class Comparison:
    """candidate - baseline on one target, seed by seed. unpaired: seeds on which only one of the two ran."""

    candidate: str
    baseline: str
    target: str
    difference: Summary
    unpaired: tuple[int, ...]

    @property
    def won(self) -> tuple[int, ...]:
        return tuple(seed for seed, value in self.difference.by_seed.items() if value > TIE)

    @property
    def lost(self) -> tuple[int, ...]:
        return tuple(seed for seed, value in self.difference.by_seed.items() if value < -TIE)

    @property
    def num_seeds(self) -> int:
        return len(self.difference.by_seed)


def networks(data: ReportData) -> list[str]:
    """Probed networks in the paper's order: untrained, every N_pre, further baselines, ClusterFit."""
    seen = list(dict.fromkeys(probe.network for probe in data.probes))
    return sorted(seen, key=_rank)


def _rank(network: str) -> int:
    if network == UNTRAINED:
        return 0
    if network == BASELINE or (network.startswith(f"{BASELINE}_") and not network.startswith(f"{BASELINE}_2x")):
        return 1
    return 3 if is_clusterfit(network) else 2


def is_clusterfit(network: str) -> bool:
    return network == "n_cf" or network.startswith("n_cf_")


def candidates(data: ReportData) -> list[str]:
    """The networks that are compared with N_pre."""
    return [name for name in networks(data) if is_clusterfit(name)]


def baseline_of(data: ReportData, network: str) -> str:
    """The N_pre that a network is compared with; empty: none."""
    return data.layout.baselines.get(network, "" if network in (BASELINE, UNTRAINED) else BASELINE)


def in_lines(data: ReportData) -> bool:
    """Whether the networks are the lines of the table, because they would be too many columns."""
    return len(networks(data)) > MOST_COLUMNS or len(candidates(data)) > MOST_DIFFERENCES


def targets(data: ReportData) -> list[str]:
    return list(dict.fromkeys(probe.target for probe in data.probes))


def seeds(data: ReportData) -> list[int]:
    return sorted({probe.seed for probe in data.probes})


def metrics(data: ReportData, target: str) -> list[str]:
    """Names of a target's metrics, the headline first."""
    own = [probe for probe in data.probes if probe.target == target]
    names = dict.fromkeys(name for probe in own for name in probe.metrics)
    first = [HEADLINES[probe.method] for probe in own if probe.method in HEADLINES]
    rank = {name: place for place, name in enumerate(dict.fromkeys([*first, *METRIC_ORDER]))}
    return sorted(names, key=lambda name: rank.get(name, len(rank)))


def metric_name(metric: str) -> str:
    return METRIC_NAMES.get(metric, metric)


def probes_of(data: ReportData, network: str, target: str) -> list[ProbeResult]:
    found = [probe for probe in data.probes if (probe.network, probe.target) == (network, target)]
    return sorted(found, key=lambda probe: probe.seed)


def summarise(data: ReportData, network: str, target: str, metric: str | None = None) -> Summary | None:
    """One cell of the table; metric None: the target's headline. None where nothing was measured."""
    metric = metric or next(iter(metrics(data, target)), "")
    values = {probe.seed: probe.metrics[metric] for probe in probes_of(data, network, target)
              if metric in probe.metrics}
    return Summary(values) if values else None


def compare(data: ReportData, candidate: str, target: str) -> Comparison | None:
    """The headline metric's paired difference to the network's own N_pre; None where no seed ran both."""
    baseline = baseline_of(data, candidate)
    first, second = summarise(data, candidate, target), summarise(data, baseline, target)
    difference = paired(first, second)
    if first is None or second is None or difference is None:
        return None
    unpaired = tuple(sorted(first.by_seed.keys() ^ second.by_seed.keys()))
    return Comparison(candidate, baseline, target, difference, unpaired)


def paired(first: Summary | None, second: Summary | None) -> Summary | None:
    """first - second on the seeds that both have; None where there are none."""
    if first is None or second is None:
        return None
    values = {seed: value - second.by_seed[seed] for seed, value in first.by_seed.items() if seed in second.by_seed}
    return Summary(values) if values else None


def by_layer(data: ReportData, network: str, target: str) -> dict[str, Summary]:
    """The headline metric on every layer that was probed, over seeds."""
    metric = next(iter(metrics(data, target)), "")
    values: dict[str, dict[int, float]] = {}
    for probe in probes_of(data, network, target):
        for layer, figures in probe.results.get(probe.method, {}).items():
            if metric in figures:
                values.setdefault(layer, {})[probe.seed] = figures[metric]
    return {layer: Summary(found) for layer, found in values.items()}


def label_memory(curves: Sequence[TrainingCurve], network: str) -> Summary | None:
    """How much of its own training labels a network gives back, over seeds."""
    values = {curve.seed: curve.final_label_accuracy for curve in sorted(curves, key=lambda curve: curve.seed)
              if curve.network == network and curve.final_label_accuracy is not None}
    return Summary(values) if values else None


def pick_clusters(sizes: NDArray[np.int64], count: int) -> list[int]:
    """At most `count` non-empty clusters worth looking at, spread evenly over the size ranks: the largest first, the
    smallest last, the median in the middle (count odd). Equal sizes: lower number first."""
    order = np.argsort(-np.asarray(sizes, dtype=np.int64), kind="stable")
    order = order[: int((np.asarray(sizes) > 0).sum())]
    if not len(order) or count < 1:
        return []
    ranks = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64))
    return [int(cluster) for cluster in order[ranks]]
