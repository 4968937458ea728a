"""Training state on disk: whole, checksummed, the last two kept; a damaged one gives way to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from cfvideo.core.errors import IntegrityError
from cfvideo.core.tensors import load_tensors, save_tensors

_KEEP = 2


@dataclass
class Progress:
    """What training knows beside tensors.

    samples: samples processed. journal_bytes: length of metrics.jsonl at this point.
    seen, right, loss_sum: since the last journal line. bad_rows: row -> (status, cause).
    """

    samples: int = 0
    journal_bytes: int = 0
    seen: int = 0
    right: int = 0
    loss_sum: float = 0.0
    bad_rows: dict[str, tuple[str, str]] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one training run, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*.safetensors"))

    def save(self, network: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Publish network, momentum and progress; keep the last two files."""
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"momentum.{position}": value for position, value in _momentum(optimizer).items()}
        save_tensors(self.folder / f"checkpoint-{progress.samples:015d}.safetensors", tensors, asdict(progress))
        for old in self._files()[:-_KEEP]:
            old.unlink()

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Load the newest whole checkpoint into both; a fresh Progress where there is none."""
        for path in reversed(self._files()):
            try:
                tensors, header = load_tensors(path)
            except IntegrityError:
                path.unlink()
                continue
            network.load_state_dict(_with_prefix(tensors, "network."), strict=True)
            _set_momentum(optimizer, _with_prefix(tensors, "momentum."))
            return Progress(**header)
        return Progress()


def _with_prefix(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _momentum(optimizer: torch.optim.Optimizer) -> dict[int, torch.Tensor]:
    buffers = {position: optimizer.state[parameter].get("momentum_buffer")
               for position, parameter in enumerate(_parameters(optimizer)) if parameter in optimizer.state}
    return {position: value for position, value in buffers.items() if value is not None}


def _set_momentum(optimizer: torch.optim.Optimizer, buffers: Mapping[str, torch.Tensor]) -> None:
    parameters = _parameters(optimizer)
    for position, value in buffers.items():
        parameter = parameters[int(position)]
        # The optimizer updates in place: the buffer takes its parameter's memory layout and device.
        buffer = torch.empty_like(parameter)
        buffer.copy_(value)
        optimizer.state[parameter]["momentum_buffer"] = buffer
