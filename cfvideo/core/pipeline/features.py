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


def extract_stage(context: Context, seed: int, name: str, network: Stage, index: Index, where: str, *,
                  layers: tuple[str, ...], num_clips: int, about: Mapping[str, Any], expected_rows: int,
                  keep_views: bool = False, squeeze: bool = False) -> Stage:
    """Features of `index` under the network that stage `network` makes, all `layers` of it in one pass.

    keep_views: one feature per clip instead of the clips' mean. squeeze: of whole pictures instead of the central
    square. expected_rows: where the data is not here.
    """
    spec, squeezed = context.spec.extract, {"squeeze": True} if squeeze else {}
    keys = {**context.view_keys(name), **context.common, "clips": num_clips, "views": "kept" if keep_views else "mean",
            "layers": list(layers), "EXTRACT.BATCH_SIZE": spec.batch_size, **squeezed, **context.identity_of(index)}
    run = partial(run_extract, modality=context.modality, index=index, view={**context.view(name), **squeezed},
                  layers=layers, num_views=num_clips, keep_views=keep_views, batch_size=spec.batch_size,
                  shard_rows=spec.shard_rows, reading=context.reading, device=context.device,
                  max_bad_share=context.spec.data.max_bad_share)
    rows, per_row = index.num_rows or expected_rows, sum(context.layer_dims(name, layers).values())
    cost = Cost(rows, float(rows * num_clips * context.clip_flops(name)), index.total_bytes,
                rows * per_row * 2 * (num_clips if keep_views else 1))
    return Stage("extract", f"seed {seed}: {name} on {where}", keys, {"network": network}, run, cost,
                 {"seed": seed, "network": name, **about}, version=2, by_all=True)


def cf_features_stage(context: Context, seed: int, name: str, n_pre: Stage) -> Stage:
    """N_pre's features of D_cf: what is clustered (paper, section 4.1.2: 6 clips)."""
    spec = context.spec.extract
    return extract_stage(context, seed, name, n_pre, context.data.d_cf, "D_CF", layers=(spec.layer,), about={},
                         num_clips=spec.num_clips, expected_rows=cf_source(context.spec).expected_rows)
