"""pretrain and train_cf: a network from scratch on one label per row; untrained: the same network, not trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cfvideo.core.backbone import Backbone
from cfvideo.core.errors import DataError
from cfvideo.core.failures import write_failures
from cfvideo.core.fit import Budget, Trainer, make_optimizer
from cfvideo.core.index import Index
from cfvideo.core.network_file import save_network
from cfvideo.core.randomness import torch_generator
from cfvideo.core.records import Batch, Modality, Reading
from cfvideo.core.sample_order import draws
from cfvideo.core.stage import Workspace

# How far a network memorised its labels is measured on this many of its training rows.
_NUM_MEMORY_ROWS = 2_000


@dataclass(frozen=True)
class Recipe:
    """What to train: architecture and view as the modality takes them, budget, optimiser, seed."""

    architecture: Mapping[str, Any]
    view: Mapping[str, Any]
    budget: Budget
    momentum: float
    nesterov: bool
    weight_decay: float
    seed: int


def _new_network(modality: Modality, recipe: Recipe, num_classes: int) -> Backbone:
    network = modality.build_network(num_classes=num_classes, **recipe.architecture)
    network.initialise(torch_generator(recipe.seed, "weights"))
    return network


def run_untrained(work: Workspace, *, modality: Modality, recipe: Recipe, num_classes: int) -> Mapping[str, Any]:
    """The row that every table needs: an initialised network of the same architecture."""
    network = _new_network(modality, recipe, num_classes)
    save_network(work.folder, network, architecture=recipe.architecture, num_classes=num_classes, view=recipe.view)
    return {"num_classes": num_classes}


def run_train(work: Workspace, *, modality: Modality, index: Index, recipe: Recipe, reading: Reading,
              labels_of: Callable[[Workspace], tuple[NDArray[np.int32], int]], max_bad_share: float,
              device: torch.device) -> Mapping[str, Any]:
    """Train from scratch, or on from the last checkpoint, and save the network.

    labels_of: int32 [N] over the index's rows (-1: none, the row is not used) and the number of classes.
    """
    labels, num_classes = labels_of(work)
    rows = np.flatnonzero(labels >= 0)
    if len(rows) == 0 or num_classes < 2:
        raise DataError(f"{work.title}: {len(rows)} labelled rows in {num_classes} classes; training needs at least "
                        "two classes with rows")
    network = _new_network(modality, recipe, num_classes)
    cast(nn.Module, network).to(device)

    def batches(start: int) -> Iterator[Batch]:
        order = draws(rows, batch_size=recipe.budget.batch_size, seed=recipe.seed, start=start,
                      max_samples=recipe.budget.max_samples)
        return modality.train_batches(index, order, view=recipe.view, seed=recipe.seed, reading=reading)

    trainer = Trainer(network=cast(nn.Module, network), labels=labels, budget=recipe.budget, batches=batches,
                      optimizer=_optimizer(network, recipe), max_bad_rows=int(max_bad_share * len(rows)),
                      folder=work.folder, scratch=work.scratch, events=work.events, device=device)
    with work.screen.task(work.title, recipe.budget.max_samples, "clips") as task:
        progress = trainer.run(task=task, stop=work.stop)
    accuracy = _label_accuracy(work, network, modality, index, labels, recipe, reading, device)
    cast(nn.Module, network).cpu()
    save_network(work.folder, network, architecture=recipe.architecture, num_classes=num_classes, view=recipe.view)
    write_failures(work.folder, index, {int(row): why for row, why in progress.bad_rows.items()})
    return {"num_classes": num_classes, "num_rows": len(rows), "num_unlabelled": len(labels) - len(rows),
            "num_bad_rows": len(progress.bad_rows), "label_accuracy": accuracy,
            "epochs": round(recipe.budget.max_samples / len(rows), 2)}


def _optimizer(network: Backbone, recipe: Recipe) -> torch.optim.SGD:
    return make_optimizer(cast(nn.Module, network), momentum=recipe.momentum, nesterov=recipe.nesterov,
                          weight_decay=recipe.weight_decay)


def _label_accuracy(work: Workspace, network: Backbone, modality: Modality, index: Index,
                    labels: NDArray[np.int32], recipe: Recipe, reading: Reading, device: torch.device) -> float:
    """Share of training rows whose own label the finished network predicts from the middle clip: memorisation."""
    rows = np.flatnonzero(labels >= 0)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _NUM_MEMORY_ROWS)).astype(np.int64)]
    cast(nn.Module, network).eval()
    right = seen = 0
    task = work.screen.task(f"{work.title}, labels remembered", len(rows), "rows")
    with torch.no_grad(), task as line:
        for batch in modality.eval_batches(index, rows, view=recipe.view, num_views=1, reading=reading,
                                           batch_rows=min(recipe.budget.batch_size, 64)):
            predicted = network(batch.data.to(device)).argmax(dim=1).cpu().numpy()
            right += int((predicted[batch.valid] == labels[batch.rows[batch.valid]]).sum())
            seen += int(batch.valid.sum())
            line.advance(int((batch.rows >= 0).sum()))
            work.stop.check()
    return right / max(seen, 1)
