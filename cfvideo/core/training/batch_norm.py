"""Batch norm when a step is cut into parts: several micro-batches, several processes.

Every part is normalised by its own statistics, as on each GPU of the paper (supplement C: 6 videos per GPU), or by
those of all processes (synchronised). The *running* statistics then take one step of momentum towards the mean over
the parts, whoever computed them: so they do not depend on how many processes shared the parts, and a restart needs no
state but the network's own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from cfvideo.core.distributed import current, sum_tensors_over_ranks


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch norms that keep running statistics."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]


class RunningStatistics:
    """Owns the running statistics of a network for the length of a training run.

    Inside a step each part's forward overwrites them with its own (momentum 1); `end_step` mixes.
    """

    def __init__(self, network: nn.Module) -> None:
        self._norms = batch_norms(network)
        self._momentum = [norm.momentum if norm.momentum is not None else 0.1 for norm in self._norms]
        for norm in self._norms:
            norm.momentum = 1.0

    def _buffers(self) -> list[Tensor]:
        return [buffer for norm in self._norms for buffer in (norm.running_mean, norm.running_var)
                if buffer is not None]

    def _counters(self) -> list[Tensor]:
        return [norm.num_batches_tracked for norm in self._norms if norm.num_batches_tracked is not None]

    def begin_step(self) -> None:
        """Remember what the last step left."""
        self._before = [buffer.clone() for buffer in self._buffers()]
        self._counts = [counter.clone() for counter in self._counters()]
        self._sums = [torch.zeros_like(buffer) for buffer in self._before]

    def note_part(self) -> None:
        """Add the statistics that the last forward pass left in the buffers."""
        for total, buffer in zip(self._sums, self._buffers(), strict=True):
            total.add_(buffer)

    def end_step(self, num_parts: int) -> None:
        """running = (1 - momentum) running + momentum * mean over the `num_parts` parts of all processes; of none, it
        stays."""
        if not num_parts:
            return
        sum_tensors_over_ranks(self._sums)
        momenta = [momentum for momentum in self._momentum for _ in range(2)]
        for buffer, before, total, momentum in zip(self._buffers(), self._before, self._sums, momenta, strict=True):
            buffer.copy_(before.lerp(total / num_parts, momentum))
        for counter, count in zip(self._counters(), self._counts, strict=True):
            counter.copy_(count + 1)


class SynchronisedBatchNorm(nn.Module):
    """Batch norm over the items of all processes; the same parameters and buffers as the norm that it replaces, and
    under the same names in state dicts: a run goes on with a number of processes for which nothing is wrapped.

    torch's SyncBatchNorm refuses CPUs; this one runs on both. All processes must call it equally often, forward and
    backward; one without an item does so with a batch of 0.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.norm = norm
        self.register_state_dict_post_hook(_to_plain_names)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_from_plain_names)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, ...] -> the same shape."""
        norm = self.norm
        if not self.training:
            out: Tensor = norm(x)
            return out
        dtype, x = x.dtype, x.float()  # sums of half the bits are no statistics
        over, shape = [0, *range(2, x.ndim)], [1, -1] + [1] * (x.ndim - 2)
        count = torch.tensor([x.numel() / x.shape[1]], dtype=x.dtype, device=x.device)
        sums = _differentiable_sum(torch.cat([x.sum(over), count]))
        total = sums[-1].detach()
        mean = sums[:-1] / total
        centred = x - mean.view(shape)
        variance = _differentiable_sum((centred * centred).sum(over)) / total
        self._track(mean.detach(), variance.detach() * (total / (total - 1)))
        out = centred * torch.rsqrt(variance + norm.eps).view(shape)
        return (out * norm.weight.view(shape) + norm.bias.view(shape)).to(dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        norm = self.norm
        momentum = norm.momentum if norm.momentum is not None else 0.1
        if norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.lerp_(mean, momentum)
            norm.running_var.lerp_(variance, momentum)


def _to_plain_names(_wrapper: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name in [name for name in state if name.startswith(f"{prefix}norm.")]:
        state[prefix + name.removeprefix(f"{prefix}norm.")] = state.pop(name)


def _from_plain_names(_wrapper: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        state[f"{prefix}norm.{name.removeprefix(prefix)}"] = state.pop(name)


def _differentiable_sum(value: Tensor) -> Tensor:
    if current().size == 1:
        return value
    summed: Tensor = all_reduce(value)  # type: ignore[no-untyped-call]
    return summed


def synchronised(network: nn.Module) -> None:
    """Put a SynchronisedBatchNorm around every batch norm, in place; `unsynchronised` takes them away again."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(parent, name, SynchronisedBatchNorm(child))


def is_synchronised(network: nn.Module) -> bool:
    """Whether its batch norms wait for all processes, so that each must run as many passes as the others."""
    return any(isinstance(module, SynchronisedBatchNorm) for module in network.modules())


def unsynchronised(network: nn.Module) -> None:
    """Undo `synchronised`."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, SynchronisedBatchNorm):
                setattr(parent, name, child.norm)
