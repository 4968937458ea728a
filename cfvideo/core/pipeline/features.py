"""The stages that make features: of D_cf for clustering, of a target's splits for probing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cfvideo.core.datasets import cf_source
from cfvideo.core.index import Index
from cfvideo.core.pipeline.context import Context
from cfvideo.core.stage import Cost, Stage
from cfvideo.core.stages.extract import run_extract


def extract_stage(context: Context, seed: int, name: str, network: Stage, index: Index, where: str, *, num_clips: int,
                  about: Mapping[str, Any], expected_rows: int) -> Stage:
    """Features of `index` under the network that stage `network` makes; `expected_rows` where the data is not here."""
    spec = context.spec.extract
    keys = {**context.view_keys(name), **context.common, "clips": num_clips,
            "EXTRACT.LAYER": spec.layer, "EXTRACT.BATCH_SIZE": spec.batch_size, **context.identity_of(index)}
    run = partial(run_extract, modality=context.modality, index=index, view=context.view(name),
                  layer=spec.layer, num_views=num_clips, batch_size=spec.batch_size, reading=context.reading,
                  shard_rows=spec.shard_rows, max_bad_share=context.spec.data.max_bad_share, device=context.device)
    rows = index.num_rows or expected_rows
    cost = Cost(rows, float(rows * num_clips * context.clip_flops(name)), index.total_bytes,
                rows * context.feature_dim(name) * 2)
    return Stage("extract", f"seed {seed}: {name} on {where}", keys, {"network": network}, run, cost,
                 {"seed": seed, "network": name, **about}, by_all=True)


def cf_features_stage(context: Context, seed: int, name: str, n_pre: Stage) -> Stage:
    """N_pre's features of D_cf: what is clustered (paper, section 4.1.2: 6 clips)."""
    return extract_stage(context, seed, name, n_pre, context.data.d_cf, "D_CF", about={},
                         num_clips=context.spec.extract.num_clips, expected_rows=cf_source(context.spec).expected_rows)
