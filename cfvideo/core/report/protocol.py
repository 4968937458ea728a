"""How the probes were done, in a sentence: what a reader must know to compare their figures with others'."""

from __future__ import annotations

from collections.abc import Mapping

from cfvideo.core.report import numbers
from cfvideo.core.report.data import ProbeResult, ReportData

FINE_TUNING = "fine-tuning"
_METHODS = {"linear": "linear classifier on frozen features", "knn": "nearest neighbours of frozen features",
            "svm": "one linear SVM per class on frozen features",
            FINE_TUNING: "the whole network trained on the target, scored by its own classifier"}
_NAMES = {"linear": "linear probe", "knn": "k-NN", "svm": "SVM", FINE_TUNING: "own classifier"}
_SOLVERS = {"lbfgs": "logistic regression to convergence (L-BFGS)", "ridge": "least squares",
            "sgd": "mini-batch SGD, the paper's protocol"}
# The paper's supplement D says two; both public code bases that it builds on have three.
_DROPS = {"three": "rate divided by ten three times, as in the public code; the paper says twice",
          "two": "rate divided by ten twice, as the paper says; the public code has three",
          "none": "constant rate; the paper divides it by ten twice"}


def protocols(data: ReportData) -> list[str]:
    """One sentence for each way of probing, with the targets that it was used on."""
    found: dict[str, list[str]] = {}
    for target in numbers.targets(data):
        for text in dict.fromkeys(_sentence(probe) for probe in data.probes if probe.target == target):
            found.setdefault(text, []).append(target)
    return [f"{', '.join(targets)}: {text}." for text, targets in found.items()]


def yardstick(data: ReportData, target: str) -> str:
    """What judges a target, in two words for the head of its column."""
    methods = dict.fromkeys(probe.method for probe in data.probes if probe.target == target)
    return ", ".join(method_name(method) for method in methods)


def method_name(method: str) -> str:
    return _NAMES.get(method, method)


def _sentence(probe: ProbeResult) -> str:
    parts = [_METHODS.get(probe.method, probe.method), *in_words(probe.protocol)]
    if len(probe.results.get(probe.method, {})) > 1:
        parts.append("of several layers the one that held-out training rows prefer")
    return "; ".join(parts)


def in_words(said: Mapping[str, object]) -> list[str]:
    """What a probe's protocol says, each part as a phrase."""
    parts = []
    if "solver" in said:
        parts.append(_SOLVERS.get(str(said["solver"]), str(said["solver"])))
    if "epochs" in said:
        parts.append(f"{said['epochs']} epochs, {said['batch_size']} rows a step, {_DROPS[str(said['drops'])]}, "
                     f"features scaled: {str(said['scaling']).replace('_', ' ')}")
    if "num_clips" in said:
        averaged = "probabilities" if said.get("averaged_over_clips") == "softmax" else "features"
        parts.append(f"{averaged} averaged over {said['num_clips']} views of each row" if said["num_clips"] != 1
                     else "one view of each row" + (", the whole picture squeezed" if "squeezed" in said else ""))
    return parts
