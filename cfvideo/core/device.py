"""Which device computes, and how many threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cfvideo.core.distributed import local_rank, processes_here
from cfvideo.core.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device of SYSTEM.DEVICE: auto takes a GPU where there is one."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("SYSTEM.DEVICE: cuda asked for, but torch sees no GPU; use auto or cpu, or check the driver "
                          "with nvidia-smi")
    if not available or name == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda", local_rank())
    torch.cuda.set_device(device)
    return device


def resolved_threads(num_threads: int) -> int:
    """SYSTEM.THREADS as a number: 0 means all cores that this process may use, shared with torchrun's others here."""
    return num_threads or max(1, len(os.sched_getaffinity(0)) // processes_here())


@contextmanager
def linear_algebra_in(num_threads: int) -> Iterator[None]:
    """Let NumPy, SciPy and scikit-learn multiply and decompose in so many threads; torch has a number of its own.

    Otherwise they take all cores, and where others use these too, most of the time goes into waiting for each other.
    The number can change the last bits of what comes out.
    """
    import scipy.linalg  # noqa: F401  # its library can be told only once it is there
    from threadpoolctl import threadpool_limits

    with threadpool_limits(num_threads, user_api="blas"):
        yield


def computes_on(device: torch.device, num_threads: int) -> str:
    """What decides the last bits of a network's output, for fingerprints: "cuda", or "cpu with 2 threads"."""
    return device.type if device.type != "cpu" else f"cpu with {resolved_threads(num_threads)} threads"
