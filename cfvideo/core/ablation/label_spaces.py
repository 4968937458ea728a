"""Ablations of what N_pre learns (section 3.2, Figures 3, 7, 8): how wrong its labels are, how many, and which.

D_cf stays the same: where it is D_pre, D_cf is all of D_pre's videos.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cfvideo.core.ablation.cluster_counts import counts
from cfvideo.core.ablation.variants import (
    ALL,
    Ablation,
    Base,
    Variant,
    numbered,
    quoted,
    whole_numbers,
    with_baselines,
)
from cfvideo.core.config import flatten, learn_labels
from cfvideo.core.errors import ConfigError
from cfvideo.core.report.layout import Axis

_NOISE_PERCENT = ("0", "25", "50", "75")
_TOP = (10, 30, 100)
_DISTILLATION = "distillation"
_MAX_ROWS = "D_PRE.LABELS.MAX_ROWS"


def _need_a_learner(base: Base, name: str) -> None:
    if not learn_labels(base.spec):
        raise ConfigError(f"{name} changes the labels that N_pre learns, but it learns none here: leave N_PRE.WEIGHTS "
                          "and N_PRE.TASK out")


def label_noise(base: Base) -> Ablation:
    """Uniformly wrong labels of D_pre, with several K and distillation."""
    _need_a_learner(base, "label_noise")
    shares = whole_numbers(base.values or _NOISE_PERCENT, "--values", low=0, example="0 25 50 75")
    if shares[-1] > 100:
        raise ConfigError(f"--values {shares[-1]}: a share of wrong labels is at most 100 per cent")
    beside = with_baselines(base.spec, *([] if base.no_distillation else ["distillation"]))
    variants = [Variant({"noise": f"p{share}", "k": f"k{count}"},
                        ("D_PRE.LABELS.NOISE", str(share / 100), "CLUSTER.NUM_CLUSTERS", str(count), *beside))
                for share in shares for count in counts(base, base.clusters)]
    return Ablation("Label noise", "N_pre loses more than N_cf as labels go wrong, so that the gap grows with the "
                    "noise; distillation is between them; larger K is better (Figure 3).", variants,
                    numbered("noise", "lines", "wrong labels of D_pre, %", "linear",
                             {f"p{share}": float(share) for share in shares}),
                    "pN: N % of the labels of D_pre are wrong; kN: K = N", base.no_distillation)


def num_labels(base: Base) -> Ablation:
    """The most frequent labels of D_pre, each time with the same number of videos."""
    _need_a_learner(base, "num_labels")
    known = len(base.data_under((_MAX_ROWS, "0", "D_PRE.LABELS.TOP", "0")).d_pre.label_names)
    given = [word for word in base.values if word != ALL] if base.values else [str(top) for top in _TOP]
    tops = [top for top in whole_numbers(given, "--values", low=2, example="10 100 all") if not known or top < known]
    own = {f"m{top}": ("D_PRE.LABELS.TOP", str(top)) for top in tops} | {ALL: ("D_PRE.LABELS.TOP", "0")}
    places = {f"m{top}": float(top) for top in tops} | {ALL: float(known or 10 * max(tops, default=1))}
    return Ablation("Number of labels in D_pre", "Transfer grows with the logarithm of the number of labels; the top "
                    "10 of 438 are about 9 points below all of them, the top 100 within 2 points (Figure 7).",
                    _equal_rows(base, "labels", own),
                    numbered("labels", "lines", "number of labels of D_pre", "log", places),
                    "mN: the N most frequent labels of D_pre; all: every label; the same number of videos each time",
                    _without_distillation(base))


def label_nature(base: Base) -> Ablation:
    """Label lists of different kinds, each time with the same number of videos."""
    _need_a_learner(base, "label_nature")
    if not base.lists:
        raise ConfigError("label_nature needs --lists: text files of label names of D_PRE, one name a line, such as "
                          "--lists verbs.txt nouns.txt")
    files = {_label(file): file for file in base.lists}
    if len(files) < len(base.lists):
        raise ConfigError(f"--lists: two files have the same name: {', '.join(map(str, base.lists))}; rename one")
    own = {label: ("D_PRE.LABELS.ONLY", quoted(str(file))) for label, file in files.items()}
    places = {label: (float(rank), label.replace("_", " ")) for rank, label in enumerate(files)}
    return Ablation("Nature of the labels of D_pre", "Verbs, nouns and the target's own words all gain from "
                    "ClusterFit; labels of the target's domain are slightly better on it (Figure 8).",
                    _equal_rows(base, "list", own),
                    Axis("list", "bars", "labels of D_pre", "names", places),
                    "each list of labels with the same number of videos", _without_distillation(base))


def _label(file: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_") or "list"


def _equal_rows(base: Base, axis: str, own: Mapping[str, tuple[str, ...]]) -> list[Variant]:
    """A variant per label space, all with as many videos as the smallest has."""
    spaces = {label: base.data_under((_MAX_ROWS, "0", *words)).d_pre for label, words in own.items()}
    lonely = [label for label, space in spaces.items() if space.num_rows and len(space.label_names) < 2]
    if lonely:
        raise ConfigError(f"{lonely[0]}: N_pre would learn a single label, which is none: give at least two")
    limit, sizes = base.spec.d_pre.labels.max_rows, [space.num_rows for space in spaces.values()]
    fewest = min([*sizes, limit] if limit else sizes)
    fixed = (_MAX_ROWS, str(fewest), *with_baselines(base.spec, without=(_DISTILLATION,)), *_own_d_cf(base))
    return [Variant({axis: label}, (*words, *fixed)) for label, words in own.items()]


def _without_distillation(base: Base) -> str:
    """What `_equal_rows` leaves out of the config's own baselines."""
    return (f"{_DISTILLATION}: it learns the labels of D_cf from N_pre, which learns others here"
            if _DISTILLATION in base.spec.baselines else "")


def _own_d_cf(base: Base) -> list[str]:
    """D_CF as D_PRE is before LABELS, where the config leaves it out."""
    if base.spec.d_cf.path:
        return []
    source = flatten(base.spec.d_pre, "D_CF")
    return [word for key, value in source.items() if ".LABELS." not in key
            for word in (key, quoted(value) if isinstance(value, str) else str(value))]
