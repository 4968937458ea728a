"""Training state on disk: whole, checksummed, the last two and the best kept; a damaged one gives way to the one
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from cfvideo.core.distributed import current, from_first
from cfvideo.core.errors import IntegrityError
from cfvideo.core.tensors import load_header, load_tensors, save_tensors
from cfvideo.core.training.optimizer import momentum_buffers, set_momentum_buffers

_KEEP = 2


@dataclass
class Progress:
    """What training knows beside tensors.

    samples: samples processed. journal_bytes: length of metrics.jsonl at this point.
    seen, right, loss_sum: since the last journal line. recent_loss: the mean of the last whole journal line.
    bad_rows: row -> (status, cause).
    """

    samples: int = 0
    journal_bytes: int = 0
    seen: int = 0
    right: float = 0.0
    loss_sum: float = 0.0
    recent_loss: float | None = None
    bad_rows: dict[str, tuple[str, str]] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one training run, in `folder`. The first process writes, all read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("checkpoint-*.safetensors"))

    def best(self) -> Path | None:
        """The one with the lowest training loss; the latest of equals."""
        scored = [(_recent_loss(path), path) for path in self.files()]
        known = [(loss, path) for loss, path in scored if loss is not None]
        return min(reversed(known), key=lambda pair: pair[0])[1] if known else None

    def save(self, network: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Publish network, momentum and progress; keep the last two files and the best."""
        if not current().is_first:
            return
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"momentum.{position}": value for position, value in momentum_buffers(optimizer).items()}
        save_tensors(self.folder / f"checkpoint-{progress.samples:015d}.safetensors", tensors, asdict(progress))
        best = self.best()
        for old in self.files()[:-_KEEP]:
            if old != best:
                old.unlink()

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Load the newest whole checkpoint into both, on every process; a fresh Progress where there is none.

        Raises:
            IntegrityError: it is of another network.
        """
        name = from_first(self._newest_whole() if current().is_first else None)
        if name is None:
            return Progress()
        tensors, header = load_tensors(self.folder / name)
        try:
            network.load_state_dict(_with_prefix(tensors, "network."), strict=True)
        except RuntimeError as error:
            raise IntegrityError(f"{self.folder / name}: a checkpoint of another network: {error}; delete "
                                 f"{self.folder.parent} and run the same command again") from error
        set_momentum_buffers(optimizer, _with_prefix(tensors, "momentum."))
        return Progress(**header)

    def _newest_whole(self) -> str | None:
        for path in reversed(self.files()):
            try:
                load_tensors(path)
            except IntegrityError as error:
                if isinstance(error.__cause__, OSError):  # the disk's trouble, perhaps a passing one, not the file's
                    raise
                path.unlink()
                continue
            return path.name
        return None


def _recent_loss(path: Path) -> float | None:
    """None where there is none, or the file is damaged."""
    try:
        loss: float | None = load_header(path)["recent_loss"]
    except IntegrityError:
        return None
    return loss


def _with_prefix(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
