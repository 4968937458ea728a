"""Learning rate as a function of progress in samples."""

from __future__ import annotations

import math


def learning_rate(samples: int, *, max_samples: int, base_lr: float, warmup_samples: int = 0,
                  schedule: str = "halving", num_halvings: int = 13) -> float:
    """The rate for the step that begins after `samples` samples.

    halving: divided by 2 at `num_halvings` equally spaced points (paper, supplement B, C, F), so that the budget is
    cut into num_halvings + 1 equal parts and ends at base_lr / 2**num_halvings. cosine: falls to 0. Warm-up, where
    asked for, rises linearly from 0 and shortens nothing that follows.
    """
    if samples < warmup_samples:
        return base_lr * samples / warmup_samples
    progress = min(samples / max_samples, 1.0)
    if schedule == "cosine":
        return base_lr * 0.5 * (1.0 + math.cos(math.pi * progress))
    if schedule == "halving":
        # Integers, so that a boundary falls on the same sample everywhere.
        halvings = min(samples * (num_halvings + 1) // max_samples, num_halvings)
        return base_lr * 0.5**halvings
    raise ValueError(f"unknown schedule {schedule!r}; allowed: halving, cosine")
