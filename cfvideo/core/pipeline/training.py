"""The stages that make networks: untrained, pretrain, train_cf and the baselines' trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from torch import nn

from cfvideo.core.config import flatten
from cfvideo.core.feature_rows import FeatureRows
from cfvideo.core.features import FeatureStore
from cfvideo.core.flops import TRAINING_FACTOR
from cfvideo.core.index import Index
from cfvideo.core.network_file import FILE_NAME, load_network
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.solver_keys import solver_keys
from cfvideo.core.pseudo_labels import PseudoLabels, cluster_names
from cfvideo.core.recipes import recipe
from cfvideo.core.stage import Cost, Stage, Workspace
from cfvideo.core.stages.cluster import LABELS
from cfvideo.core.stages.train import run_imported, run_train, run_untrained
from cfvideo.core.training.objectives import (
    DistillationObjective,
    LabelObjective,
    Objective,
    PretextObjective,
    RegressionObjective,
)
from cfvideo.core.training.teacher import Teacher

# Raised when equal keys give other bytes.
TRAIN_VERSION = 4


def untrained_stage(context: Context, seed: int) -> Stage:
    """N_cf's network as it is drawn: the row that every table needs."""
    spec = context.spec.n_cf
    keys = {**flatten(spec, "N_CF", neutral=False), "SEED": seed}
    keys = {key: value for key, value in keys.items() if ".SOLVER." not in key}
    run = partial(run_untrained, modality=context.modality, recipe=recipe(spec, "n_cf", seed), num_classes=2)
    return Stage("untrained", f"seed {seed}", keys, {}, run, about={"seed": seed, "network": "untrained"})


def pretrain_stage(context: Context, seed: int, name: str = "n_pre") -> Stage:
    """N_pre on the labels of D_pre, of several labels of a row one picked for good (paper, supplement C), or on a
    pretext task. n_pre_2x: the same weights and order of samples, twice as long, the schedule stretched to it."""
    given, index, task = context.imported(name), context.data.d_pre, context.network(name).task
    if given is not None:
        return Stage("pretrain", f"seed {seed}: {name}, imported", {"weights": given.digest}, {},
                     partial(run_imported, source=given.path, digest=given.digest),
                     about={"seed": seed, "network": name})

    def objective_of(_work: Workspace) -> Objective:
        if task != "labels":
            classes = context.modality.pretext_classes(task, context.view(name))
            return PretextObjective(num_rows=index.num_rows, num_classes=classes)
        return LabelObjective([context.labels("d_pre", seed)], [index.label_names])

    return _train(context, seed, name, "pretrain", index, {}, objective_of, factor=2 if name == "n_pre_2x" else 1,
                  extra_keys=context.label_keys("d_pre") if task == "labels" else {})


def train_cf_stage(context: Context, seed: int, name: str, assigned: Sequence[Stage]) -> Stage:
    """N_cf from scratch on the cluster ids of D_cf; several sets of them are several heads (appendix E)."""
    index = context.data.d_cf
    inputs = {"labels" if len(assigned) == 1 else f"labels {number}": stage for number, stage in enumerate(assigned)}

    def objective_of(work: Workspace) -> Objective:
        found = [PseudoLabels.load(work.inputs[key].file(LABELS), index_hash=index.content_hash) for key in inputs]
        return LabelObjective([one.labels for one in found], cluster_names([one.num_clusters for one in found]))

    return _train(context, seed, name, "train_cf", index, inputs, objective_of)


def distillation_stage(context: Context, seed: int, n_pre: Stage) -> Stage:
    """The baseline that learns N_pre's softened outputs and D_cf's weak labels (supplement A)."""
    index, spec = context.data.d_cf, context.spec.distillation
    own, given = (context.modality.statistics(context.view(name)) for name in ("n_pre", "distillation"))

    def objective_of(work: Workspace) -> Objective:
        network = load_network(work.inputs["teacher"].file(FILE_NAME), context.modality)
        teacher = Teacher(cast(nn.Module, network).to(context.device), own=own, given=given)
        return DistillationObjective(context.labels("d_cf", seed), index.label_names, teacher=teacher,
                                     temperature=spec.temperature, alpha=spec.alpha)

    return _train(context, seed, "distillation", "train_cf", index, {"teacher": n_pre}, objective_of,
                  extra_keys={**flatten(spec, "DISTILLATION", neutral=False), **context.label_keys("d_cf"),
                              **({} if own == given else {"the teacher's mean and deviation": own})},
                  extra_flops=context.clip_flops("n_pre"))


def regression_stage(context: Context, seed: int, features: Stage) -> Stage:
    """The baseline that regresses N_pre's features (paper, section 4: "consistently worse")."""
    index = context.data.d_cf

    def objective_of(work: Workspace) -> Objective:
        rows = FeatureRows(FeatureStore.open(work.inputs["features"].folder, index_hash=index.content_hash))
        return RegressionObjective(rows, rows=np.flatnonzero(rows.valid), feature_dim=rows.feature_shape[0])

    return _train(context, seed, "regression", "train_cf", index, {"features": features}, objective_of)


def _train(context: Context, seed: int, name: str, stage_name: str, index: Index, inputs: Mapping[str, Stage],
           objective_of: Callable[[Workspace], Objective], *, factor: int = 1,
           extra_keys: Mapping[str, Any] | None = None, extra_flops: int = 0) -> Stage:
    network, key = context.network(name), context.key(name)
    samples = factor * network.solver.max_samples
    own = {word: value for word, value in flatten(network, key, neutral=False).items() if ".SOLVER." not in word}
    keys = {**own, **context.common, **context.identity_of(index), "SEED": seed,
            **solver_keys(context, name, network.solver, f"{key}.SOLVER", factor), **(extra_keys or {})}
    # N_pre 2x is N_pre for longer; all that are of N_CF's architecture start from the same weights.
    drawn_as = name if key.startswith("MORE") else key.lower()
    run = partial(run_train, modality=context.modality, index=index, reading=context.reading, device=context.device,
                  recipe=recipe(network, drawn_as, seed, budget_factor=factor, solver_key=f"{key}.SOLVER",
                                fewest_items=context.fewest_items(name)),
                  objective_of=objective_of, max_bad_share=context.spec.data.max_bad_share)
    cost = Cost(samples, float(samples * (TRAINING_FACTOR * context.clip_flops(name) + extra_flops)))
    return Stage(stage_name, f"seed {seed}: {name}", keys, inputs, run, cost, {"seed": seed, "network": name},
                 version=TRAIN_VERSION, by_all=True)
