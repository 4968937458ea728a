"""CLUSTER.METHOD consensus: one set of pseudo-labels made of those of every N_pre."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

from cfvideo.core.clustering.consensus import MAX_NUMBERS
from cfvideo.core.errors import ConfigError
from cfvideo.core.flops import kmeans_flops
from cfvideo.core.pipeline.context import Context
from cfvideo.core.stage import Cost, Stage
from cfvideo.core.stages.cluster import Clustering, run_assign
from cfvideo.core.stages.consensus import label_sets_of, run_consensus

# What of CLUSTER.* decides the fit to labels; the rest is of the fits to features.
_KEYS = ("num_clusters", "num_iterations", "init", "tolerance")
# Codes have many poor optima: of five labellings of eight blobs, each with an adjusted Rand index of 0.47 to 0.54, one
# fit made 0.55, the best of three 0.91 and of ten 0.90.
RESTARTS = 10


def check_consensus(context: Context) -> None:
    """ConfigError where there is nothing to combine, or more than a fit can hold."""
    spec = context.spec.cluster
    sources = spec.num_restarts * (1 + len(context.spec.more_n_pre))
    if sources < 2:
        raise ConfigError("CLUSTER.METHOD: a consensus of one labelling is that labelling; give further N_pre as "
                          "MORE_N_PRE, or set CLUSTER.NUM_RESTARTS to the number of fits to combine, 5 for example")
    if sources * spec.num_clusters ** 2 > MAX_NUMBERS:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {spec.num_clusters} clusters of {sources} labellings with as many "
                          f"each are {sources * spec.num_clusters ** 2:,} numbers, of which a consensus holds at most "
                          f"{MAX_NUMBERS:,}; lower it to {int((MAX_NUMBERS / sources) ** 0.5)}, or combine fewer")


def consensus_stages(context: Context, seed: int, assigned: Sequence[Stage]) -> tuple[Stage, Stage]:
    """k-means on the label sets of the stages `assigned`, and the labels that N_cf learns."""
    spec, index = context.spec.cluster, context.data.d_cf
    inputs = {f"labels {number}": stage for number, stage in enumerate(assigned)}
    keys = {**{f"CLUSTER.{key.upper()}": getattr(spec, key) for key in _KEYS}, "CLUSTER.METHOD": spec.method,
            "restarts": RESTARTS, "SEED": seed}
    rows, dim = assigned[0].cost.rows, spec.num_clusters * len(assigned)
    clustering = dataclasses.replace(Clustering(**dataclasses.asdict(spec)), num_restarts=RESTARTS)
    once = kmeans_flops(rows, dim, spec.num_clusters, 1)
    cost = Cost(rows, once * spec.num_iterations * RESTARTS, rows * len(assigned) * 4, spec.num_clusters * dim * 4)
    run = partial(run_consensus, names=tuple(inputs), index_hash=index.content_hash, seed=seed, device=context.device,
                  clustering=clustering)
    about = {"seed": seed, "network": "n_cf"}
    kmeans = Stage("cluster", f"seed {seed}: n_cf, a consensus", keys, inputs, run, cost, about, version=2, by_all=True)
    give = partial(run_assign, index=index, known_labels=context.labels("d_cf", seed), device=context.device,
                   rows_of=partial(label_sets_of, names=tuple(inputs)))
    keys = {"index": index.content_hash, **context.label_keys("d_cf")}
    labels = Stage("assign", f"seed {seed}: n_cf, a consensus", keys, {**inputs, "kmeans": kmeans}, give,
                   Cost(rows, once, cost.read_bytes, rows * 8), about, version=2, by_all=True)
    return kmeans, labels
