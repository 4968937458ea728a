"""Runs the cluster and assign stages on features that are made on the spot.

`python -m tests.core.clustering.stage_runs FOLDER KEYS FOLDER KEYS ...` does so on each FOLDER's features, with
CLUSTER.* from the JSON KEYS, as one of torchrun's processes where the environment says so, and prints digests.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.model import KMeansModel
from cfvideo.core.distributed import any_rank, current, first_only, joined
from cfvideo.core.durable import sha256_file
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.screen import Screen
from cfvideo.core.specs import ClusterSpec
from cfvideo.core.stage import Artefact, Workspace
from cfvideo.core.stages.cluster import LABELS, MODEL, Clustering, run_assign, run_cluster
from tests.core.clustering.made_points import mixture

NUM_LABELS = 5


def make_store(folder: Path, features: NDArray[np.float16], *, shard_rows: int = 64, bad: tuple[int, ...] = ()) -> None:
    """A finished feature store in folder/features; `bad` rows are undecodable."""
    (folder / "features").mkdir(parents=True)
    store = FeatureStore(folder / "features", num_rows=len(features), shard_rows=shard_rows, layers=("res5",),
                         identity={"index": made_index(len(features)).content_hash})
    for start, stop in store.shards():
        failed = {row: ("undecodable", "test") for row in bad if start <= row < stop}
        store.write((start, stop), {"res5": features[start:stop].astype(np.float32)}, failed)


def made_index(num_rows: int) -> Index:
    """Row r has label r mod 7, and none where that is 5 or 6."""
    labels = [[row % 7] if row % 7 < NUM_LABELS else [] for row in range(num_rows)]
    return Index.build(paths=[b"%d" % row for row in range(num_rows)], sizes=[1] * num_rows, labels=labels,
                       label_names=[f"label {label}" for label in range(NUM_LABELS)], root=Path())


def clustering(**keys: Any) -> Clustering:
    """CLUSTER.* of a small fit."""
    small = ClusterSpec(num_clusters=12, num_iterations=6)
    return Clustering(**asdict(replace(small, **keys)))


def run_stages(folder: Path, **keys: Any) -> tuple[KMeansModel, PseudoLabels, dict[str, Any]]:
    """Cluster and assign folder/features into folder/cluster and folder/assign; (model, labels, facts of both)."""
    num_rows = FeatureStore.open(folder / "features").num_rows
    index, cpu = made_index(num_rows), torch.device("cpu")
    given = {"features": Artefact(folder / "features", {})}
    with first_only():
        for name in ("cluster", "assign"):
            (folder / name).mkdir(exist_ok=True)
    facts = dict(run_cluster(_workspace(folder / "cluster", given), clustering=clustering(**keys),
                             labels=index.picked_labels(0), seed=0, device=cpu))
    with first_only():
        pass  # the model is written
    files = {MODEL: {"sha256": sha256_file(folder / "cluster" / MODEL)}}
    given["kmeans"] = Artefact(folder / "cluster", {"files": files})
    facts |= run_assign(_workspace(folder / "assign", given), index=index, known_labels=index.picked_labels(0),
                        device=cpu)
    with first_only():
        pass
    model = KMeansModel.load(folder / "cluster" / MODEL)
    return model, PseudoLabels.load(folder / "assign" / LABELS, index_hash=index.content_hash), facts


def _workspace(folder: Path, inputs: dict[str, Artefact]) -> Workspace:
    return Workspace(folder, inputs, Screen(quiet=True), StopRequest(), folder.name, folder / "events")


def digest(folder: Path, facts: dict[str, Any]) -> str:
    """Of the model, the labels and the facts."""
    found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in (folder / "cluster" / MODEL, folder / "assign" / LABELS):
        found.update(path.read_bytes())
    return found.hexdigest()


def features(num: int = 500, dim: int = 10) -> NDArray[np.float16]:
    """What most tests cluster."""
    return mixture(num, dim, 9)


if __name__ == "__main__":
    with joined():
        for place, keys in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
            *_, said = run_stages(Path(place), **json.loads(keys))
            if current().is_first:
                print(digest(Path(place), said))
        any_rank(True)  # the first holds the group's store: it may not leave before the others have looked
