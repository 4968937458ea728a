"""The stages that make networks: untrained, pretrain, train_cf."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.config import flatten
from cfvideo.core.flops import TRAINING_FACTOR
from cfvideo.core.index import Index
from cfvideo.core.pipeline.context import KEYS, Context
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.recipes import recipe
from cfvideo.core.stage import Cost, Stage, Workspace
from cfvideo.core.stages.cluster import LABELS
from cfvideo.core.stages.train import run_train, run_untrained


def untrained_stage(context: Context, seed: int) -> Stage:
    """N_cf's network as it is drawn: the row that every table needs."""
    spec = context.spec.n_cf
    keys = {**flatten(spec, "N_CF", neutral=False), "SEED": seed}
    keys = {key: value for key, value in keys.items() if ".SOLVER." not in key}
    run = partial(run_untrained, modality=context.modality, recipe=recipe(spec, "n_cf", seed), num_classes=2)
    return Stage("untrained", f"seed {seed}", keys, {}, run, about={"seed": seed, "network": "untrained"})


def pretrain_stage(context: Context, seed: int) -> Stage:
    """N_pre on the labels of D_pre; of several labels of a row one is picked for good (paper, supplement C)."""
    index = context.data.d_pre

    def labels_of(_work: Workspace) -> tuple[NDArray[np.int32], int]:
        return index.picked_labels(seed), len(index.label_names)

    return _train(context, seed, "n_pre", "pretrain", index, {}, labels_of)


def train_cf_stage(context: Context, seed: int, assigned: Stage) -> Stage:
    """N_cf from scratch on the cluster ids of D_cf."""
    index = context.data.d_cf

    def labels_of(work: Workspace) -> tuple[NDArray[np.int32], int]:
        labels = PseudoLabels.load(work.inputs["labels"].file(LABELS), index_hash=index.content_hash)
        return labels.labels, labels.num_clusters

    return _train(context, seed, "n_cf", "train_cf", index, {"labels": assigned}, labels_of)


def _train(context: Context, seed: int, name: str, stage_name: str, index: Index, inputs: Mapping[str, Stage],
           labels_of: Any) -> Stage:
    network = context.network(name)
    keys = {**flatten(network, KEYS[name], neutral=False), **context.common, "SEED": seed,
            **context.identity_of(index)}
    run = partial(run_train, modality=context.modality, index=index, recipe=recipe(network, name, seed),
                  reading=context.reading, labels_of=labels_of, device=context.device,
                  max_bad_share=context.spec.data.max_bad_share)
    samples = network.solver.max_samples
    cost = Cost(rows=samples, flops=float(TRAINING_FACTOR * samples * context.clip_flops(name)))
    return Stage(stage_name, f"seed {seed}: {name}", keys, inputs, run, cost, {"seed": seed, "network": name})
