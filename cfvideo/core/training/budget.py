"""How long and how fast a network trains, counted in samples."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.training.schedules import learning_rate


@dataclass(frozen=True)
class Budget:
    """A training budget; the fields are those of SolverSpec."""

    max_samples: int
    batch_size: int
    micro_batch_size: int
    base_lr: float
    base_batch_size: int
    warmup_samples: int
    warmup_from: float
    schedule: str
    num_halvings: int
    steps: tuple[float, ...]
    step_factor: float
    checkpoint_samples: int

    def rate(self, samples: int) -> float:
        """Learning rate after `samples`, scaled linearly with the batch (Goyal et al., 2017)."""
        return learning_rate(samples, max_samples=self.max_samples, warmup_samples=self.warmup_samples,
                             warmup_from=self.warmup_from, schedule=self.schedule,
                             base_lr=self.base_lr * self.batch_size / self.base_batch_size,
                             num_halvings=self.num_halvings, steps=self.steps, step_factor=self.step_factor)
