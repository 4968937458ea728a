"""In which number format a network computes, and whether this machine can."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import torch

from cfvideo.core.errors import ConfigError

# x86 names of instruction sets that multiply bfloat16; without them torch emulates it, 34 times slower than float32.
_BF16_FLAGS = ("avx512_bf16", "amx_bf16")


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor multiplies bfloat16 itself."""
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return False
    return not words.isdisjoint(_BF16_FLAGS)


def check_precision(precision: str, device: torch.device, key: str) -> None:
    """ConfigError where `precision` is not to be had on `device`; `key` is what to edit."""
    if precision == "fp32":
        return
    if device.type == "cuda":
        if not torch.cuda.is_bf16_supported():
            raise ConfigError(f"{key}: this GPU has no bfloat16; use fp32")
    elif not cpu_has_bf16():
        raise ConfigError(f"{key}: this CPU has neither AVX512-BF16 nor AMX, so bf16 would run many times slower than "
                          "fp32 (34 x, measured); use fp32")


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """A context in which forward passes run in `precision`."""
    context: AbstractContextManager[None] = torch.autocast(device.type, dtype=torch.bfloat16,
                                                           enabled=precision == "bf16")
    return context
