"""What the paper compares ClusterFit with (section 4), as further wirings of the same stages."""

from __future__ import annotations

from cfvideo.core.errors import ConfigError
from cfvideo.core.pipeline.clusters import assign_stage, cluster_stage, why_no_prototypes
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.teaching import why_no_teacher
from cfvideo.core.pipeline.training import (
    distillation_stage,
    pretrain_stage,
    regression_stage,
    train_cf_stage,
)
from cfvideo.core.stage import Stage


def baseline_stages(context: Context, seed: int, n_pre: Stage, features: Stage) -> dict[str, list[Stage]]:
    """The stages of each of BASELINES, in the order of the paper's tables; the last of each is its network.

    Raises:
        ConfigError: N_pre cannot be distilled, or D_cf has no prototypes, with what keeps it from it.
    """
    made: dict[str, list[Stage]] = {}
    wanted = context.spec.baselines
    if "n_pre_2x" in wanted:
        made["n_pre_2x"] = [pretrain_stage(context, seed, "n_pre_2x")]
    if "distillation" in wanted:
        if why := why_no_teacher(context):
            raise ConfigError(f"BASELINES distillation: {why}; make them agree, or leave distillation out of BASELINES")
        made["distillation"] = [distillation_stage(context, seed, n_pre)]
    if "regression" in wanted:
        made["regression"] = [regression_stage(context, seed, features)]
    if "prototype" in wanted:
        if why := why_no_prototypes(context):
            raise ConfigError(f"BASELINES prototype: {why}; give it labels, or leave prototype out of BASELINES")
        kmeans = cluster_stage(context, seed, features, "prototypes", prototypes=True)
        labels = assign_stage(context, seed, features, kmeans)
        made["prototype"] = [kmeans, labels, train_cf_stage(context, seed, "prototype", [labels])]
    return made
