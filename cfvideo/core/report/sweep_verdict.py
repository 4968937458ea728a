"""What the numbers of many networks say on one target, and what its test rows can tell apart at all."""

from __future__ import annotations

from math import sqrt

from cfvideo.core.report import numbers
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.numbers import BASELINE, UNTRAINED, Comparison
from cfvideo.core.report.text import network_text, percent, points, seed_values


def of_many(data: ReportData, target: str, candidates: list[str]) -> list[str]:
    """A few sentences on all ClusterFit networks together; the one that is best is named with what that is worth."""
    found = [numbers.compare(data, name, target) for name in candidates]
    comparisons = [comparison for comparison in found if comparison is not None]
    if not comparisons:
        return ["Nothing compares N_cf with N_pre here."]
    above = [one for one in comparisons if one.difference.mean > numbers.TIE]
    always = [one for one in comparisons if len(one.won) == one.num_seeds]
    text = f"{len(above)} of {len(comparisons)} ClusterFit networks are above their N_pre in the mean"
    several = max(one.num_seeds for one in comparisons) > 1
    text += f", {len(always)} of them on every seed." if several else "; a single seed settles nothing."
    return [text, _highest(data, target, comparisons), *_untrained(data, target), *resolution(data, target)]


def _highest(data: ReportData, target: str, comparisons: list[Comparison]) -> str:
    means = [summary.mean if (summary := numbers.summarise(data, one.candidate, target)) else 0.0
             for one in comparisons]
    value = max(means)
    best = comparisons[means.index(value)]
    seeds = f"; {seed_values(best.difference, signed=True)}" if best.num_seeds > 1 else ""
    return (f"The highest is {network_text(best.candidate)} with {percent(value)}, "
            f"{points(best.difference.mean)} points to {network_text(best.baseline)}{seeds}. It is the best of "
            f"{len(comparisons)} on the rows that it is judged by, so its own figure flatters it.")


def _untrained(data: ReportData, target: str) -> list[str]:
    random = numbers.summarise(data, UNTRAINED, target)
    if random is None:
        return ["No untrained network was probed, so what training is worth here is not shown."]
    others = {name: summary.mean for name in numbers.networks(data) if name != UNTRAINED
              and (summary := numbers.summarise(data, name, target)) is not None}
    below = [network_text(name) for name, mean in others.items() if mean <= random.mean]
    if not below:
        return [f"All {len(others)} trained networks are above the untrained one ({percent(random.mean)})."]
    return [f"The untrained network ({percent(random.mean)}) is as good as or better than {', '.join(below)}: there, "
            "training gained nothing."]


def resolution(data: ReportData, target: str) -> list[str]:
    """What a test set of this size can tell apart, and which rows the accuracies leave out."""
    probes = [probe for probe in data.probes if probe.target == target]
    rows, metric = min(probe.num_test_rows for probe in probes), numbers.metrics(data, target)[0]
    left_out = {"undecodable test rows": max(probe.num_invalid_rows for probe in probes),
                "test rows without a label": max(probe.num_unlabelled_rows for probe in probes)}
    sentences = []
    before = numbers.summarise(data, BASELINE, target) or numbers.summarise(data, probes[0].network, target)
    if metric in numbers.ROW_SHARES and before is not None and rows > 0:
        error = sqrt(before.mean * (1 - before.mean) / rows)
        sentences.append(f"With {rows} test rows, one standard error of a single accuracy is about "
                         f"{percent(error)} points.")
    sentences += [f"{count} {which} are left out of the accuracies." for which, count in left_out.items() if count]
    return sentences
