"""Which row is read at which position of training: a counter-based permutation per epoch.

Nothing is shuffled or stored: position -> row is a pure function of (seed, epoch), in O(1) memory for 62 million
rows, the same on any number of processes and after any restart. The permutation is a Feistel network over the next
power of four, walked until it lands inside (format-preserving encryption; Black and Rogaway, "Ciphers with arbitrary
finite domains", 2002).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.records import Draws
from cfvideo.core.splitmix import splitmix64

_ROUNDS = 6


def _feistel(values: NDArray[np.uint64], half_bits: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mask = np.uint64((1 << half_bits) - 1)
    left, right = values >> np.uint64(half_bits), values & mask
    for key in keys:
        left, right = right, left ^ (splitmix64(right + key) & mask)
    joined: NDArray[np.uint64] = (left << np.uint64(half_bits)) | right
    return joined


def permute(positions: NDArray[np.int64], length: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Images of `positions` (each in [0, length)) under the permutation of [0, length) named by (seed, epoch)."""
    half_bits = max(1, (max(length - 1, 1).bit_length() + 1) // 2)
    keys = np.random.SeedSequence([seed, epoch]).generate_state(_ROUNDS, np.uint64).astype(np.uint64)
    out = _feistel(positions.astype(np.uint64), half_bits, keys)
    while (outside := out >= np.uint64(length)).any():
        out[outside] = _feistel(out[outside], half_bits, keys)
    return out.astype(np.int64)


def draws(rows: NDArray[np.int64], *, batch_size: int, seed: int, max_samples: int, start: int = 0) -> Iterator[Draws]:
    """What each training step reads, from sample `start` up to `max_samples`; the last step may be shorter.

    rows: int64 [N], the rows that have a label. Every epoch visits each once; a step may straddle two epochs.
    """
    for begin in range(start, max_samples, batch_size):
        counter = np.arange(begin, min(begin + batch_size, max_samples), dtype=np.int64)
        epochs, positions = np.divmod(counter, len(rows))
        chosen = np.empty_like(counter)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            chosen[here] = rows[permute(positions[here], len(rows), seed=seed, epoch=int(epoch))]
        yield Draws(rows=chosen, epochs=epochs)
