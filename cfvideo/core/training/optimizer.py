"""The optimiser: SGD over two groups of weights, and gradients that are sums over all processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cfvideo.core.distributed import current, sum_tensors_over_ranks


def make_optimizer(network: nn.Module, *, momentum: float, nesterov: bool, weight_decay: float,
                   decay_batch_norm: bool) -> torch.optim.SGD:
    """SGD that decays the weights of convolutions and heads; batch norms and biases only where asked to."""
    decayed = [p for p in network.parameters() if p.ndim > 1 or decay_batch_norm]
    free = [p for p in network.parameters() if p.ndim <= 1 and not decay_batch_norm]
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": weight_decay},
                                    {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD([group for group in groups if group["params"]], lr=0.0, momentum=momentum,
                           nesterov=nesterov and momentum > 0)


def parameters_of(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """All parameters, in the optimiser's fixed order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def sum_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes, in one collective of one fixed layout.

    Why not DistributedDataParallel: a process whose share of a step is empty or undecodable has nothing to run
    backward through, which hangs it; and it re-orders its buckets after the first step it sees, so that a resumed run
    would add in another order than an undisturbed one.
    """
    if current().size == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    sum_tensors_over_ranks([parameter.grad for parameter in parameters if parameter.grad is not None])


def scale_gradients(parameters: Sequence[nn.Parameter], factor: float) -> None:
    """Multiply every gradient by `factor`."""
    if factor != 1.0:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(factor)


def gradient_norm(parameters: Sequence[nn.Parameter]) -> float:
    """The joint norm of all gradients; not finite where one of them is not."""
    return float(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))


def momentum_buffers(optimizer: torch.optim.Optimizer) -> dict[int, torch.Tensor]:
    """Momentum by position of its parameter; none before the first step."""
    buffers = {position: optimizer.state[parameter].get("momentum_buffer")
               for position, parameter in enumerate(parameters_of(optimizer)) if parameter in optimizer.state}
    return {position: value for position, value in buffers.items() if value is not None}


def set_momentum_buffers(optimizer: torch.optim.Optimizer, buffers: dict[str, torch.Tensor]) -> None:
    """Put back what `momentum_buffers` gave."""
    parameters = parameters_of(optimizer)
    for position, value in buffers.items():
        parameter = parameters[int(position)]
        # The optimizer updates in place: the buffer takes its parameter's memory layout and device.
        buffer = torch.empty_like(parameter)
        buffer.copy_(value)
        optimizer.state[parameter]["momentum_buffer"] = buffer
