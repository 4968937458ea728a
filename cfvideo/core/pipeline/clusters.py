"""The stages that make pseudo-labels of features: cluster, assign."""

from __future__ import annotations

import dataclasses
from functools import partial

from cfvideo.core.config import flatten
from cfvideo.core.errors import ConfigError
from cfvideo.core.flops import kmeans_flops
from cfvideo.core.pipeline.context import Context
from cfvideo.core.stage import Cost, Stage
from cfvideo.core.stages.cluster import run_assign, run_cluster


def check_clusters(context: Context) -> None:
    """ConfigError where more clusters are asked for than D_cf has rows."""
    asked, d_cf = context.spec.cluster.num_clusters, context.data.d_cf
    if 0 < d_cf.num_rows < asked:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {asked} clusters asked of the {d_cf.num_rows} rows of D_CF; set "
                          f"it to at most {d_cf.num_rows}, or add videos")


def cluster_stage(context: Context, seed: int, features: Stage) -> Stage:
    """k-means on D_cf's features."""
    spec = context.spec.cluster
    keys = {**flatten(spec, "CLUSTER", neutral=False), "SEED": seed}
    rows, dim = features.cost.rows, context.feature_dim("n_pre")
    used = min(rows, spec.max_points_per_centroid * spec.num_clusters or rows)
    cost = Cost(rows, kmeans_flops(used, dim, spec.num_clusters, spec.num_iterations),
                features.cost.written_bytes * spec.num_iterations, spec.num_clusters * dim * 4)
    run = partial(run_cluster, seed=seed, **dataclasses.asdict(spec))
    return Stage("cluster", f"seed {seed}", keys, {"features": features}, run, cost, {"seed": seed})


def assign_stage(context: Context, seed: int, features: Stage, kmeans: Stage) -> Stage:
    """One cluster id per row of D_cf."""
    index = context.data.d_cf
    run = partial(run_assign, index=index, known_labels=index.picked_labels(seed))
    rows, dim = features.cost.rows, context.feature_dim("n_pre")
    cost = Cost(rows, kmeans_flops(rows, dim, context.spec.cluster.num_clusters, 1), features.cost.written_bytes,
                rows * 8)
    return Stage("assign", f"seed {seed}", {"index": index.content_hash}, {"features": features, "kmeans": kmeans},
                 run, cost, {"seed": seed})
