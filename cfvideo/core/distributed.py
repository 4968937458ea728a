"""torchrun's processes as one: sums, broadcasts and waiting; in a single process nothing happens.

Counts of processes and ranks are torchrun's business and never in a config. Every process walks through the same
stages in the same order; `Ranks` says which part of the work is its own. Tensors on the CPU travel over gloo, those on
GPUs over NCCL.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

# A collective that waits longer than this has lost a rank: every stage reports or saves far more often.
COLLECTIVE_TIMEOUT = timedelta(minutes=10)
# Waiting for work that only the first rank does (a probe, a report), or for a slower rank's pass over all rows, may
# take long; a dead first rank takes its store along, or torchrun ends the rest, so nobody waits for ever.
_WAIT_STEP = timedelta(seconds=2)


@dataclass(frozen=True)
class Ranks:
    """This process's place among `size` processes; the default is a process on its own."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process publishes and speaks for all."""
        return self.rank == 0

    def share(self, num_items: int) -> tuple[int, int]:
        """The half-open range of `num_items` items that is this rank's; the ranges differ by one item at most."""
        return self.rank * num_items // self.size, (self.rank + 1) * num_items // self.size


def current() -> Ranks:
    """The place of this process; Ranks(0, 1) where no group was joined."""
    if not dist.is_initialized():
        return Ranks()
    return Ranks(dist.get_rank(), dist.get_world_size())


def local_rank() -> int:
    """Number of this process on its machine, as torchrun says: which GPU is its own."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def processes_here() -> int:
    """How many of torchrun's processes share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join torchrun's group for the body of a with statement, where there is one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store, rank, size = next(rendezvous("env://"))
    # torchrun's own store outlives a restart where the port is fixed, and with it the dead processes' addresses.
    attempt = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    dist.init_process_group(backend, store=attempt, rank=rank, world_size=size, timeout=COLLECTIVE_TIMEOUT)
    try:
        yield current()
    finally:
        dist.destroy_process_group()


def sum_over_ranks(*arrays: NDArray[Any]) -> None:
    """Replace each float64 or int64 array, in place, by its sum over all ranks; they may have any shapes."""
    if current().size == 1:
        return
    for array in arrays:
        if array.dtype not in (np.float64, np.int64) or not array.flags.c_contiguous:
            raise ValueError(f"sums travel as contiguous float64 or int64, got {array.dtype}")
        dist.all_reduce(torch.from_numpy(array.reshape(-1)))


def sum_tensors_over_ranks(tensors: Sequence[Tensor]) -> None:
    """Replace each float tensor, in place, by its sum over all ranks: one collective of one fixed layout."""
    if current().size == 1 or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, summed in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(summed.view(tensor.shape))


def from_first(value: Any) -> Any:
    """The first rank's JSON-able `value`, on every rank."""
    if current().size == 1:
        return value
    text = json.dumps(value).encode() if current().is_first else b""
    length = torch.tensor([len(text)])
    dist.broadcast(length, 0)
    data = torch.zeros(int(length), dtype=torch.uint8)
    if current().is_first:
        data = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    dist.broadcast(data, 0)
    return json.loads(data.numpy().tobytes())


def gathered(value: Any) -> list[Any]:
    """Every rank's JSON-able value, in the order of ranks, on every rank."""
    if current().size == 1:
        return [value]
    own = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
    lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(current().size)]
    dist.all_gather(lengths, torch.tensor([len(own)]))
    parts = [torch.zeros(int(max(lengths)), dtype=torch.uint8) for _ in lengths]
    dist.all_gather(parts, torch.nn.functional.pad(own, (0, int(max(lengths)) - len(own))))
    return [json.loads(part[:int(length)].numpy().tobytes()) for part, length in zip(parts, lengths, strict=True)]


def any_rank(flag: bool) -> bool:
    """Whether any rank says so."""
    if current().size == 1:
        return flag
    votes = torch.tensor([int(flag)])
    dist.all_reduce(votes, dist.ReduceOp.MAX)
    return bool(votes)


_waits = [0]


@contextmanager
def first_only(check: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Let the first rank do the body's work while the others wait for its end, however long it takes.

    Yields whether this process is the first. An exception there ends the others too: torchrun stops them, or their
    wait fails with the store of the dead rank. `check` is called while waiting; it may raise.
    """
    if current().size == 1:
        yield True
        return
    key, store = _next_wait()
    if current().is_first:
        yield True
        store.set(key, "done")
        return
    yield False
    _wait_for(key, store, check)


def all_arrived(check: Callable[[], None] = lambda: None) -> None:
    """Wait until every rank has come here, however long it takes: what long work of different speed ends with, before
    a collective, whose patience is short. `check` is called while waiting; it may raise."""
    if current().size == 1:
        return
    key, store = _next_wait()
    if store.add(f"{key}/arrived", 1) == current().size:
        store.set(key, "done")
    _wait_for(key, store, check)


def _next_wait() -> tuple[str, Store]:
    """A key that is the same on all ranks and was never used before, and the store that they share."""
    _waits[0] += 1
    return f"cfvideo/wait/{_waits[0]}", dist.distributed_c10d._get_default_store()


def _wait_for(key: str, store: Store, check: Callable[[], None]) -> None:
    while not store.check([key]):
        check()
        try:
            store.wait([key], _WAIT_STEP)
        except dist.DistStoreError as error:
            if "timeout" not in str(error).lower():
                raise
