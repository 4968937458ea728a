"""extract: pooled features of every row under one network, averaged over its uniform views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cfvideo.core.backbone import Backbone
from cfvideo.core.failures import check_ceiling, write_failures
from cfvideo.core.faults import fault_point
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.network_file import FILE_NAME, load_network
from cfvideo.core.records import Batch, Modality, Reading
from cfvideo.core.screen import Task
from cfvideo.core.stage import Workspace
from cfvideo.core.tensors import load_header

# A slow disk or a full memory looks like this too: a resumed run tries such rows again.
PASSING_FAILURES = ("timeout", "crashed")


def run_extract(work: Workspace, *, modality: Modality, index: Index, view: Mapping[str, Any], layer: str,
                num_views: int, batch_size: int, shard_rows: int, reading: Reading, max_bad_share: float,
                device: torch.device) -> Mapping[str, Any]:
    """Write the FeatureStore of one index under the network in inputs["network"] (paper, section 4.1.2: 6 clips)."""
    network = load_network(work.inputs["network"].file(FILE_NAME), modality)
    cast(nn.Module, network).to(device)
    identity = {"index": index.content_hash, "network": work.inputs["network"].manifest["fingerprint"],
                "layer": layer, "num_views": num_views, "decoder": reading.decoder}
    _drop_unusable_shards(work.folder, shard_rows)
    store = FeatureStore(work.folder, num_rows=index.num_rows, shard_rows=shard_rows, identity=identity)
    missing, bad = store.missing(), store.failures()
    done = index.num_rows - sum(stop - start for start, stop in missing)
    with work.screen.task(work.title, index.num_rows, "rows", done=done) as task:
        for start, stop in missing:
            rows = np.arange(start, stop, dtype=np.int64)
            batches = modality.eval_batches(index, rows, view=view, num_views=num_views, reading=reading,
                                            batch_rows=max(1, batch_size // num_views))
            used = Counter[str]()
            features, failures = _shard(network, _counted(batches, used), layer, num_views, stop - start, start, device,
                                        task, work)
            bad |= store.write(start, stop, features, failures, used)
            fault_point("shard")
            _check(bad, index, max_bad_share, work.title)
    _check(bad, index, max_bad_share, work.title)  # shards of an earlier attempt that failed here must fail again
    write_failures(work.folder, index, bad)
    return {"num_rows": index.num_rows, "num_bad_rows": len(bad), "dim": _dim(store),
            "decoders": store.decoders()}


def _check(bad: dict[int, tuple[str, str]], index: Index, max_bad_share: float, where: str) -> None:
    last = [next(reversed(bad.items()))] if bad else []
    check_ceiling(len(bad), index.num_rows, max_bad_share=max_bad_share, where=where, last=str(last))


def _drop_unusable_shards(folder: Path, shard_rows: int) -> None:
    """Forget shards of another size, and those with failures that may be the machine's and not the file's."""
    for path in folder.glob("rows-*.safetensors"):
        header = load_header(path)
        passing = any(status in PASSING_FAILURES for status, _ in header["failures"].values())
        if header["shard_rows"] != shard_rows or passing:
            path.unlink()


def _counted(batches: Iterable[Batch], used: Counter[str]) -> Iterator[Batch]:
    """The same batches; adds up which decoders their rows came from."""
    for batch in batches:
        used.update(batch.decoders)
        yield batch


def _dim(store: FeatureStore) -> int:
    return int(next(store.blocks()).features.shape[1])


def _shard(network: Backbone, batches: Any, layer: str, num_views: int, num_rows: int, start: int,
           device: torch.device, task: Task, work: Workspace,
           ) -> tuple[NDArray[np.float32], dict[int, tuple[str, str]]]:
    """Mean features [num_rows, D] and the failures of one shard."""
    features: NDArray[np.float32] | None = None
    failures: dict[int, tuple[str, str]] = {}
    for batch in batches:
        rows, means = _row_means(network, batch, layer, num_views, device)
        if features is None:
            features = np.zeros((num_rows, means.shape[1]), np.float32)
        features[rows - start] = means
        failures |= {failure.row: (failure.status, failure.cause) for failure in batch.failures}
        task.advance(len(rows), f"{len(failures)} bad" if failures else "")
        work.stop.check()
    assert features is not None  # a shard has at least one row
    return features, failures


def _row_means(network: Backbone, batch: Batch, layer: str, num_views: int, device: torch.device,
               ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rows of a batch (padding left out) and their mean feature over all views; zeros for undecodable rows."""
    with torch.inference_mode():
        pooled = network.features(batch.data.to(device), layer).float().cpu()
    means = pooled.reshape(-1, num_views, pooled.shape[1]).mean(dim=1).numpy()
    rows = batch.rows[::num_views]
    means[~batch.valid[::num_views]] = 0.0
    return rows[rows >= 0], means[rows >= 0]
