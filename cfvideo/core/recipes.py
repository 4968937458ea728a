"""From what a config says of a network to the plain arguments of the training stages."""

from __future__ import annotations

import dataclasses
from typing import Any

from cfvideo.core.fit import Budget
from cfvideo.core.randomness import derived_seed
from cfvideo.core.specs import NetworkSpec, SolverSpec
from cfvideo.core.stages.train import Recipe


def architecture(network: NetworkSpec) -> dict[str, Any]:
    """The arguments of Modality.build_network."""
    return {"arch": network.arch, "blocks": list(network.blocks), "widths": list(network.widths),
            "midplanes": network.midplanes}


def recipe(network: NetworkSpec, name: str, seed: int) -> Recipe:
    """What the training stages need of a NetworkSpec. N_cf draws its own weights and order: it is from scratch."""
    solver = network.solver
    return Recipe(architecture=architecture(network), view=dataclasses.asdict(network.clip),
                  budget=budget_from(solver), momentum=solver.momentum, nesterov=solver.nesterov,
                  weight_decay=solver.weight_decay, seed=derived_seed(seed, name))


def budget_from(solver: SolverSpec) -> Budget:
    """The Budget inside a SolverSpec."""
    return Budget(**{field.name: getattr(solver, field.name) for field in dataclasses.fields(Budget)})
