"""Choose a setting on held-out training rows, refit on all of them, score the test rows once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.metrics import Tally, average_precisions
from cfvideo.core.transfer.samples import Samples, row_blocks, signs
from cfvideo.core.transfer.solver import Fitted, Setting, Solver, Tick, no_tick
from cfvideo.core.transfer.split import split_holdout


@dataclass(frozen=True)
class Outcome:
    """One yardstick on one layer.

    setting: the hyper-parameters chosen; holdout: the score that chose them, on training rows. tally: what was
    counted on the test rows. integral, eleven_points: average precision per class, float64 [C], where not every row has
    exactly one label. more: what else a yardstick found out, as JSON.
    """

    setting: Setting
    holdout: float
    num_unconverged: int
    tally: Tally
    integral: NDArray[np.float64] | None = None
    eleven_points: NDArray[np.float64] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class Chosen:
    """The yardstick of a Solver. holdout: share of the training rows that chooses."""

    def __init__(self, solver: Solver, *, num_classes: int, holdout: float, seed: int) -> None:
        self.solver, self.num_classes, self.holdout, self.seed = solver, num_classes, holdout, seed

    def num_ticks(self, num_rows: int, num_layers: int) -> int:
        """About how often a run ticks: the held-out rows make the first of its two fits a little shorter."""
        fitted = num_rows - int(self.holdout * num_rows)
        return (self.solver.num_ticks(fitted, len(self.solver.grid), num_layers)
                + self.solver.num_ticks(num_rows, 1, num_layers))

    def __call__(self, train: Samples, test: Samples, tick: Tick = no_tick) -> dict[str, Outcome]:
        """An Outcome per layer; of equal held-out accuracies the grid's first wins."""
        grid, rows = self.solver.grid, train.labelled
        fitting, held_out = split_holdout(np.asarray([train.labels[row][0] for row in rows]), share=self.holdout,
                                          seed=self.seed)
        tried = self.solver.fit(train, rows[fitting], dict.fromkeys(train.features, grid), tick=tick)
        held = {layer: [tally.hit_share(1) for tally in tallies(one, train, layer, rows[held_out], self.num_classes)]
                for layer, one in tried.items()}
        best = {layer: shares.index(max(shares)) for layer, shares in held.items()}
        final = self.solver.fit(train, rows, {layer: [grid[own]] for layer, own in best.items()}, tick=tick)
        return {layer: self._outcome(grid[own], held[layer][own], tried[layer], final[layer], test, layer)
                for layer, own in best.items()}

    def _outcome(self, setting: Setting, held: float, tried: Fitted, final: Fitted, test: Samples, layer: str,
                 ) -> Outcome:
        unconverged = tried.num_unconverged + final.num_unconverged
        every = np.arange(len(test))
        if not test.is_multi_label:
            return Outcome(setting, held, unconverged, tallies(final, test, layer, every, self.num_classes)[0])
        scores = np.concatenate([next(iter(final.scores(test.features[layer][rows]))) for rows in row_blocks(every)])
        return measured(scores, test, self.num_classes, setting=setting, holdout=held, num_unconverged=unconverged)


def tallies(fitted: Fitted, samples: Samples, layer: str, rows: NDArray[np.int64], num_classes: int) -> list[Tally]:
    """One Tally per setting over some rows of `samples`, a block at a time."""
    found: list[Tally] = []
    for block in row_blocks(rows):
        labels = [samples.labels[row] for row in block]
        for place, scores in enumerate(fitted.scores(samples.features[layer][block])):
            if place == len(found):
                found.append(Tally(num_classes))
            found[place].add(scores, labels)
    return found


def measured(scores: NDArray[np.floating], test: Samples, num_classes: int, **outcome: Any) -> Outcome:
    """The Outcome of scores [N, C] of all test rows, average precisions among it."""
    tally = Tally(num_classes)
    tally.add(scores, test.labels)
    targets = signs(test.labels, num_classes, test.ignored)
    return Outcome(tally=tally, integral=average_precisions(scores, targets),
                   eleven_points=average_precisions(scores, targets, points=11), **outcome)
