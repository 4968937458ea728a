"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or Inf; raised before the weights are touched."""


def cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """logits [B, K], labels int64 [B] -> mean loss and how many are right."""
    loss = F.cross_entropy(logits, labels)
    if not bool(torch.isfinite(loss)):
        raise NonFiniteLoss(f"loss is {loss.item()}")
    return loss, int((logits.argmax(dim=1) == labels).sum())
