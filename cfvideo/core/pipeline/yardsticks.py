"""From the PROBE keys to what judges features."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from cfvideo.core.specs import ProbeSpec
from cfvideo.core.stages.probe import Yardstick
from cfvideo.core.transfer.choice import Chosen
from cfvideo.core.transfer.knn import KnnSolver
from cfvideo.core.transfer.lbfgs import LbfgsSolver
from cfvideo.core.transfer.low_shot import LowShot
from cfvideo.core.transfer.ridge import RidgeSolver
from cfvideo.core.transfer.sgd import Schedule, SgdSolver
from cfvideo.core.transfer.solver import Solver
from cfvideo.core.transfer.svm import SvmYardstick


def yardsticks(spec: ProbeSpec, *, num_classes: int, seed: int, device: torch.device, num_threads: int,
               ) -> Mapping[str, Yardstick]:
    """PROBE.METHODS in their order, low_shot apart."""
    made: dict[str, Yardstick] = {}
    for method in spec.methods:
        if method == "svm":
            made[method] = SvmYardstick(num_classes=num_classes, costs=spec.svm.costs, num_folds=spec.svm.folds,
                                        num_threads=num_threads)
        elif method == "knn":
            knn = KnnSolver(num_classes=num_classes, neighbours=spec.knn.neighbours, device=device)
            made[method] = Chosen(knn, num_classes=num_classes, holdout=spec.holdout, seed=seed)
        elif method == "linear":
            made[method] = Chosen(_linear(spec, num_classes, seed, device), num_classes=num_classes,
                                  holdout=spec.holdout, seed=seed)
    return made


def protocol(spec: ProbeSpec) -> dict[str, Any]:
    """What a reader must know to compare the figures of the first yardstick with others'."""
    # Whatever CLIP_SCORES says, only a linear classifier has probabilities to average.
    said: dict[str, Any] = {"num_clips": spec.num_clips, "averaged_over_clips": "features"}
    if spec.methods[:1] == ("linear",):
        said |= {"solver": spec.solver, "averaged_over_clips": spec.clip_scores}
        if spec.solver == "sgd":
            own = dataclasses.asdict(spec.sgd)
            said |= {name: own[name] for name in ("epochs", "batch_size", "drops", "scaling")}
    return said


def _linear(spec: ProbeSpec, num_classes: int, seed: int, device: torch.device) -> Solver:
    if spec.solver == "lbfgs":
        return LbfgsSolver(num_classes=num_classes, strengths=spec.strengths, max_iterations=spec.max_iterations)
    if spec.solver == "ridge":
        return RidgeSolver(num_classes=num_classes, strengths=spec.strengths, device=device)
    sgd = spec.sgd
    schedule = Schedule(epochs=sgd.epochs, batch_size=sgd.batch_size, momentum=sgd.momentum, nesterov=sgd.nesterov,
                        drops=sgd.drops)
    return SgdSolver(num_classes=num_classes, learning_rates=sgd.learning_rates, weight_decays=sgd.weight_decays,
                     schedule=schedule, scaling=sgd.scaling, seed=seed, device=device)


def low_shot(spec: ProbeSpec, *, num_classes: int, seed: int, num_threads: int) -> LowShot | None:
    """SVMs from a few rows, where PROBE.METHODS asks for them."""
    if "low_shot" not in spec.methods:
        return None
    return LowShot(num_classes=num_classes, shots=spec.svm.shots, num_draws=spec.svm.draws, costs=spec.svm.costs,
                   num_folds=spec.svm.folds, on_test=spec.svm.choose_on_test, seed=seed, num_threads=num_threads)
