"""Ablations over K, the number of clusters (Tables 4, 5, 7; Figures 5, 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfvideo.core.ablation.variants import ALL, Ablation, Base, Variant, numbered, whole_numbers, with_baselines
from cfvideo.core.config import flatten
from cfvideo.core.datasets import cf_source
from cfvideo.core.errors import ConfigError
from cfvideo.core.pipeline.clusters import why_no_prototypes
from cfvideo.core.report.layout import Axis

# The paper's 400 to 6,400 are 1/8 to 2 times the 3,200 of its other video experiments.
_TIMES = (1 / 8, 1 / 4, 1 / 2, 1, 2)
_KEY = "CLUSTER.NUM_CLUSTERS"


def counts(base: Base, words: Sequence[str] | None = None, *, low: int = 2) -> list[int]:
    """The K asked for, or the config's and its parts and double: at least `low`, at most the rows of D_cf."""
    if given := (base.values if words is None else words):
        return whole_numbers(given, "--values" if words is None else "--clusters", low=2, example="400 800")
    rows = base.context.data.d_cf.num_rows or cf_source(base.spec).expected_rows
    own = base.spec.cluster.num_clusters
    wanted = [max(low, round(own * factor)) for factor in _TIMES]
    return sorted({min(count, rows) if rows else count for count in wanted})


def cluster_axis(form: str, numbers: list[int]) -> Axis:
    return numbered("k", form, "number of clusters, K", "names" if form == "bars" else "log",
                    {f"k{count}": count for count in numbers})


def _sweep(numbers: list[int], at: dict[str, str], *overrides: str) -> list[Variant]:
    return [Variant({**at, "k": f"k{count}"}, (_KEY, str(count), *overrides)) for count in numbers]


def num_clusters(base: Base) -> Ablation:
    """K alone."""
    numbers = counts(base)
    return Ablation("Number of clusters", "More clusters transfer better, up to about ten times as many as there are "
                    "labels in D_pre (Tables 4, 5 and 7); the best K differs from target to target.",
                    _sweep(numbers, {}), cluster_axis("lines", numbers), "kN: K = N")


def baselines(base: Base) -> Ablation:
    """What ClusterFit is compared with, over K.

    Without labels, distillation and prototypes mean nothing (appendix D), and a finished N_pre trains no longer.
    """
    why_not = {"n_pre_2x": "n_pre_2x: N_PRE.WEIGHTS is a finished network" if base.spec.n_pre.weights else "",
               "distillation": base.no_distillation, "prototype": base.no_prototypes}
    wanted = [name for name, why in why_not.items() if not why]
    numbers = counts(base)
    return Ablation("Baselines", "ClusterFit above all of them on most targets; N_pre trained twice as long gains "
                    "little, distillation is below N_pre, prototypes are between N_pre and ClusterFit (Tables 4 and "
                    "5).",
                    _sweep(numbers, {}, *with_baselines(base.spec, *wanted)), cluster_axis("lines", numbers),
                    "kN: K = N; N_pre 2x: trained twice as long", "; ".join(filter(None, why_not.values())))


def labels_unsupervised_vs_per_label(base: Base) -> Ablation:
    """Clusters of all rows, or of each label's rows; prototypes beside."""
    # Each label has at least one cluster of its own, so K starts there.
    num_labels = max(len(np.unique(labels[labels >= 0])) for labels in
                     (base.context.data.d_cf.picked_labels(seed) for seed in base.spec.seeds))
    numbers = counts(base, low=max(2, num_labels))
    # Without labels it is the clusters per label that are refused, with what they need.
    prototype = with_baselines(base.spec, *([] if why_no_prototypes(base.context) else ["prototype"]))
    variants = [variant for method in ("unsupervised", "per_label")
                for variant in _sweep(numbers, {"method": method}, "CLUSTER.METHOD", method, *prototype)]
    return Ablation("Unsupervised or per-label clustering", "Unsupervised clustering is better than per-label "
                    "clustering for every K (Figure 6).", variants, cluster_axis("bars", numbers),
                    "kN: K = N; per label: the rows of each label are clustered by themselves")


def capacity(base: Base) -> Ablation:
    """N_pre as configured against one of N_cf's architecture."""
    if base.context.are_alike("n_pre", "n_cf"):
        raise ConfigError("capacity compares N_PRE as configured with an N_PRE of N_CF's architecture, but they are "
                          "the same here; give N_PRE a larger one (N_PRE.ARCH, N_PRE.BLOCKS, N_PRE.WIDTHS)")
    own = flatten(base.spec.n_cf, "N_PRE")
    same = [word for name in ("ARCH", "BLOCKS", "WIDTHS", "MIDPLANES") for word in
            (f"N_PRE.{name}", str(own[f"N_PRE.{name}"]))]
    numbers = counts(base)
    variants = [*_sweep(numbers, {"n_pre": "configured"}),
                *_sweep(numbers, {"n_pre": "equal"}, *same, "N_PRE.WEIGHTS", "''")]
    return Ablation("Capacity of N_pre", "A larger N_pre than N_cf is 2 to 3 points better for every K (Figure 5).",
                    variants, cluster_axis("bars", numbers),
                    "kN: K = N; configured: N_pre has its own architecture; equal: that of N_cf")


def cluster_share(base: Base) -> Ablation:
    """How many rows k-means learns from. FAISS would take 256 a centroid and not say so."""
    own = base.spec.cluster.num_clusters
    rows = base.context.data.d_cf.num_rows or cf_source(base.spec).expected_rows
    parts = [rows // (own * part) for part in (8, 4, 2)] if rows else []
    given = [word for word in base.values if word != ALL]
    numbers = whole_numbers(given, "--values", example="64 256 all") if base.values else sorted({*parts, 256} - {0})
    numbers = [number for number in numbers if not rows or number * own < rows]
    share = {f"max{number}": 100 * number * own / rows if rows else float(number) for number in numbers}
    variants = [Variant({"share": label}, ("CLUSTER.MAX_POINTS_PER_CENTROID", label.removeprefix("max")))
                for label in share]
    return Ablation("Rows that k-means learns from", "The paper says nothing of it. FAISS takes at most 256 rows per "
                    "centroid unless told otherwise, so that a sweep of K with its defaults changes two things at "
                    "once.",
                    [*variants, Variant({"share": ALL}, ("CLUSTER.MAX_POINTS_PER_CENTROID", "0"))],
                    numbered("share", "lines", "rows that k-means learns from, %", "log", {**share, ALL: 100.0}),
                    "maxN: at most N rows per centroid; all: every row")


