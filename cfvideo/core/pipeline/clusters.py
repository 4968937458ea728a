"""The stages that make pseudo-labels of features: cluster, assign."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from cfvideo.core.config import flatten
from cfvideo.core.errors import ConfigError
from cfvideo.core.flops import kmeans_flops
from cfvideo.core.pipeline.context import Context
from cfvideo.core.stage import Cost, Stage
from cfvideo.core.stages.cluster import PROTOTYPE, UNSUPERVISED, Clustering, run_assign, run_cluster


def check_clusters(context: Context) -> None:
    """ConfigError where CLUSTER.* asks for what D_cf cannot give."""
    spec, d_cf = context.spec.cluster, context.data.d_cf
    if spec.method != PROTOTYPE and 0 < d_cf.num_rows < spec.num_clusters:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {spec.num_clusters} clusters asked of the {d_cf.num_rows} rows of "
                          f"D_CF; set it to at most {d_cf.num_rows}, or add videos")
    if spec.method != UNSUPERVISED and d_cf.num_rows:
        for seed in context.spec.seeds:
            _check_labels(context, seed)


def _check_labels(context: Context, seed: int) -> None:
    picked = context.data.d_cf.picked_labels(seed)
    num_labels, spec = len(np.unique(picked[picked >= 0])), context.spec.cluster
    if num_labels == 0:
        raise ConfigError(f"CLUSTER.METHOD: {spec.method} needs labels, but no row of D_CF has one; set it to "
                          f"{UNSUPERVISED} or give D_CF labels")
    if spec.method != PROTOTYPE and spec.num_clusters < num_labels:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {spec.num_clusters} clusters for the {num_labels} labels of D_CF, "
                          f"but CLUSTER.METHOD per_label gives each label at least one; set it to {num_labels} or "
                          "more, or drop rare labels with D_CF.MIN_ROWS_PER_LABEL")


def cluster_stage(context: Context, seed: int, features: Stage) -> Stage:
    """k-means on D_cf's features, or on those of each label."""
    spec, index = context.spec.cluster, context.data.d_cf
    keys = {**flatten(spec, "CLUSTER", neutral=False), "SEED": seed}
    clustering = Clustering(**dataclasses.asdict(spec))
    rows, dim = features.cost.rows, spec.pca_dim or context.feature_dim("n_pre")
    schedule = clustering.schedule(max(1, rows))
    passes = sum(share * iterations * restarts for share, iterations, restarts in schedule)
    cost = Cost(rows, kmeans_flops(rows, dim, _compared_with(context), 1) * passes,
                int(features.cost.written_bytes * (passes + 2)), spec.num_clusters * dim * 4)
    run = partial(run_cluster, clustering=clustering, labels=index.picked_labels(seed), seed=seed,
                  device=context.device)
    return Stage("cluster", f"seed {seed}", keys, {"features": features}, run, cost, {"seed": seed}, version=2)


def _compared_with(context: Context) -> int:
    """How many centroids a row is compared with, about."""
    spec, num_labels = context.spec.cluster, max(1, len(context.data.d_cf.label_names))
    return {UNSUPERVISED: spec.num_clusters, PROTOTYPE: 1}.get(spec.method, -(-spec.num_clusters // num_labels))


def assign_stage(context: Context, seed: int, features: Stage, kmeans: Stage) -> Stage:
    """One cluster id per row of D_cf."""
    index, spec = context.data.d_cf, context.spec.cluster
    run = partial(run_assign, index=index, known_labels=index.picked_labels(seed), device=context.device)
    rows, dim = features.cost.rows, spec.pca_dim or context.feature_dim("n_pre")
    compared = len(index.label_names) if spec.method == PROTOTYPE else _compared_with(context)
    cost = Cost(rows, kmeans_flops(rows, dim, compared, 1), features.cost.written_bytes, rows * 8)
    return Stage("assign", f"seed {seed}", {"index": index.content_hash}, {"features": features, "kmeans": kmeans},
                 run, cost, {"seed": seed}, version=2)
