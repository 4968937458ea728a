"""Random generators that are functions of what they are for. There is no global generator anywhere."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def numpy_generator(seed: int, purpose: str, *words: int) -> np.random.Generator:
    """The generator of (seed, purpose, words): the same for ever, whoever asks and in whatever order."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *words])


def derived_seed(seed: int, purpose: str) -> int:
    """A seed of its own for one use of a run's seed, in [0, 2^32)."""
    return int(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]).generate_state(1)[0])


def torch_generator(seed: int, purpose: str) -> torch.Generator:
    """As `numpy_generator`, for torch on the CPU."""
    state = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
