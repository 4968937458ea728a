"""From what a config says of a network to the plain arguments of the training stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cfvideo.core.randomness import derived_seed
from cfvideo.core.specs import NetworkSpec, SolverSpec
from cfvideo.core.stages.train import Recipe
from cfvideo.core.training.budget import Budget


def architecture(network: NetworkSpec) -> dict[str, Any]:
    """The arguments of Modality.build_network."""
    return {"arch": network.arch, "blocks": list(network.blocks), "widths": list(network.widths),
            "midplanes": network.midplanes, **_task(network)}


def view(network: NetworkSpec) -> dict[str, Any]:
    """What the modality's batches take."""
    return {**dataclasses.asdict(network.clip), **_task(network)}


def without_task(said: Mapping[str, Any]) -> dict[str, Any]:
    """An architecture or a view as it is for whole, untouched samples."""
    return {key: value for key, value in said.items() if key != "task"}


def _task(network: NetworkSpec) -> dict[str, str]:
    """A pretext task shapes the head and the training views; labels need nothing said."""
    return {} if network.task == "labels" else {"task": network.task}


def recipe(network: NetworkSpec, name: str, seed: int, *, solver_key: str = "", fewest_items: int = 1,
           budget_factor: int = 1) -> Recipe:
    """What the training stages need of a NetworkSpec. N_cf draws its own weights and order: it is from scratch.

    solver_key: where the config has its solver, for messages. fewest_items: that its batch norms need at a time.
    budget_factor: trains so many times as long, with the schedule stretched to it (the paper's N_pre 2x).
    """
    solver = network.solver
    optimizer = {"momentum": solver.momentum, "nesterov": solver.nesterov, "weight_decay": solver.weight_decay,
                 "decay_batch_norm": solver.decay_batch_norm}
    return Recipe(architecture=architecture(network), view=view(network),
                  budget=budget_from(solver, budget_factor), optimizer=optimizer, seed=derived_seed(seed, name),
                  clip_gradient=solver.clip_gradient, sync_batch_norm=solver.sync_batch_norm,
                  precision=solver.precision, memory_format=solver.memory_format, compile=solver.compile,
                  solver_key=solver_key, fewest_items=fewest_items)


def budget_from(solver: SolverSpec, factor: int = 1) -> Budget:
    """The Budget inside a SolverSpec, `factor` times as long."""
    values = {field.name: getattr(solver, field.name) for field in dataclasses.fields(Budget)}
    return Budget(**{**values, "max_samples": factor * solver.max_samples})
