"""Runs over the toy modality that remember what each training began with and read, and plain SGD to redo them with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cfvideo.core.cli import run
from cfvideo.core.index import Index
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.core.tensors import load_tensors
from tests.toy_modality import TOY, ToyNetwork, train_batches

Weights = Mapping[str, Tensor]
# What a step minimises, averaged over its items: the network's outputs [B, K], and what it was fed.
Loss = Callable[[Tensor, Batch], Tensor]


class ConvolutionalToy(ToyNetwork):
    """A toy with a convolution, whose weights have a layout; `noted` learns how it computes in training."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.body = nn.Sequential(nn.Conv2d(2, 6, (1, 2)), nn.Flatten(), nn.BatchNorm1d(6), nn.ReLU())
        self.noted: set[tuple[torch.dtype, bool]] = set()

    def pooled(self, data: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        known = {"conv1": data, "res5": self.body(data.view(-1, 2, 1, 2))}
        return {layer: known[layer] for layer in layers}

    def forward(self, data: Tensor) -> Tensor:
        logits: Tensor = super().forward(data)
        if self.training:
            self.noted.add((logits.dtype, self.body[0].weight.is_contiguous(memory_format=torch.channels_last)))
        return logits


@dataclass
class Training:
    """initial: the weights as they were drawn. batches: what was read, in order; draws: what was asked for."""

    network: ConvolutionalToy
    initial: Weights
    draws: list[Draws] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)


class Recorder:
    """A toy modality whose every training is remembered; of `go`'s run they are found by the name of their network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drawn: list[tuple[ConvolutionalToy, Weights]] = []
        self._made: list[Training] = []
        self.modality = replace(TOY, build_network=self._build, train_batches=self._train_batches)

    def go(self, config: str, *overrides: str, stages: str) -> None:
        """Run `config`, whose {out} is where it writes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "toy.yaml").write_text(config.format(out=self.folder / "out"))
        assert run(self.modality, files=[self.folder / "toy.yaml"], overrides=overrides, stages=stages, dry_run=False,
                   command="toy") == 0

    def trainings(self) -> dict[str, Training]:
        """By the role of their stage: "seed 0: n_pre"."""
        made = [path for name in ("pretrain", "train_cf") for path in self._manifests(name)]
        made.sort(key=lambda path: path.stat().st_mtime_ns)
        return dict(zip((json.loads(path.read_text())["role"] for path in made), self._made, strict=True))

    def stage(self, name: str, role: str) -> tuple[Path, dict[str, Any]]:
        """The folder and the manifest of the one finished stage of this name and role."""
        (found,) = [path for path in self._manifests(name) if json.loads(path.read_text())["role"] == role]
        return found.parent, json.loads(found.read_text())

    def weights(self, name: str, role: str) -> Weights:
        """Of the network that the stage made."""
        return load_tensors(self.stage(name, role)[0] / "weights.safetensors")[0]

    def _manifests(self, name: str) -> list[Path]:
        return list((self.folder / "out/stages" / name).glob("*/manifest.json"))

    def _build(self, *, num_classes: int, **_: Any) -> ConvolutionalToy:
        recorder = self

        class Network(ConvolutionalToy):
            def initialise(self, generator: torch.Generator) -> None:
                super().initialise(generator)
                recorder._drawn.append((self, {name: value.clone() for name, value in self.state_dict().items()}))

        return Network(num_classes)

    def _train_batches(self, index: Index, draws: Iterable[Draws], *, view: Mapping[str, Any], seed: int,
                       reading: Reading) -> Iterator[Batch]:
        training = Training(*self._drawn[-1])
        self._made.append(training)
        for one in draws:
            training.draws.append(one)
            for batch in train_batches(index, [one], view=view, seed=seed, reading=reading):
                training.batches.append(batch)
                yield batch


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent as a textbook has it. rates: of each step. decay_all: of vectors too, not of matrices
    only. clip: the largest norm of a step's gradient; 0: any."""

    rates: Sequence[float]
    momentum: float
    nesterov: bool
    decay: float
    decay_all: bool = False
    clip: float = 0.0

    def trained(self, initial: Weights, batches: Sequence[Batch], loss: Loss) -> Weights:
        """What `initial` becomes, one step on each batch."""
        network = ConvolutionalToy(len(initial["fc.bias"]))
        network.load_state_dict(initial)
        velocity = [torch.zeros_like(parameter) for parameter in network.parameters()]
        for rate, batch in zip(self.rates, batches, strict=True):
            network.zero_grad()
            loss(network(batch.data), batch).backward()
            self._step(list(network.parameters()), velocity, rate)
        return network.state_dict()

    @torch.no_grad()
    def _step(self, parameters: Sequence[nn.Parameter], velocity: Sequence[Tensor], rate: float) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
        factor = min(1.0, self.clip / norm) if self.clip else 1.0
        for parameter, gradient, moving in zip(parameters, gradients, velocity, strict=True):
            decay = self.decay if parameter.ndim > 1 or self.decay_all else 0.0
            whole = factor * gradient + decay * parameter
            moving.mul_(self.momentum).add_(whole)
            parameter -= rate * (whole + self.momentum * moving if self.nesterov else moving)


def assert_same(found: Weights, wanted: Weights) -> None:
    """Equal but for the last bits."""
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, at=name: f"{at}: {text}")
