"""Why a training ends before its budget does, and what mends it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cfvideo.core.errors import ConfigError
from cfvideo.core.failures import check_ceiling
from cfvideo.core.training.budget import Budget
from cfvideo.core.training.checkpoint import Checkpoints


@dataclass(frozen=True)
class Complaints:
    """What one training says when it has to stop.

    title: the stage and its network. solver: the group of keys that it was trained by, N_PRE.SOLVER. name_of: a row's
    file.
    """

    title: str
    solver: str
    name_of: Callable[[int], str]

    def check_finite(self, value: float, what: str, samples: int, budget: Budget, checkpoints: Checkpoints) -> None:
        """ConfigError where training diverged; called before the weights are touched."""
        if math.isfinite(value):
            return
        best = checkpoints.best()
        kept = f"; the checkpoint with the lowest loss is {best}" if best else ""
        raise ConfigError(f"{self.title}: training diverged in the step after {samples} samples: {what} is {value}; "
                          f"lower {self.solver}.BASE_LR ({budget.base_lr}), raise {self.solver}.WARMUP_SAMPLES "
                          f"({budget.warmup_samples}) or set {self.solver}.CLIP_GRADIENT{kept}")

    def check_bad_rows(self, bad_rows: dict[str, tuple[str, str]], num_rows: int, max_bad_share: float) -> None:
        """TooManyBadSamples where more than `max_bad_share` of the rows cannot be decoded. bad_rows: why, by row."""
        if bad_rows:
            row, why = next(reversed(bad_rows.items()))
            last = f"row {row}: {self.name_of(int(row))}: {': '.join(why)}"
            check_ceiling(len(bad_rows), num_rows, max_bad_share=max_bad_share, where=self.title, last=last)
