"""Linear heads by mini-batch SGD: every layer, learning rate and weight decay in one pass over the features.

A layer's H heads see the same rows, so they are one matrix [D, H C] and one product a step. A head learns what it
would learn alone: all start from the same weights, and no setting sees another's gradient.

Schedule (recipe of Goyal et al. 2019, which the paper follows in appendix D): batch 256, momentum 0.9 with Nesterov,
28 epochs on ImageNet, rate / 10 at the drops. The paper says two equally spaced drops; fair_self_supervision_benchmark
and VISSL's eval_resnet_8gpu_transfer_*_linear.yaml both do three, at 8, 16 and 24 of 28 epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfvideo.core.randomness import numpy_generator, torch_generator
from cfvideo.core.transfer.samples import Features, Samples, Scores, soft_targets, unseen
from cfvideo.core.transfer.scaling import Scaling, on_device
from cfvideo.core.transfer.solver import Setting, Tick, no_tick

# As shares of the training.
DROPS = {"three": (Fraction(2, 7), Fraction(4, 7), Fraction(6, 7)), "two": (Fraction(1, 3), Fraction(2, 3)),
         "none": ()}
_INITIAL_DEVIATION = 0.01


@dataclass(frozen=True)
class Schedule:
    """How long and how: epochs over the rows, rows per step, momentum, when the rate falls to a tenth."""

    epochs: int
    batch_size: int
    momentum: float
    nesterov: bool
    drops: str

    def num_steps(self, num_rows: int) -> int:
        return self.epochs * ceil(num_rows / self.batch_size)

    def factor(self, step: int, num_rows: int) -> float:
        """What the learning rate is multiplied by at a step."""
        total = self.num_steps(num_rows)
        return 0.1 ** sum(step >= share * total for share in DROPS[self.drops])


class Heads:
    """The heads of one layer: weight [D, H C], bias [H C], and the momentum of both."""

    def __init__(self, scaling: Scaling, first_weight: Tensor, settings: Sequence[Setting], never: NDArray[np.bool_],
                 ) -> None:
        device, self.num_heads, self.num_classes = scaling.mean.device, len(settings), first_weight.shape[1]
        self.scaling, self.never, self.num_unconverged = scaling, torch.from_numpy(never).to(device), 0
        self.weight = first_weight.repeat(1, self.num_heads).to(device)
        self.bias = torch.zeros(self.weight.shape[1], device=device)
        self._momenta = [torch.zeros_like(value) for value in (self.weight, self.bias)]
        self._rate, self._decay = (torch.tensor([setting[name] for setting in settings], device=device)
                                   .repeat_interleave(self.num_classes) for name in ("learning_rate", "weight_decay"))

    def step(self, data: Tensor, targets: Tensor, schedule: Schedule, factor: float) -> None:
        """One step on data [B, D] with targets [B, C]; torch.optim.SGD's arithmetic."""
        data = self.scaling.training(data)
        slope = (self._logits(data).softmax(dim=2) - targets[:, None]).flatten(1) / len(data)
        gradients = (data.T @ slope, slope.sum(dim=0))
        for value, momentum, gradient in zip((self.weight, self.bias), self._momenta, gradients, strict=True):
            gradient.addcmul_(value, self._decay)
            momentum.mul_(schedule.momentum).add_(gradient)
            step = gradient.add_(momentum, alpha=schedule.momentum) if schedule.nesterov else momentum
            value.addcmul_(step, self._rate, value=-factor)

    def _logits(self, data: Tensor) -> Tensor:
        return torch.addmm(self.bias, data, self.weight).view(len(data), self.num_heads, self.num_classes)

    def scores(self, features: Features) -> Iterator[Scores]:
        """Per head, the log of the mean probability over a row's clips."""
        data = self.scaling(on_device(features, self.weight.device))
        clips = self._logits(data).log_softmax(dim=2)
        clips = clips.view(*features.shape[:2], self.num_heads, self.num_classes)
        means = clips.logsumexp(dim=1) - log(features.shape[1])
        means[:, :, self.never] = -torch.inf
        for head in range(self.num_heads):
            yield means[:, head].double().cpu().numpy()


class SgdSolver:
    """Solver; every pair of a learning rate and a weight decay is a setting.

    scaling: one of SCALINGS. num_cells: layer -> cells of its pooled map, where it kept them.
    """

    def __init__(self, *, num_classes: int, learning_rates: Sequence[float], weight_decays: Sequence[float],
                 schedule: Schedule, scaling: str, num_cells: Mapping[str, int], seed: int, device: torch.device,
                 ) -> None:
        self.num_classes, self.schedule, self.scaling, self.num_cells = num_classes, schedule, scaling, num_cells
        self.seed, self.device = seed, device
        self.grid: Sequence[Setting] = [{"learning_rate": rate, "weight_decay": decay}
                                        for decay in sorted(weight_decays, reverse=True)
                                        for rate in sorted(learning_rates)]

    def num_ticks(self, num_rows: int, num_settings: int, num_layers: int) -> int:
        return self.schedule.num_steps(num_rows)

    def fit(self, samples: Samples, rows: NDArray[np.int64], settings: Mapping[str, Sequence[Setting]], *,
            tick: Tick = no_tick) -> Mapping[str, Heads]:
        never = unseen(samples.labels, rows, self.num_classes)
        heads = {layer: self._heads(layer, samples.features[layer], rows, wanted, never)
                 for layer, wanted in settings.items()}
        for step, (batch, clips) in enumerate(self._batches(rows, samples)):
            targets = torch.from_numpy(soft_targets(samples.labels, batch, self.num_classes)).to(self.device)
            factor = self.schedule.factor(step, len(rows))
            for layer, own in heads.items():
                data = on_device(samples.features[layer][batch, clips][:, None], self.device)
                own.step(data, targets, self.schedule, factor)
            tick()
        return heads

    def _heads(self, layer: str, features: Features, rows: NDArray[np.int64], settings: Sequence[Setting],
               never: NDArray[np.bool_]) -> Heads:
        scaling = Scaling(self.scaling, features, rows, self.device, num_cells=self.num_cells.get(layer, 1))
        return Heads(scaling, self._first_weight(layer, features.shape[2]), settings, never)

    def _first_weight(self, layer: str, dim: int) -> Tensor:
        generator = torch_generator(self.seed, f"probe {layer}")
        return torch.randn(dim, self.num_classes, generator=generator) * _INITIAL_DEVIATION

    def _batches(self, rows: NDArray[np.int64], samples: Samples,
                 ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows of each step, every row once an epoch in a new order, with one of its clips drawn."""
        num_clips = next(iter(samples.features.values())).shape[1]
        for epoch in range(self.schedule.epochs):
            generator = numpy_generator(self.seed, "probe order", epoch)
            order = generator.permutation(rows)
            clips = generator.integers(num_clips, size=len(rows))
            for start in range(0, len(rows), self.schedule.batch_size):
                part = slice(start, start + self.schedule.batch_size)
                yield order[part], clips[part]
