"""One linear support vector machine per class, as for VOC07 (Goyal et al. 2019; VISSL's svm_utils/svm_trainer.py).

Features are divided by their length, classes are weighted 2 : 1, the hinge is squared; the cost of each class is
chosen by average precision in cross-validation over the training rows alone. scikit-learn's primal solver is used: it
finds the same optimum as the dual one that the public code names, in 0.6 of the time, and draws no random numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.device import linear_algebra_in
from cfvideo.core.metrics import average_precision, mean_of_known
from cfvideo.core.transfer.choice import Outcome, measured
from cfvideo.core.transfer.samples import Features, Samples, signs
from cfvideo.core.transfer.solver import Tick, no_tick

_CLASS_WEIGHT = {1: 2, -1: 1}
_MAX_ITERATIONS = 2000
_LENGTH_EPSILON = 1e-5
# What a single row leaves to choose by: nothing.
_PLAIN_COST = 1.0
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Machine:
    """Decision values are data @ weight + bias; weight float64 [D]."""

    weight: NDArray[np.float64]
    bias: float
    converged: bool

    def __call__(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = data @ self.weight + self.bias
        return values


def train_machine(data: NDArray[np.float64], targets: NDArray[np.int8], cost: float) -> Machine:
    """Fit on data [N, D] and targets in {1, -1}. With one kind of target only, every decision is 0."""
    from sklearn.svm import LinearSVC

    if len(np.unique(targets)) < 2:
        return Machine(np.zeros(data.shape[1]), 0.0, True)
    model = LinearSVC(C=cost, loss="squared_hinge", penalty="l2", dual=False, class_weight=_CLASS_WEIGHT, tol=1e-4,
                      intercept_scaling=1.0, max_iter=_MAX_ITERATIONS)
    model.fit(data, targets)
    return Machine(model.coef_[0], float(model.intercept_[0]), int(model.n_iter_) < _MAX_ITERATIONS)


def cross_validated(data: NDArray[np.float64], targets: NDArray[np.int8], cost: float, num_folds: int) -> float:
    """Mean average precision over stratified folds, in the rows' order; folds without a positive row do not count."""
    from sklearn.model_selection import StratifiedKFold

    values = []
    for fit_rows, held_rows in StratifiedKFold(num_folds).split(data, targets):
        machine = train_machine(data[fit_rows], targets[fit_rows], cost)
        values.append(average_precision(machine(data[held_rows]), targets[held_rows]))
    return mean_of_known(np.array(values))


def best_cost(data: NDArray[np.float64], targets: NDArray[np.int8], costs: Sequence[float], num_folds: int,
              ) -> tuple[float, float]:
    """(cost, its cross-validated average precision) of one class; the lower cost wins a tie.

    No more folds than rows of the commoner kind; where that leaves none to hold out, a plain cost and NaN.
    """
    num_folds = min(num_folds, int(max((targets == sign).sum() for sign in (1, -1))))
    if num_folds < 2:
        return _PLAIN_COST, float("nan")
    found = [(cross_validated(data, targets, cost, num_folds), -cost) for cost in costs]
    value, negative = max(found)
    return -negative, value


def unit_rows(features: Features) -> NDArray[np.float64]:
    """[N, n, D] -> float64 [N, D] of length 1: the mean clip."""
    data = features.mean(axis=1, dtype=np.float64)
    unit: NDArray[np.float64] = data / (np.linalg.norm(data, axis=1, keepdims=True) + _LENGTH_EPSILON)
    return unit


class SvmYardstick:
    """costs: the grid; num_folds: of the cross-validation; num_threads: classes fitted at once, each with a copy of
    the features of 16 bytes a number (liblinear's own form)."""

    def __init__(self, *, num_classes: int, costs: Sequence[float], num_folds: int, num_threads: int) -> None:
        self.num_classes, self.costs, self.num_folds = num_classes, sorted(costs), num_folds
        self.num_threads = num_threads

    def num_ticks(self, num_rows: int, num_layers: int) -> int:
        return self.num_classes * num_layers

    def __call__(self, train: Samples, test: Samples, tick: Tick = no_tick) -> dict[str, Outcome]:
        """An Outcome per layer; the median class's cost is its setting, `more` has each class's."""
        targets = signs(train.labels, self.num_classes)
        found = {}
        for layer, features in train.features.items():
            data, held_out = unit_rows(features), unit_rows(test.features[layer])
            results = in_threads(partial(self._of_class, data), list(targets.T), self.num_threads, tick)
            scores = np.stack([machine(held_out) for machine, _, _ in results], axis=1)
            # What has no row has no machine, and 0 would beat every trained one that says no.
            scores[:, ~(targets == 1).any(axis=0)] = -np.inf
            costs = [cost for _, cost, _ in results]
            found[layer] = measured(
                scores, test, self.num_classes, setting={"cost": float(np.median(costs))},
                holdout=mean_of_known(np.array([value for _, _, value in results])),
                num_unconverged=sum(not machine.converged for machine, _, _ in results), more={"costs": costs})
        return found

    def _of_class(self, data: NDArray[np.float64], targets: NDArray[np.int8]) -> tuple[Machine, float, float]:
        """(machine on all rows, its cost, the average precision that chose it); NaN for a class without rows."""
        if not (targets == 1).any():
            return train_machine(data, targets, self.costs[0]), self.costs[0], float("nan")
        cost, value = best_cost(data, targets, self.costs, self.num_folds)
        return train_machine(data, targets, cost), cost, value


def in_threads(work: Callable[[_Item], _Result], items: Sequence[_Item], num_threads: int, tick: Tick,
               ) -> list[_Result]:
    """`work` of every item, in order; liblinear computes without holding Python's lock. Products inside are of one
    thread: there are as many items at work as there are to be threads."""
    with _quiet(), linear_algebra_in(1), ThreadPoolExecutor(num_threads) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [_awaited(future, tick) for future in futures]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _awaited(future: Any, tick: Tick) -> Any:
    result = future.result()
    tick()
    return result


@contextmanager
def _quiet() -> Iterator[None]:
    """Whether a machine converged is counted, and a fold without a positive row left out, so neither is warned of.
    Filters belong to the whole process, so they are set outside the threads."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The least populated class")
        yield
