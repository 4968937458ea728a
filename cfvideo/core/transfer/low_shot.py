"""Support vector machines from k positive rows per class (Goyal et al. 2019, section 6.2.2).

Each draw keeps k rows of a class and 19 k others and ignores the rest (fair_self_supervision_benchmark's
create_voc_low_shot_samples.py). The public code then takes, for each k, the cost that is best on the test rows
(VISSL's svm_low_shot_trainer.py, aggregate_stats); here a cost is chosen in cross-validation inside the draw, unless
the other is asked for, and then the result says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.metrics import average_precision, mean_of_known
from cfvideo.core.randomness import numpy_generator
from cfvideo.core.transfer.samples import Samples, signs
from cfvideo.core.transfer.solver import Tick, no_tick
from cfvideo.core.transfer.svm import best_cost, in_threads, train_machine, unit_rows

_NEGATIVES_PER_POSITIVE = 19
CHOSEN_HONESTLY = "training rows of the draw"
CHOSEN_ON_TEST = "test rows, as the public code does: not a fair estimate"


def draw_rows(targets: NDArray[np.int8], k: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Sorted rows of one draw: k of the positives and 19 k of the negatives, or all where there are fewer."""
    parts = [np.flatnonzero(targets == sign) for sign in (1, -1)]
    wanted = (k, _NEGATIVES_PER_POSITIVE * k)
    return np.sort(np.concatenate([generator.permutation(part)[:most] for part, most in zip(parts, wanted,
                                                                                           strict=True)]))


class LowShot:
    """shots: the k; num_draws: of each; on_test: choose the cost on the test rows (see above)."""

    def __init__(self, *, num_classes: int, shots: Sequence[int], num_draws: int, costs: Sequence[float],
                 num_folds: int, on_test: bool, seed: int, num_threads: int) -> None:
        self.num_classes, self.shots, self.num_draws, self.costs = num_classes, tuple(shots), num_draws, sorted(costs)
        self.num_folds, self.on_test, self.seed, self.num_threads = num_folds, on_test, seed, num_threads

    def num_ticks(self, num_rows: int, num_layers: int) -> int:
        return len(self.shots) * self.num_draws * self.num_classes * num_layers

    def __call__(self, train: Samples, test: Samples, tick: Tick = no_tick) -> dict[str, dict[str, Any]]:
        """layer -> {"chosen_on": text, "shots": {k: mean, std (n - 1), min and max of mAP over the draws}}."""
        targets = signs(train.labels, self.num_classes)
        judged = signs(test.labels, self.num_classes, test.ignored)
        found = {}
        for layer in train.features:
            data, held_out = unit_rows(train.features[layer]), unit_rows(test.features[layer])
            table = {str(k): self._of_shots(k, data, targets, held_out, judged, tick) for k in self.shots}
            found[layer] = {"chosen_on": CHOSEN_ON_TEST if self.on_test else CHOSEN_HONESTLY, "shots": table}
        return found

    def _of_shots(self, k: int, data: NDArray[np.float64], targets: NDArray[np.int8], held_out: NDArray[np.float64],
                  judged: NDArray[np.int8], tick: Tick) -> dict[str, float]:
        jobs = [(draw, label) for draw in range(self.num_draws) for label in range(self.num_classes)]
        work = partial(self._of_class, k, data, targets, held_out, judged)
        values = np.array(in_threads(work, jobs, self.num_threads, tick))
        by_draw = values.reshape(self.num_draws, self.num_classes, -1)
        means = np.array([[mean_of_known(by_draw[draw, :, cost]) for cost in range(by_draw.shape[2])]
                          for draw in range(self.num_draws)])
        # One cost for all draws and classes, the best on average; honest values have one column.
        chosen = means[:, means.mean(axis=0).argmax()]
        return {"mean": float(chosen.mean()), "std": float(chosen.std(ddof=1)) if len(chosen) > 1 else 0.0,
                "min": float(chosen.min()), "max": float(chosen.max())}

    def _of_class(self, k: int, data: NDArray[np.float64], targets: NDArray[np.int8], held_out: NDArray[np.float64],
                  judged: NDArray[np.int8], job: tuple[int, int]) -> list[float]:
        """Average precision on the test rows, per cost that is still open."""
        draw, label = job
        rows = draw_rows(targets[:, label], k, numpy_generator(self.seed, "low shot", k, draw, label))
        data, own = data[rows], targets[rows, label]
        costs = self.costs if self.on_test else [self._honest_cost(data, own)]
        return [average_precision(train_machine(data, own, cost)(held_out), judged[:, label]) for cost in costs]

    def _honest_cost(self, data: NDArray[np.float64], targets: NDArray[np.int8]) -> float:
        return best_cost(data, targets, self.costs, min(self.num_folds, int((targets == 1).sum())))[0]
