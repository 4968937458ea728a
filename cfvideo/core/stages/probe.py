"""probe: frozen features of one target task, judged by one or several yardsticks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from cfvideo.core.device import linear_algebra_in
from cfvideo.core.durable import write_json
from cfvideo.core.errors import DataError
from cfvideo.core.faults import fault_point
from cfvideo.core.index import Index
from cfvideo.core.screen import Task
from cfvideo.core.stage import Workspace
from cfvideo.core.transfer.choice import Outcome
from cfvideo.core.transfer.loading import labelled_samples
from cfvideo.core.transfer.low_shot import LowShot
from cfvideo.core.transfer.samples import Samples
from cfvideo.core.transfer.solver import Tick
from cfvideo.core.transfer.tables import CLASSES, CONFUSIONS, FIGURES, class_table, confusion_table, figures


class Yardstick(Protocol):
    """Learns from training rows, chooses on a part of them, scores the test rows once."""

    def __call__(self, train: Samples, test: Samples, tick: Tick, /) -> Mapping[str, Outcome]:
        """An Outcome per layer."""

    def num_ticks(self, num_rows: int, num_layers: int, /) -> int:
        """About how often it ticks."""


def run_probe(work: Workspace, *, train: Index, test: Index, yardsticks: Mapping[str, Yardstick],
              low_shot: LowShot | None, protocol: Mapping[str, Any], num_threads: int) -> Mapping[str, Any]:
    """Fit on inputs["train"], choose on a part of it, score inputs["test"] once, in `num_threads` threads.

    protocol: what the facts say beside the figures. The facts are those of the first yardstick on the layer that its
    held-out training rows prefer; `results` has every yardstick and layer.
    """
    learned, _ = labelled_samples(work.inputs["train"].folder, train, work.scratch / "train")
    scored, num_invalid = labelled_samples(work.inputs["test"].folder, test, work.scratch / "test")
    _check(work.title, learned, scored)
    with linear_algebra_in(num_threads):
        results, found = _results(work, yardsticks, low_shot, learned, scored, test.label_names)
    method = next(iter(found))
    layer = max(results[method], key=lambda one: float(results[method][one]["holdout"]))
    facts = {**results[method][layer], "method": method, "layer": layer, "results": results,
             "protocol": dict(protocol),
             "dims": {layer: features.shape[2] for layer, features in learned.features.items()},
             "num_train_rows": len(learned), "num_test_rows": len(scored),
             "num_invalid_rows": num_invalid, "num_unlabelled_rows": test.num_rows - num_invalid - len(scored)}
    write_json(work.folder / FIGURES, facts)
    for name in (CLASSES, CONFUSIONS):
        write_json(work.folder / name, {method: tables[name] for method, tables in found.items()})
    return facts


def _results(work: Workspace, yardsticks: Mapping[str, Yardstick], low_shot: LowShot | None, train: Samples,
             test: Samples, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of every yardstick, and all tables of those that have such."""
    found = {name: _kept(work, name, partial(_judged, work, name, yardstick, train, test, names))
             for name, yardstick in yardsticks.items()}
    results = {name: tables[FIGURES] for name, tables in found.items()}
    if low_shot is not None:
        results["low_shot"] = _kept(work, "low_shot", partial(_measured, work, "low_shot", low_shot, train, test))
    return results, found


def _kept(work: Workspace, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What one yardstick has to say, or has said in an earlier attempt: some take hours."""
    path = work.scratch / f"{name}.json"
    if not path.exists():
        write_json(path, make())
        fault_point("yardstick")
    kept: dict[str, Any] = json.loads(path.read_text())
    return kept


def _check(title: str, train: Samples, test: Samples) -> None:
    classes = len(np.unique(np.concatenate(train.labels))) if len(train) else 0
    if classes < 2 or len(test) == 0:
        raise DataError(f"{title}: {len(train)} usable training rows in {classes} classes and {len(test)} test rows; a "
                        "probe needs two classes and a test row")


def _judged(work: Workspace, name: str, yardstick: Yardstick, train: Samples, test: Samples, names: Sequence[str],
            ) -> dict[str, Any]:
    """The tables of one yardstick, by file and layer."""
    outcomes: Mapping[str, Outcome] = _measured(work, name, yardstick, train, test)
    return {FIGURES: {layer: figures(one) for layer, one in outcomes.items()},
            CLASSES: {layer: class_table(one.tally, names, one) for layer, one in outcomes.items()},
            CONFUSIONS: {layer: confusion_table(one.tally) for layer, one in outcomes.items()}}


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
