"""Random generators that are functions of what they are for. There is no global generator anywhere."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from numpy.typing import NDArray


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


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash uint64 counters to uint64: the finaliser of SplitMix64 (Steele et al., 2014)."""
    with np.errstate(over="ignore"):
        z = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return out
