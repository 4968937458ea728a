"""Learning rate as a function of progress in samples."""

from __future__ import annotations

import math
from collections.abc import Sequence


def learning_rate(samples: int, *, max_samples: int, base_lr: float, warmup_samples: int = 0,
                  warmup_from: float = 0.0, schedule: str = "halving", num_halvings: int = 13,
                  steps: Sequence[float] = (), step_factor: float = 0.1) -> float:
    """The rate for the step that begins after `samples` samples.

    halving: divided by 2 at `num_halvings` equally spaced points (paper, supplement B, C, F), so that the budget is
    cut into num_halvings + 1 equal parts and ends at base_lr / 2**num_halvings. step: times `step_factor` at each
    share of the budget in `steps` (supplement D). cosine: falls to 0. constant. Warm-up, where asked for, rises
    linearly from `warmup_from` * base_lr and shortens nothing that follows.
    """
    if samples < warmup_samples:
        return base_lr * (warmup_from + (1.0 - warmup_from) * samples / warmup_samples)
    if schedule == "constant":
        return base_lr
    if schedule == "cosine":
        return base_lr * 0.5 * (1.0 + math.cos(math.pi * min(samples / max_samples, 1.0)))
    if schedule == "halving":
        # Integers, so that a boundary falls on the same sample everywhere.
        halvings = min(samples * (num_halvings + 1) // max_samples, num_halvings)
        return base_lr * 0.5**halvings
    if schedule == "step":
        return base_lr * step_factor ** sum(samples >= round(share * max_samples) for share in steps)
    raise ValueError(f"unknown schedule {schedule!r}; allowed: halving, step, cosine, constant")
