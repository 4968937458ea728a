"""probe: a linear classifier on frozen features of one target task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.durable import write_json
from cfvideo.core.errors import DataError
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.probe import LabelSets, linear_probe
from cfvideo.core.stage import Artefact, Workspace


def run_probe(work: Workspace, *, train: Index, test: Index, strengths: Sequence[float], holdout: float,
              max_iterations: int, seed: int) -> Mapping[str, Any]:
    """Fit on inputs["train"], choose on a part of it, score inputs["test"] once."""
    train_set, test_set = _labelled(work.inputs["train"], train), _labelled(work.inputs["test"], test)
    classes = len(np.unique(np.concatenate(train_set[1]))) if len(train_set[1]) else 0
    if classes < 2 or len(test_set[1]) == 0:
        raise DataError(f"{work.title}: {len(train_set[1])} usable training rows in {classes} classes and "
                        f"{len(test_set[1])} test rows; a probe needs two classes and a test row")
    outcome = linear_probe(train_set, test_set, num_classes=len(train.label_names), strengths=strengths,
                           holdout=holdout, max_iterations=max_iterations, seed=seed)
    facts = {**dataclasses.asdict(outcome), "num_train_rows": len(train_set[1]), "num_test_rows": len(test_set[1]),
             "num_invalid_rows": test.num_rows - len(test_set[1])}
    write_json(work.folder / "probe.json", facts)
    return facts


def _labelled(features: Artefact, index: Index) -> tuple[NDArray[np.float32], LabelSets]:
    """Features and label sets of the rows that decoded and have a label."""
    matrix, valid = FeatureStore.open(features.folder, index_hash=index.content_hash).read_all()
    rows = [row for row in range(index.num_rows) if valid[row] and len(index.labels_of(row))]
    return matrix[rows], [index.labels_of(row) for row in rows]
