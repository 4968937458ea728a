"""The stages that judge a network on a target: features of both splits, then a probe."""

from __future__ import annotations

from functools import partial

import numpy as np

from cfvideo.core.config import flatten
from cfvideo.core.device import resolved_threads
from cfvideo.core.index import Index
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.features import extract_stage
from cfvideo.core.pipeline.yardsticks import low_shot, protocol, yardsticks
from cfvideo.core.specs import ProbeSpec
from cfvideo.core.stage import Cost, Stage
from cfvideo.core.stages.probe import run_probe
from cfvideo.core.stages.score import run_score


def transfer_stages(context: Context, seed: int, name: str, network: Stage, target: str) -> list[Stage]:
    """Features of the target's two splits under one network, and the probes on them."""
    train, test = context.data.targets[target]
    spec, about, squeeze = context.probe(target), {"target": target}, context.spec.d_tar[target].squeeze
    extract = partial(extract_stage, context, seed, name, network, layers=spec.layers, num_clips=spec.num_clips,
                      keep_views=spec.clip_scores == "softmax", squeeze=squeeze, about=about)
    on_train = extract(train, f"{target} train", expected_rows=context.spec.d_tar[target].expected_rows)
    on_test = extract(test, f"{target} test", expected_rows=0)
    threads = resolved_threads(context.spec.system.threads)
    # Features of a GPU do not depend on the threads, but what is learned of them here does.
    keys = {**flatten(spec, "PROBE", neutral=False), "SEED": seed, "train": train.content_hash,
            "test": test.content_hash, "linear algebra in": f"{threads} threads"}
    known = {"num_classes": len(train.label_names), "seed": seed, "num_threads": threads}
    run = partial(run_probe, train=train, test=test, yardsticks=yardsticks(spec, device=context.device, **known),
                  low_shot=low_shot(spec, **known), num_threads=threads,
                  protocol=protocol(spec) | ({"squeezed": True} if squeeze else {}))
    cost = Cost(rows=on_train.cost.rows + on_test.cost.rows)
    probe = Stage("probe", f"seed {seed}: {name} on {target}", keys, {"train": on_train, "test": on_test}, run,
                  cost, {"seed": seed, "network": name, **about}, version=_version(spec, test))
    return [on_train, on_test, probe]


def _version(spec: ProbeSpec, test: Index) -> int:
    """3: no SVM guesses a class without training rows, a spread over draws is a sample's, test rows without a label are
    no undecodable ones, and only linear classifiers average probabilities. Elsewhere what version 2 made still holds.
    """
    labelled = np.diff(test.labels_csr()[0]) > 0
    misnamed = spec.clip_scores == "softmax" and spec.methods[:1] != ("linear",)
    return 3 if misnamed or {"svm", "low_shot"} & set(spec.methods) or not labelled.all() else 2


def score_stage(context: Context, name: str, network: Stage, index: Index) -> Stage:
    """The network's own classifier on a data set in its label space."""
    spec, clips = context.spec.extract, context.spec.probe.num_clips
    keys = {**context.view_keys(name), **context.common, "clips": clips, "EXTRACT.BATCH_SIZE": spec.batch_size,
            **context.identity_of(index)}
    run = partial(run_score, modality=context.modality, index=index, view=context.view(name), num_views=clips,
                  batch_size=spec.batch_size, shard_rows=spec.shard_rows, reading=context.reading,
                  max_bad_share=context.spec.data.max_bad_share, device=context.device)
    cost = Cost(index.num_rows, float(index.num_rows * clips * context.clip_flops(name)), index.total_bytes)
    return Stage("score", f"{name} on its own labels", keys, {"network": network}, run, cost, {"network": name})
