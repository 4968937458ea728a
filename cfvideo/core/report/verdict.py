"""What the numbers say, in plain sentences, whichever way they point."""

from __future__ import annotations

from cfvideo.core.report import numbers
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.numbers import UNTRAINED, Comparison
from cfvideo.core.report.sweep_verdict import of_many, resolution
from cfvideo.core.report.text import network_text, percent, points, seed_values, seeds_won_text, visible


def verdict(data: ReportData) -> list[str]:
    """First the count over all targets and seeds, then a paragraph per target, computed from the probes alone. Lost
    seeds and an untrained network that does better are always said."""
    targets = numbers.targets(data)
    if not targets:
        return ["No target task was probed, so this run says nothing about transfer."]
    candidates = numbers.candidates(data) or ["n_cf"]
    paragraphs = [_overall(data, targets, candidates)]
    of_target = of_many if numbers.in_lines(data) else _of_target
    paragraphs += [f"{target}: {' '.join(of_target(data, target, candidates))}" for target in targets]
    return [visible(paragraph) for paragraph in paragraphs]


def _of_target(data: ReportData, target: str, candidates: list[str]) -> list[str]:
    sentences = []
    for candidate in candidates:
        comparison = numbers.compare(data, candidate, target)
        sentences.append(_difference(comparison) if comparison else
                         f"No seed has both N_pre and {network_text(candidate)}, so there is nothing to compare.")
        sentences.append(_against_untrained(data, target, candidate))
    return [*sentences, *resolution(data, target)]


def _difference(comparison: Comparison) -> str:
    summary, count = comparison.difference, comparison.num_seeds
    text = seeds_won_text(comparison)
    if summary.spread is None:
        text += f", difference {points(summary.mean)} points. A single seed gives no spread, so this settles nothing."
    else:
        text += f", mean difference {points(summary.mean)} points (spread {percent(summary.spread)}; "
        text += f"{seed_values(summary, signed=True)}). "
        text += _strength_of_evidence(comparison, count)
    if comparison.unpaired:
        text += f" Left out, only one of the two networks ran: seeds {', '.join(map(str, comparison.unpaired))}."
    return text


def _strength_of_evidence(comparison: Comparison, count: int) -> str:
    if len(comparison.won) == count:
        return f"Without any effect, {count} wins out of {count} would come up once in {2 ** count} runs."
    if len(comparison.lost) == count:
        return "ClusterFit hurt here, on every seed."
    if not comparison.won and not comparison.lost:
        return "No difference at all."
    return "The seeds disagree, so this is no clear result either way."


def _against_untrained(data: ReportData, target: str, candidate: str) -> str:
    baseline = numbers.baseline_of(data, candidate)
    random, before, after = (numbers.summarise(data, name, target) for name in (UNTRAINED, baseline, candidate))
    name = network_text(candidate)
    if random is None or before is None or after is None:
        return f"Untrained, N_pre and {name} were not all probed, so what training is worth here is not shown."
    value = f"untrained network ({percent(random.mean)})"
    if random.mean >= max(before.mean, after.mean):
        return (f"The {value} is as good as or better than both N_pre ({percent(before.mean)}) and {name} "
                f"({percent(after.mean)}): training gained nothing here, and the difference between the two is no "
                "evidence for ClusterFit.")
    if random.mean >= before.mean:
        return (f"The {value} is as good as or better than N_pre ({percent(before.mean)}); only {name} "
                f"({percent(after.mean)}) is above it, by {points(after.mean - random.mean)} points.")
    if random.mean >= after.mean:
        return (f"The {value} is as good as or better than {name} ({percent(after.mean)}): ClusterFit lost what "
                f"N_pre ({percent(before.mean)}) had gained.")
    return (f"Both are above the {value}, N_pre by {points(before.mean - random.mean)} and {name} by "
            f"{points(after.mean - random.mean)} points.")


def _overall(data: ReportData, targets: list[str], candidates: list[str]) -> str:
    found = [numbers.compare(data, candidate, target) for candidate in candidates for target in targets]
    comparisons = [comparison for comparison in found if comparison is not None]
    total = sum(comparison.num_seeds for comparison in comparisons)
    if not total:
        return "Over all: nothing compares N_cf with N_pre."
    won, lost = (sum(len(getattr(item, side)) for item in comparisons) for side in ("won", "lost"))
    return (f"Over all targets and seeds: ClusterFit was better than N_pre in {won} of {total} cases, worse in {lost}, "
            f"equal in {total - won - lost}.")
