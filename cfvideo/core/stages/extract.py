"""extract: pooled features of every row under one network, made by any number of processes together.

The unit is a shard of rows. Each process claims whatever is missing and is not being made by another; none talks to
the others about it, so that one may join, be pre-empted or be killed at any moment. All batches have one shape and
begin at the same rows whatever the size of a shard, so that features do not depend on who made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from cfvideo.core.claims import Claims
from cfvideo.core.distributed import any_rank, current
from cfvideo.core.durable import TMP_SUFFIX
from cfvideo.core.extraction import Extraction, Pooling
from cfvideo.core.failures import write_failures
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.network_file import FILE_NAME, load_network
from cfvideo.core.records import Modality, Reading
from cfvideo.core.stage import Workspace

# A slow disk or a full memory looks like this too: a resumed run tries such rows again.
PASSING_FAILURES = ("timeout", "crashed")


def run_extract(work: Workspace, *, modality: Modality, index: Index, view: Mapping[str, Any], layers: Sequence[str],
                num_views: int, keep_views: bool, batch_size: int, shard_rows: int, reading: Reading,
                max_bad_share: float, device: torch.device) -> Mapping[str, Any]:
    """Write the FeatureStore of one index under the network in inputs["network"] (paper, section 4.1.2: 6 clips).

    Several processes may call this on one folder at once; each returns the same facts once all shards are there. Those
    of one torch.distributed group return together, so that the first may publish the folder then.

    layers: all made in one pass. keep_views: [N, V, D] instead of the views' mean [N, D]. shard_rows: rounded up to
    whole batches of batch_size // num_views rows.

    Raises:
        TooManyBadSamples: in every process, where all shards together hold too many bad rows.
    """
    given, batch_rows = work.inputs["network"], max(1, batch_size // num_views)
    identity = {"index": index.content_hash, "network": given.manifest["fingerprint"],
                "weights": given.manifest["files"][FILE_NAME]["sha256"], "view": dict(view), "num_views": num_views,
                "views": "kept" if keep_views else "mean", "decoder": reading.decoder}
    store = FeatureStore(work.folder, num_rows=index.num_rows, shard_rows=-(-shard_rows // batch_rows) * batch_rows,
                         layers=layers, identity=identity)
    network = load_network(given.file(FILE_NAME), modality)
    cast(nn.Module, network).to(device)
    read = partial(modality.eval_batches, index, view=view, num_views=num_views, batch_rows=batch_rows,
                   reading=reading)
    with closing(Claims(work.scratch / "claims")) as claims:
        drop_unusable(store, claims, work)
        extraction = Extraction(work, store, Pooling(network, layers, num_views, keep_views, device), read,
                                max_bad_share=max_bad_share)
        extraction.run(claims)
    if current().is_first:
        write_failures(work.folder, index, store.failures())
    facts = {"num_rows": index.num_rows, "num_bad_rows": extraction.num_bad, "dims": store.dims(),
             "decoders": store.decoders()}
    any_rank(False)  # nobody publishes the folder while another still reads in it
    if current().is_first:
        for left in work.folder.glob(f"rows-*{TMP_SUFFIX}"):  # by the killed, whose shards others have made
            left.unlink(missing_ok=True)
    return facts


def drop_unusable(store: FeatureStore, claims: Claims, work: Workspace) -> None:
    """Forget what an earlier attempt left and this one cannot use; the processes of a group look at a part each."""
    ranks = current()
    for path in sorted(store.folder.glob("rows-*.safetensors")):
        start, stop = (int(part) for part in path.stem.split("-")[1:])
        if start // store.shard_rows % ranks.size != ranks.rank:
            continue
        with claims.hold((start, stop)) as mine:
            if mine and (why := store.unusable(path, retry=PASSING_FAILURES)):
                path.unlink()
                work.screen.say(f"  {path.name}: {why}; made again")
    any_rank(False)  # nobody counts what is there before everybody has looked
