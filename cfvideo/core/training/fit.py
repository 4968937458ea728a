"""THE training loop: N_pre, N_cf, distillation and whatever else learns by gradient descent.

The budget is a number of samples, as in the paper; epochs follow from it. What is read when, and at which learning
rate, is a function of the sample count alone, so a restart from any checkpoint goes the same way. Every process holds
the whole network and computes its parts of each step; gradients are summed over parts and processes, so that a step
is the same sum however it was shared out. Whatever ends a run is a sum too, so that all processes end together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cfvideo.core.distributed import current, sum_over_ranks
from cfvideo.core.faults import fault_point
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.journal import METRICS, Journal
from cfvideo.core.records import Batch, Draws
from cfvideo.core.screen import Task
from cfvideo.core.training.batch_norm import RunningStatistics, is_synchronised
from cfvideo.core.training.budget import Budget
from cfvideo.core.training.checkpoint import Checkpoints, Progress
from cfvideo.core.training.complaints import Complaints
from cfvideo.core.training.feeding import Feed, empty_batch
from cfvideo.core.training.objectives import Items, Network, Objective
from cfvideo.core.training.optimizer import gradient_norm, parameters_of, scale_gradients, sum_gradients
from cfvideo.core.training.parts import can_learn
from cfvideo.core.training.precision import autocast
from cfvideo.core.training.sample_order import SampleOrder, Step
from cfvideo.core.training.tally import Tally

# Journal lines per run: enough for a curve, few enough to read.
_NUM_JOURNAL_LINES = 50


@dataclass(frozen=True)
class Trainer:
    """One training run in one folder.

    network: initialised, on the device; trained in place. compute: what runs the forward pass (the network itself, or
    its compiled twin). optimizer: over the network's parameters. order: which rows each step reads. batches: from an
    iterator of draws to one batch each. item_shape: of one item of their data. max_bad_share: a larger share of
    undecodable rows ends the run. folder: gets metrics.jsonl. scratch: holds checkpoints. fewest_items: parts of fewer
    cannot be normalised and sit out. clip_gradient: largest norm of all gradients together; 0: any.
    """

    network: nn.Module
    compute: Network
    optimizer: torch.optim.Optimizer
    objective: Objective
    budget: Budget
    order: SampleOrder
    batches: Callable[[Iterator[Draws]], Iterator[Batch]]
    item_shape: tuple[int, ...]
    complaints: Complaints
    max_bad_share: float
    folder: Path
    scratch: Path
    events: Path | None
    device: torch.device
    precision: str = "fp32"
    fewest_items: int = 1
    clip_gradient: float = 0.0
    checkpoints: Checkpoints = field(init=False)
    synchronised: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoints", Checkpoints(self.scratch))
        object.__setattr__(self, "synchronised", is_synchronised(self.network))

    def run(self, *, task: Task, stop: StopRequest) -> Progress:
        """Train from the newest checkpoint to the end of the budget."""
        progress = self.checkpoints.restore(self.network, self.optimizer)
        task.advance(progress.samples)
        journal = self._journal(progress)
        self.network.train()
        running = RunningStatistics(self.network) if self._in_parts() else None
        draws = (part for step in self.order.steps(progress.samples) for part in step.parts)
        try:
            with Feed(self.batches(draws), self.device) as feed:
                for step in self.order.steps(progress.samples):
                    tally = self._step(step, feed, running, stop)
                    self._account(step, tally, progress, journal)
                    task.advance(step.num_items, _note(progress, feed, task))
                    if self._is_due(progress.samples, step.num_items) or tally.stops:
                        self._save(progress, journal)
                    stop.check_together(bool(tally.stops))
        finally:
            if journal is not None:
                journal.close()
        return progress

    def _journal(self, progress: Progress) -> Journal | None:
        if not current().is_first:
            return None
        return Journal(self.folder / METRICS, events=self.events, length_bytes=progress.journal_bytes,
                       samples=progress.samples)

    def _in_parts(self) -> bool:
        """Whether steps are made of several parts, anywhere."""
        return current().size > 1 or 0 < self.budget.micro_batch_size < self.budget.batch_size

    def _is_due(self, samples: int, step: int) -> bool:
        """Whether the last `step` samples crossed a multiple of the checkpoint period, or ended the run."""
        period = self.budget.checkpoint_samples
        return samples // period > (samples - step) // period or samples >= self.budget.max_samples

    def _save(self, progress: Progress, journal: Journal | None) -> None:
        progress.journal_bytes = journal.sync() if journal is not None else 0
        self.checkpoints.save(self.network, self.optimizer, progress)
        fault_point("checkpoint")

    def _step(self, step: Step, feed: Feed, running: RunningStatistics | None, stop: StopRequest) -> Tally:
        """Forward and backward over this process's parts, then one update by the sum over all."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(step.start)
        self.optimizer.zero_grad(set_to_none=True)
        if running is not None:
            running.begin_step()
        tally = Tally(self.device)
        for batch, data in self._own(step, feed):
            self._part(batch, data, step, tally, running)
        tally.share(stop.signal_name is not None)
        if running is not None:
            running.end_step(tally.num_parts)
        self._update(step, tally)
        return tally

    def _own(self, step: Step, feed: Feed) -> Iterator[tuple[Batch, Tensor]]:
        """This process's parts; an empty one where it has none and others' batch norms wait for it."""
        for _ in step.parts:
            yield next(feed)
        if self.synchronised and not step.parts:
            yield empty_batch(self.item_shape, self.device)

    def _part(self, batch: Batch, data: Tensor, step: Step, tally: Tally, running: RunningStatistics | None) -> None:
        """One micro-batch's gradients; invalid items would enter batch norm's statistics as zeros."""
        tally.failures += batch.failures
        counts = np.array([batch.valid.sum(), len(batch)], np.int64)
        if self.synchronised:  # the parts of all processes are one
            sum_over_ranks(counts)
        if not can_learn(int(counts[0]), int(counts[1]), self.fewest_items):
            return
        if not batch.valid.all():
            data = data[torch.from_numpy(batch.valid).to(data.device)]
        targets = None if batch.targets is None else batch.targets[batch.valid]
        with autocast(self.precision, self.device):
            loss, right = self.objective(self.compute, data, Items(batch.rows[batch.valid], targets))
        (loss / step.num_items).backward()  # type: ignore[no-untyped-call]
        if running is not None:
            running.note_part()
        tally.add(loss.detach(), right, int(batch.valid.sum()))

    def _update(self, step: Step, tally: Tally) -> None:
        """One step of the optimiser; loss and gradients are sums over all processes, so that all stop where one does
        not know a number any more."""
        if not tally.seen:
            return
        self._check_finite(tally.loss_sum, "the loss", step)
        parameters = parameters_of(self.optimizer)
        sum_gradients(parameters)
        scale_gradients(parameters, step.num_items / tally.seen)
        norm = gradient_norm(parameters)
        self._check_finite(norm, "the gradient's norm", step)
        if norm > self.clip_gradient > 0:
            scale_gradients(parameters, self.clip_gradient / norm)
        self.optimizer.step()

    def _check_finite(self, value: float, what: str, step: Step) -> None:
        self.complaints.check_finite(value, what, step.start, self.budget, self.checkpoints)

    def _account(self, step: Step, tally: Tally, progress: Progress, journal: Journal | None) -> None:
        """Book what the step did; a journal line at fixed sample counts, averaging since the line before."""
        progress.bad_rows |= tally.bad_rows
        self.complaints.check_bad_rows(progress.bad_rows, len(self.order.rows), self.max_bad_share)
        progress.samples += step.num_items
        progress.loss_sum += tally.loss_sum
        progress.right += tally.right
        progress.seen += tally.seen
        period = max(self.budget.max_samples // _NUM_JOURNAL_LINES, 1)
        if progress.samples // period == step.start // period or not progress.seen:
            return
        progress.recent_loss = progress.loss_sum / progress.seen
        if journal is not None:
            journal.record({"samples": progress.samples, "loss": progress.recent_loss,
                            "accuracy": progress.right / progress.seen, "learning_rate": self.budget.rate(step.start)})
        progress.seen = 0
        progress.loss_sum = progress.right = 0.0


def _note(progress: Progress, feed: Feed, task: Task) -> str:
    """How it goes, for the progress line: a high share of waiting says that decoding is the bottleneck."""
    loss = f"loss {progress.loss_sum / progress.seen:.3f}  " if progress.seen else ""
    return f"{loss}waiting for data {feed.waited_seconds / max(task.seconds(), 1e-9):.0%}"
