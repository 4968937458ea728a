"""The stages that make pseudo-labels of features: cluster, assign."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from cfvideo.core.config import flatten
from cfvideo.core.errors import ConfigError
from cfvideo.core.flops import kmeans_flops
from cfvideo.core.pipeline.consensus import check_consensus
from cfvideo.core.pipeline.context import Context
from cfvideo.core.randomness import derived_seed
from cfvideo.core.specs import ClusterSpec
from cfvideo.core.stage import Cost, Stage
from cfvideo.core.stages.cluster import CONSENSUS, PROTOTYPE, UNSUPERVISED, Clustering, run_assign, run_cluster


def check_clusters(context: Context) -> None:
    """ConfigError where CLUSTER.* asks for what D_cf cannot give."""
    spec, d_cf = context.spec.cluster, context.data.d_cf
    if spec.method != PROTOTYPE and 0 < d_cf.num_rows < spec.num_clusters:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {spec.num_clusters} clusters asked of the {d_cf.num_rows} rows of "
                          f"D_CF; set it to at most {d_cf.num_rows}, or add videos")
    if spec.method == CONSENSUS:
        check_consensus(context)
    elif spec.method != UNSUPERVISED and d_cf.num_rows:
        for seed in context.spec.seeds:
            _check_labels(context, seed)


def why_no_prototypes(context: Context) -> str:
    """What keeps D_cf from having clusters around its labels' means; "" where nothing does, or D_cf is not here yet."""
    d_cf = context.data.d_cf
    return "no row of D_CF has a label" if d_cf.num_rows and not len(d_cf.labels_csr()[1]) else ""


def _check_labels(context: Context, seed: int) -> None:
    picked = context.labels("d_cf", seed)
    num_labels, spec = len(np.unique(picked[picked >= 0])), context.spec.cluster
    if num_labels == 0:
        raise ConfigError(f"CLUSTER.METHOD: {spec.method} needs labels, but no row of D_CF has one; set it to "
                          f"{UNSUPERVISED} or give D_CF labels")
    if spec.method != PROTOTYPE and spec.num_clusters < num_labels:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {spec.num_clusters} clusters for the {num_labels} labels of D_CF, "
                          f"but CLUSTER.METHOD per_label gives each label at least one; set it to {num_labels} or "
                          "more, or drop rare labels with D_CF.MIN_ROWS_PER_LABEL")


def cluster_stage(context: Context, seed: int, features: Stage, name: str, *, prototypes: bool = False,
                  restart: int = 0) -> Stage:
    """k-means on D_cf's features, or on those of each label; or, whatever CLUSTER.METHOD says, the labels' means.

    name: of the clusters. restart: which of the fits that a consensus is made of; the first is that of METHOD
    unsupervised.
    """
    spec = context.spec.cluster
    if prototypes:
        spec = ClusterSpec(method=PROTOTYPE, l2_normalise=spec.l2_normalise, pca_dim=spec.pca_dim,
                           pca_whiten=spec.pca_whiten, pca_rows=spec.pca_rows)
    elif spec.method == CONSENSUS:
        spec = dataclasses.replace(spec, method=UNSUPERVISED, num_restarts=1)
    fit_seed = derived_seed(seed, f"restart {restart}") if restart else seed
    keys = {**flatten(spec, "CLUSTER", neutral=False), "SEED": fit_seed}
    if spec.method != UNSUPERVISED:
        keys |= context.label_keys("d_cf")
    clustering = Clustering(**dataclasses.asdict(spec))
    rows, dim = features.cost.rows, spec.pca_dim or context.feature_dim(features.about["network"])
    schedule = clustering.schedule(max(1, rows))
    passes = sum(share * iterations * restarts for share, iterations, restarts in schedule)
    cost = Cost(rows, kmeans_flops(rows, dim, _compared_with(context, spec), 1) * passes,
                int(features.cost.written_bytes * (passes + 2)), spec.num_clusters * dim * 4)
    run = partial(run_cluster, clustering=clustering, labels=context.labels("d_cf", seed), seed=fit_seed,
                  device=context.device)
    return Stage("cluster", f"seed {seed}: {name}", keys, {"features": features}, run, cost,
                 {"seed": seed, "network": name, "passes": passes}, version=2, by_all=True)


def _compared_with(context: Context, spec: ClusterSpec) -> int:
    """How many centroids a row is compared with, about."""
    num_labels = max(1, len(context.data.d_cf.label_names))
    return {UNSUPERVISED: spec.num_clusters, PROTOTYPE: 1}.get(spec.method, -(-spec.num_clusters // num_labels))


def assign_stage(context: Context, seed: int, features: Stage, kmeans: Stage) -> Stage:
    """One cluster id per row of D_cf."""
    index, own = context.data.d_cf, kmeans.about["network"]
    run = partial(run_assign, index=index, known_labels=context.labels("d_cf", seed), device=context.device)
    cost = Cost(features.cost.rows, kmeans.cost.flops / max(1.0, kmeans.about["passes"]), features.cost.written_bytes,
                features.cost.rows * 8)
    keys = {"index": index.content_hash, **context.label_keys("d_cf")}
    return Stage("assign", f"seed {seed}: {own}", keys, {"features": features, "kmeans": kmeans}, run, cost,
                 {"seed": seed, "network": own}, version=2, by_all=True)
