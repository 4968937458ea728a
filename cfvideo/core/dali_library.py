"""NVIDIA DALI, where it is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

from cfvideo.core.errors import ConfigError


def is_installed() -> bool:
    """Whether DALI is there; does not import it."""
    try:
        return importlib.util.find_spec("nvidia.dali") is not None
    except ModuleNotFoundError:
        return False


def load() -> Any:
    """nvidia.dali.experimental.dynamic. Raises ConfigError where DALI is not installed."""
    try:
        import nvidia.dali.experimental.dynamic as dynamic
    except (ImportError, OSError) as error:
        raise ConfigError(f"DATA.DECODER = 'dali': DALI cannot be imported ({error}); install it with: pip install "
                          "nvidia-dali-cuda130 (Linux), or leave DATA.DECODER at auto") from error
    return dynamic


def resolved(decoder: str, device_type: str) -> str:
    """dali, dali_gpu or dali_cpu -> dali_gpu or dali_cpu. device_type: cuda or cpu, where the networks run. Raises
    ConfigError where DALI is not installed."""
    load()
    return ("dali_gpu" if device_type == "cuda" else "dali_cpu") if decoder == "dali" else decoder
