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


def set_threads(num_threads: int) -> int:
    """Pin torch's CPU threads (0: all cores this process may use); returns the number."""
    chosen = num_threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(chosen)
    return chosen
