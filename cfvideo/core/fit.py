"""THE training loop: N_pre, N_cf and whatever else learns labels by gradient descent.

The budget is a number of samples, as in the paper; epochs follow from it. What is read when, and at which learning
rate, is a function of the sample count alone, so a restart from any checkpoint goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cfvideo.core.checkpoint import Checkpoints, Progress
from cfvideo.core.errors import ConfigError, TooManyBadSamples
from cfvideo.core.faults import fault_point
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.journal import Journal
from cfvideo.core.objectives import NonFiniteLoss, cross_entropy
from cfvideo.core.records import Batch
from cfvideo.core.schedules import learning_rate
from cfvideo.core.screen import Task

# Journal lines per run: enough for a curve, few enough to read.
_NUM_JOURNAL_LINES = 50


@dataclass(frozen=True)
class Budget:
    """How long and how fast to train; the fields are those of SolverSpec."""

    max_samples: int
    batch_size: int
    base_lr: float
    base_batch_size: int
    warmup_samples: int
    schedule: str
    num_halvings: int
    checkpoint_samples: int

    def rate(self, samples: int) -> float:
        """Learning rate after `samples`, scaled linearly with the batch (Goyal et al., 2017)."""
        return learning_rate(samples, max_samples=self.max_samples, warmup_samples=self.warmup_samples,
                             base_lr=self.base_lr * self.batch_size / self.base_batch_size, schedule=self.schedule,
                             num_halvings=self.num_halvings)


def make_optimizer(network: nn.Module, *, momentum: float, nesterov: bool, weight_decay: float) -> torch.optim.SGD:
    """SGD that decays weights of convolutions and heads only: not batch norms, not biases."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": weight_decay},
                                    {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.0, momentum=momentum, nesterov=nesterov and momentum > 0)


class Trainer:
    """One training run in one folder.

    Args:
        network: initialised; trained in place.
        optimizer: over the network's parameters.
        labels: int [N] over the rows of the index; every drawn row has one (>= 0).
        batches: from a sample count, the batches that follow it.
        max_bad_rows: more distinct undecodable rows than this end the run.
        folder: gets metrics.jsonl. scratch: holds checkpoints.
    """

    def __init__(self, *, network: nn.Module, optimizer: torch.optim.Optimizer, labels: NDArray[np.int32],
                 budget: Budget, batches: Callable[[int], Iterator[Batch]], max_bad_rows: int, folder: Path,
                 scratch: Path, events: Path | None, device: torch.device) -> None:
        self.network, self.optimizer, self.labels, self.budget = network, optimizer, labels, budget
        self.batches, self.max_bad_rows, self.folder, self.events = batches, max_bad_rows, folder, events
        self.device = device
        self.checkpoints = Checkpoints(scratch)

    def run(self, *, task: Task, stop: StopRequest) -> Progress:
        """Train from the newest checkpoint to the end of the budget."""
        progress = self.checkpoints.restore(self.network, self.optimizer)
        journal = Journal(self.folder / "metrics.jsonl", events=self.events, length_bytes=progress.journal_bytes,
                          samples=progress.samples)
        task.advance(progress.samples)
        self.network.train()
        try:
            for batch in self.batches(progress.samples):
                self._step(batch, progress, journal, task)
                finished = progress.samples >= self.budget.max_samples
                if finished or stop.signal_name is not None or self._due(progress.samples, len(batch)):
                    self._save(progress, journal)
                stop.check()
        finally:
            journal.close()
        return progress

    def _due(self, samples: int, step: int) -> bool:
        """Whether the last `step` samples crossed a multiple of the checkpoint period."""
        period = self.budget.checkpoint_samples
        return samples // period > (samples - step) // period

    def _save(self, progress: Progress, journal: Journal) -> None:
        progress.journal_bytes = journal.sync()
        self.checkpoints.save(self.network, self.optimizer, progress)
        fault_point("checkpoint")

    def _step(self, batch: Batch, progress: Progress, journal: Journal, task: Task) -> None:
        for failure in batch.failures:
            progress.bad_rows[str(failure.row)] = (failure.status, failure.cause)
        if len(progress.bad_rows) > self.max_bad_rows:
            row, why = list(progress.bad_rows.items())[-1]
            raise TooManyBadSamples(f"{len(progress.bad_rows)} rows are undecodable, more than DATA.MAX_BAD_SHARE "
                                    f"allows ({self.max_bad_rows}); last: row {row}: {': '.join(why)}")
        self._update(batch, progress)
        progress.samples += len(batch)
        self._note(progress, len(batch), journal)
        task.advance(len(batch), f"loss {progress.loss_sum / max(progress.seen, 1):.3f}" if progress.seen else "")

    def _update(self, batch: Batch, progress: Progress) -> None:
        """One gradient step on the valid items; the invalid ones would enter batch norm's statistics as zeros."""
        if not batch.valid.any():
            return
        data = batch.data if batch.valid.all() else batch.data[torch.from_numpy(batch.valid)]
        targets = torch.from_numpy(self.labels[batch.rows[batch.valid]].astype(np.int64))
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(progress.samples)
        self.optimizer.zero_grad(set_to_none=True)
        try:
            loss, right = cross_entropy(self.network(data.to(self.device)), targets.to(self.device))
        except NonFiniteLoss as error:
            raise ConfigError(f"training diverged after {progress.samples} samples: {error}; lower SOLVER.BASE_LR "
                              f"({self.budget.base_lr}) or raise SOLVER.WARMUP_SAMPLES") from error
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        progress.loss_sum += loss.item() * len(targets)
        progress.right += right
        progress.seen += len(targets)

    def _note(self, progress: Progress, step: int, journal: Journal) -> None:
        """A journal line at fixed sample counts, averaging since the line before."""
        period = max(self.budget.max_samples // _NUM_JOURNAL_LINES, 1)
        if progress.samples // period == (progress.samples - step) // period or not progress.seen:
            return
        journal.record({"samples": progress.samples, "loss": progress.loss_sum / progress.seen,
                        "accuracy": progress.right / progress.seen,
                        "learning_rate": self.budget.rate(progress.samples - step)})
        progress.seen = progress.right = 0
        progress.loss_sum = 0.0
