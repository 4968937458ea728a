"""probe: frozen features of one target task, judged by one or several yardsticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.durable import write_json
from cfvideo.core.errors import DataError
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.screen import Task
from cfvideo.core.stage import Artefact, Workspace
from cfvideo.core.transfer.choice import Outcome
from cfvideo.core.transfer.low_shot import LowShot
from cfvideo.core.transfer.samples import Features, Samples
from cfvideo.core.transfer.solver import Tick
from cfvideo.core.transfer.tables import CLASSES, CONFUSIONS, FIGURES, class_table, confusion_table, figures


class Yardstick(Protocol):
    """Learns from training rows, chooses on a part of them, scores the test rows once."""

    def __call__(self, train: Samples, test: Samples, tick: Tick, /) -> Mapping[str, Outcome]:
        """An Outcome per layer."""

    def num_ticks(self, num_rows: int, num_layers: int, /) -> int:
        """About how often it ticks."""


def run_probe(work: Workspace, *, train: Index, test: Index, yardsticks: Mapping[str, Yardstick],
              low_shot: LowShot | None) -> Mapping[str, Any]:
    """Fit on inputs["train"], choose on a part of it, score inputs["test"] once.

    The facts are those of the first yardstick on the layer that its held-out training rows prefer; `results` has every
    yardstick and layer.
    """
    train_set, test_set = (_labelled(work.inputs[name], index) for name, index in (("train", train), ("test", test)))
    _check(work.title, train_set, test_set)
    found = {name: _measured(work, name, yardstick, train_set, test_set) for name, yardstick in yardsticks.items()}
    results: dict[str, Any] = {name: {layer: figures(outcome) for layer, outcome in outcomes.items()}
                               for name, outcomes in found.items()}
    method = next(iter(found))
    layer = max(results[method], key=lambda one: results[method][one]["holdout"])
    if low_shot is not None:
        results["low_shot"] = _measured(work, "low_shot", low_shot, train_set, test_set)
    facts = {**results[method][layer], "method": method, "layer": layer, "results": results,
             "num_train_rows": len(train_set), "num_test_rows": len(test_set),
             "num_invalid_rows": test.num_rows - len(test_set)}
    write_json(work.folder / FIGURES, facts)
    write_json(work.folder / CLASSES, _tables(found, lambda one: class_table(one.tally, test.label_names, one)))
    write_json(work.folder / CONFUSIONS, _tables(found, lambda one: confusion_table(one.tally)))
    return facts


def _check(title: str, train: Samples, test: Samples) -> None:
    classes = len(np.unique(np.concatenate(train.labels))) if len(train) else 0
    if classes < 2 or len(test) == 0:
        raise DataError(f"{title}: {len(train)} usable training rows in {classes} classes and {len(test)} test rows; a "
                        "probe needs two classes and a test row")


def _tables(found: Mapping[str, Mapping[str, Outcome]], table: Callable[[Outcome], Any]) -> dict[str, dict[str, Any]]:
    return {name: {layer: table(outcome) for layer, outcome in outcomes.items()} for name, outcomes in found.items()}


def _measured(work: Workspace, name: str, yardstick: Any, train: Samples, test: Samples) -> Any:
    """Run one yardstick under a progress line; a signal stops it at its next tick."""
    with work.screen.task(f"{work.title}, {name}", yardstick.num_ticks(len(train), len(train.features)),
                          "steps") as task:
        return yardstick(train, test, _ticking(task, work))


def _ticking(task: Task, work: Workspace) -> Tick:
    def tick() -> None:
        task.advance(1)
        work.stop.check()

    return tick


def _labelled(artefact: Artefact, index: Index) -> Samples:
    """The rows that decoded and have a label, as they are stored."""
    store = FeatureStore.open(artefact.folder, index_hash=index.content_hash)
    labelled = np.diff(index.labels_csr()[0]) > 0
    found = {layer: _rows_of(store, layer, labelled) for layer in store.layers}
    rows = next(iter(found.values()))[1]
    return Samples({layer: features for layer, (features, _) in found.items()},
                   [index.labels_of(int(row)) for row in rows])


def _rows_of(store: FeatureStore, layer: str, wanted: NDArray[np.bool_]) -> tuple[Features, NDArray[np.int64]]:
    """float16 [n, V, D] of the wanted rows that are valid (V is 1 where views were averaged), and their numbers."""
    features, rows = [], []
    for block in store.blocks(layer):
        here = block.valid & wanted[block.start:block.start + len(block.valid)]
        own = block.features[here]
        features.append(own[:, None] if own.ndim == 2 else own)
        rows.append(block.start + np.flatnonzero(here))
    return np.concatenate(features), np.concatenate(rows)
