"""Batch normalisation, whatever the number of its dimensions."""

from __future__ import annotations

from torch import nn


def set_bn_eps(network: nn.Module, eps: float) -> None:
    """Give every batch norm of `network` this epsilon: frameworks differ in it, and weights are made for one."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.eps = eps
