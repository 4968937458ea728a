"""Batch normalisation, whatever the number of its dimensions."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def set_bn_eps(network: nn.Module, eps: float) -> None:
    """Give every batch norm of `network` this epsilon: frameworks differ in it, and weights are made for one."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eps = eps


def bn_epsilons(network: nn.Module) -> list[float]:
    """The epsilons of its batch norms, usually one."""
    return sorted({module.eps for module in network.modules() if isinstance(module, _BatchNorm)})
