"""Batch normalisation, whatever the number of its dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
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


def fewest_items(network: nn.Module, item_shape: Sequence[int]) -> int:
    """How many items a batch must have for every batch norm to see two numbers per channel: 2 where a map of a single
    item is one pixel, else 1. Computes nothing: `network` is in evaluation mode on the meta device."""
    found = [1]

    def note(_norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        found.append(2 if inputs[0].numel() == inputs[0].shape[1] else 1)

    hooks = [module.register_forward_pre_hook(note) for module in network.modules() if isinstance(module, _BatchNorm)]
    with torch.no_grad():
        network(torch.empty((1, *item_shape), device="meta"))
    for hook in hooks:
        hook.remove()
    return max(found)
