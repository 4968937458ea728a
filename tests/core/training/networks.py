"""Small networks and batches for tests of the training loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cfvideo.core.distributed import Ranks
from cfvideo.core.errors import DecodeError
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.records import Batch, Draws
from cfvideo.core.screen import Screen
from cfvideo.core.training.budget import Budget
from cfvideo.core.training.checkpoint import Progress
from cfvideo.core.training.complaints import Complaints
from cfvideo.core.training.fit import Trainer
from cfvideo.core.training.objectives import Items, LabelObjective, Network, Objective
from cfvideo.core.training.optimizer import make_optimizer
from cfvideo.core.training.sample_order import SampleOrder

NUM_ROWS, NAMES = 40, "abc"
NUM_CLASSES = len(NAMES)
ALONE = Ranks()
LABELS = (np.arange(NUM_ROWS) % NUM_CLASSES).astype(np.int32)


def network(*, norm: bool = True, outputs: int = NUM_CLASSES) -> nn.Sequential:
    """A fixed draw of linear, batch norm, linear."""
    layers = [nn.Linear(4, 6), *([nn.BatchNorm1d(6)] if norm else []), nn.ReLU(), nn.Linear(6, outputs)]
    made = nn.Sequential(*layers)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in made:
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0, 0.5, generator=generator)
                layer.bias.zero_()
    return made


def features(rows: np.ndarray, epochs: np.ndarray) -> torch.Tensor:
    """float32 [B, 4], a function of row and epoch."""
    values = [np.random.default_rng([int(row), int(epoch)]).normal(size=4) + np.eye(4)[row % 3]
              for row, epoch in zip(rows, epochs, strict=True)]
    return torch.tensor(np.array(values), dtype=torch.float32)


def batches(draws: Iterator[Draws], bad: frozenset[int] = frozenset(), scale: float = 1.0) -> Iterator[Batch]:
    """One batch per Draws; rows in `bad` cannot be decoded."""
    for one in draws:
        valid = np.array([int(row) not in bad for row in one.rows])
        data = features(one.rows, one.epochs) * torch.from_numpy(valid)[:, None] * scale
        failures = tuple(DecodeError(int(row), "x", "undecodable", "test") for row in one.rows[~valid])
        yield Batch(one.rows, np.zeros_like(one.rows), data, valid, failures)


def budget(**changes: object) -> Budget:
    """96 samples in steps of 12."""
    values = {"max_samples": 96, "batch_size": 12, "micro_batch_size": 0, "base_lr": 0.1, "base_batch_size": 12,
              "warmup_samples": 0, "warmup_from": 0.0, "schedule": "halving", "num_halvings": 3, "steps": (),
              "step_factor": 0.1, "checkpoint_samples": 24}
    return Budget(**{**values, **changes})  # type: ignore[arg-type]


class Cliff(LabelObjective):
    """The same loss with a gradient that is not a number at one row: the root of 0 is 0, its slope is infinite."""

    def __init__(self, row: int) -> None:
        super().__init__([LABELS], [NAMES])
        self.row = row

    def __call__(self, network: Network, data: torch.Tensor, items: Items) -> tuple[torch.Tensor, torch.Tensor]:
        logits = network(data)
        loss, right = super().__call__(lambda _: logits, data, items)
        return loss + (logits[items.rows == self.row].sum() * 0).sqrt(), right


def trainer(folder: Path, *, net: nn.Module, plan: Budget, objective: Objective | None = None, ranks: Ranks = ALONE,
            bad: frozenset[int] = frozenset(), scale: float = 1.0, clip: float = 0.0, fewest: int = 1) -> Trainer:
    """A Trainer over the rows above."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scratch").mkdir(exist_ok=True)
    wanted = objective or LabelObjective([LABELS], [NAMES])
    optimizer = make_optimizer(net, momentum=0.9, nesterov=True, weight_decay=1e-3, decay_batch_norm=False)
    order = SampleOrder(wanted.rows, plan.batch_size, plan.max_samples, 5, plan.micro_batch_size, ranks)
    return Trainer(network=net, compute=net, optimizer=optimizer, objective=wanted, budget=plan, order=order,
                   batches=lambda draws: batches(draws, bad, scale), item_shape=(4,),
                   complaints=Complaints("pretrain toy", "N_PRE.SOLVER", "video {}".format), max_bad_share=1.0,
                   folder=folder, scratch=folder / "scratch", events=None, device=torch.device("cpu"),
                   fewest_items=fewest, clip_gradient=clip)


def train(one: Trainer) -> Progress:
    """Run it to its end."""
    with Screen().task("test", one.budget.max_samples, "samples") as task:
        return one.run(task=task, stop=StopRequest())
