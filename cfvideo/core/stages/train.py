"""pretrain, train_cf and their like: a network from scratch on an objective; untrained: the same network, not trained.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cfvideo.core.backbone import Backbone
from cfvideo.core.distributed import current, sum_over_ranks
from cfvideo.core.durable import sha256_file
from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.failures import write_failures
from cfvideo.core.index import Index
from cfvideo.core.matching import match
from cfvideo.core.network_file import FILE_NAME, load_network, read_header, save_network
from cfvideo.core.randomness import torch_generator
from cfvideo.core.records import Batch, Draws, Modality, Reading
from cfvideo.core.stage import Workspace
from cfvideo.core.training.batch_norm import synchronised, unsynchronised
from cfvideo.core.training.budget import Budget
from cfvideo.core.training.complaints import Complaints
from cfvideo.core.training.fit import Trainer
from cfvideo.core.training.objectives import Network, Objective
from cfvideo.core.training.optimizer import make_optimizer
from cfvideo.core.training.sample_order import SampleOrder

# How far a network memorised its labels is measured on this many of its training rows.
_NUM_MEMORY_ROWS = 2_000


@dataclass(frozen=True)
class Recipe:
    """What to train and how: architecture and view as the modality takes them; the rest are fields of SolverSpec.

    solver_key: where the config has them, for messages. fewest_items: that the network's batch norms need at a time.
    """

    architecture: Mapping[str, Any]
    view: Mapping[str, Any]
    budget: Budget
    optimizer: Mapping[str, Any]
    seed: int
    clip_gradient: float = 0.0
    sync_batch_norm: bool = False
    precision: str = "fp32"
    memory_format: str = "contiguous"
    compile: bool = False
    solver_key: str = ""
    fewest_items: int = 1


def new_network(modality: Modality, recipe: Recipe, num_classes: int) -> Backbone:
    """A freshly drawn network."""
    network = modality.build_network(num_classes=num_classes, **recipe.architecture)
    network.initialise(torch_generator(recipe.seed, "weights"))
    return network


def run_untrained(work: Workspace, *, modality: Modality, recipe: Recipe, num_classes: int) -> Mapping[str, Any]:
    """The row that every table needs: an initialised network of the same architecture."""
    network = new_network(modality, recipe, num_classes)
    save_network(work.folder, network, architecture=recipe.architecture, num_classes=num_classes, view=recipe.view)
    return {"num_classes": num_classes}


def run_imported(work: Workspace, *, source: Path, digest: str) -> Mapping[str, Any]:
    """A finished network instead of a trained one. digest: of the bytes that the stage's fingerprint stands for.

    Raises:
        IntegrityError: the file is another by now.
    """
    copy = work.folder / FILE_NAME
    shutil.copyfile(source, copy)
    if sha256_file(copy) != digest:
        raise IntegrityError(f"{source}: changed since this run was planned; run the same command again, which plans "
                             "with the file as it is now")
    return {"num_classes": read_header(copy)["num_classes"], "source": str(source)}


def run_train(work: Workspace, *, modality: Modality, index: Index, recipe: Recipe, reading: Reading,
              objective_of: Callable[[Workspace], Objective], max_bad_share: float, device: torch.device,
              starts_from: str = "") -> Mapping[str, Any]:
    """Train from scratch, or on from the last checkpoint, and save the network.

    starts_from: the input whose network gives all weights but the head's (fine-tuning); "": drawn anew.
    """
    objective = objective_of(work)
    rows, num_outputs = objective.rows, objective.num_outputs
    if len(rows) == 0 or num_outputs < 2:
        raise DataError(f"{work.title}: {len(rows)} labelled rows in {num_outputs} classes; training needs at least "
                        "two classes with rows")
    network = new_network(modality, recipe, num_outputs)
    if starts_from:
        take_trunk(network, load_network(work.inputs[starts_from].file(FILE_NAME), modality))
    module = _placed(network, recipe, device)
    trainer = Trainer(
        network=module, compute=_compute(module, recipe), optimizer=make_optimizer(module, **recipe.optimizer),
        objective=objective, budget=recipe.budget, order=_order(rows, recipe), device=device,
        batches=_batches(modality, index, recipe, reading), item_shape=modality.sample_shape(recipe.view),
        complaints=Complaints(work.title, recipe.solver_key, index.name_of), max_bad_share=max_bad_share,
        folder=work.folder, scratch=work.scratch, events=work.events, precision=recipe.precision,
        fewest_items=recipe.fewest_items, clip_gradient=recipe.clip_gradient)
    with work.screen.task(work.title, recipe.budget.max_samples, "samples") as task:
        progress = trainer.run(task=task, stop=work.stop)
    unsynchronised(module)
    accuracy = _label_accuracy(work, network, modality, index, objective.labels, recipe, reading, device)
    module.cpu()
    if current().is_first:
        save_network(work.folder, network, architecture=recipe.architecture, num_classes=num_outputs,
                     view=recipe.view, class_names=objective.class_names)
        write_failures(work.folder, index, {int(row): why for row, why in progress.bad_rows.items()})
    return {"num_classes": num_outputs, "num_rows": len(rows), "num_unlabelled": index.num_rows - len(rows),
            "num_bad_rows": len(progress.bad_rows), "label_accuracy": accuracy,
            "epochs": round(recipe.budget.max_samples / len(rows), 2)}


def take_trunk(network: Backbone, source: Backbone) -> None:
    """Copy every weight of `source`, or of the trunk in it where its task gave it more, but its head's into `network`.

    Raises:
        IntegrityError: they are different networks, with the names.
    """
    heads = ("fc.weight", "fc.bias")
    mine = {name: value for name, value in cast(nn.Module, network).state_dict().items() if name not in heads}
    trunk = cast(nn.Module, getattr(source, "trunk", source))
    theirs = {name: value for name, value in trunk.state_dict().items() if name not in heads}
    match(theirs, mine).require("the network to start from", "")
    cast(nn.Module, network).load_state_dict(theirs, strict=False)


def _placed(network: Backbone, recipe: Recipe, device: torch.device) -> nn.Module:
    """The network where and how it is to be trained."""
    module = cast(nn.Module, network).to(device)
    if recipe.memory_format == "channels_last":
        for parameter in module.parameters():
            formats = {4: torch.channels_last, 5: torch.channels_last_3d}
            if parameter.ndim in formats:
                parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])
    if recipe.sync_batch_norm and current().size > 1:
        synchronised(module)
    return module


def _compute(module: nn.Module, recipe: Recipe) -> Network:
    """What runs forward passes in training."""
    if not recipe.compile:
        return module
    compiled: Network = torch.compile(module)
    return compiled


def _order(rows: NDArray[np.int64], recipe: Recipe) -> SampleOrder:
    budget = recipe.budget
    return SampleOrder(rows, budget.batch_size, budget.max_samples, recipe.seed, budget.micro_batch_size, current())


def _batches(modality: Modality, index: Index, recipe: Recipe, reading: Reading,
             ) -> Callable[[Iterator[Draws]], Iterator[Batch]]:
    def batches(draws: Iterator[Draws]) -> Iterator[Batch]:
        return modality.train_batches(index, draws, view=recipe.view, seed=recipe.seed, reading=reading)

    return batches


def _label_accuracy(work: Workspace, network: Backbone, modality: Modality, index: Index,
                    labels: NDArray[np.int32] | None, recipe: Recipe, reading: Reading, device: torch.device,
                    ) -> float | None:
    """Share of training rows whose own label the finished network predicts from the middle clip: memorisation.

    None where the objective has no label per row.
    """
    if labels is None:
        return None
    rows = np.flatnonzero(labels >= 0)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _NUM_MEMORY_ROWS)).astype(np.int64)]
    low, high = current().share(len(rows))
    cast(nn.Module, network).eval()
    counts = np.zeros(2, np.int64)
    with torch.no_grad(), work.screen.task(f"{work.title}, labels remembered", high - low, "rows") as line:
        for batch in modality.eval_batches(index, rows[low:high], view=recipe.view, num_views=1,
                                           batch_rows=min(recipe.budget.batch_size, 64), reading=reading):
            predicted = network(batch.data.to(device)).argmax(dim=1).cpu().numpy()
            counts += (predicted[batch.valid] == labels[batch.rows[batch.valid]]).sum(), batch.valid.sum()
            line.advance(int((batch.rows >= 0).sum()))
            work.stop.check()
    sum_over_ranks(counts)
    return float(counts[0]) / max(int(counts[1]), 1)
