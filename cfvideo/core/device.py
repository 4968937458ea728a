"""Which device computes, and how many threads."""

from __future__ import annotations

import os

import torch

from cfvideo.core.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device of SYSTEM.DEVICE: auto takes a GPU where there is one."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("SYSTEM.DEVICE: cuda asked for, but torch sees no GPU; use auto or cpu, or check the driver "
                          "with nvidia-smi")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def resolved_threads(num_threads: int) -> int:
    """SYSTEM.THREADS as a number: 0 means all cores that this process may use."""
    return num_threads or len(os.sched_getaffinity(0))


def computes_on(device: torch.device, num_threads: int) -> str:
    """What decides the last bits of a network's output, for fingerprints: "cuda", or "cpu with 2 threads"."""
    return device.type if device.type != "cpu" else f"cpu with {resolved_threads(num_threads)} threads"
