"""What one step adds up to, over parts and processes, in one small collective."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cfvideo.core.distributed import gathered, sum_over_ranks
from cfvideo.core.errors import DecodeError


class Tally:
    """Sums of one step: this process's until `share`, everybody's afterwards.

    seen: valid items. num_parts: parts that took part. stops: processes that were asked to stop.
    """

    def __init__(self, device: torch.device) -> None:
        self._loss, self._right = torch.zeros((), device=device), torch.zeros((), device=device)
        self.seen = self.num_parts = self.stops = 0
        self.loss_sum = self.right = 0.0
        self.failures: tuple[DecodeError, ...] = ()
        self.bad_rows: dict[str, tuple[str, str]] = {}

    def add(self, loss: Tensor, right: Tensor, num_items: int) -> None:
        """One part's sums, still on the device: reading them here would make it wait."""
        self._loss += loss
        self._right += right
        self.seen += num_items
        self.num_parts += 1

    def share(self, stopping: bool) -> None:
        """Add up over all processes."""
        mine = [self.seen, self.num_parts, int(stopping), len(self.failures), *torch.stack(
            [self._loss, self._right]).tolist()]
        sums = np.array(mine, np.float64)
        sum_over_ranks(sums)
        self.seen, self.num_parts, self.stops, num_failures = (int(value) for value in sums[:4])
        self.loss_sum, self.right = float(sums[4]), float(sums[5])
        if num_failures:
            own = {str(failure.row): [failure.status, failure.cause] for failure in self.failures}
            self.bad_rows = {row: (why[0], why[1]) for rank in gathered(own) for row, why in rank.items()}
