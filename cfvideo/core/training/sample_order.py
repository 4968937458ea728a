"""Which row is read at which position of training: a counter-based permutation per epoch.

Nothing is shuffled or stored: position -> row is a pure function of (seed, epoch), in O(1) memory for 62 million
rows, the same on any number of processes and after any restart. The permutation is a Feistel network over the next
power of four, walked until it lands inside (format-preserving encryption; Black and Rogaway, "Ciphers with arbitrary
finite domains", 2002).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.distributed import Ranks
from cfvideo.core.records import Draws
from cfvideo.core.splitmix import splitmix64
from cfvideo.core.training.parts import cut, largest_part

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


@dataclass(frozen=True)
class Step:
    """One training step, as one process sees it.

    start: samples processed before it. num_items: items of the step over all processes. parts: the micro-batches that
    are this process's, in order; each is normalised on its own.
    """

    start: int
    num_items: int
    parts: tuple[Draws, ...]


@dataclass(frozen=True)
class SampleOrder:
    """What each step reads, up to `max_samples`; the last step may be smaller.

    rows: int64 [N], the rows that have a label. Every epoch visits each once; a step may straddle two epochs. A step
    is the same whatever the number of processes; so are its parts where `micro_batch_size` is given. Where it is 0, a
    process has one part or none (`parts.py`).
    """

    rows: NDArray[np.int64]
    batch_size: int
    max_samples: int
    seed: int
    micro_batch_size: int = 0
    ranks: Ranks = Ranks()

    def steps(self, start: int = 0) -> Iterator[Step]:
        """The steps from sample `start` on."""
        largest = largest_part(self.batch_size, self.micro_batch_size, self.ranks.size)
        for begin in range(start, self.max_samples, self.batch_size):
            counter = np.arange(begin, min(begin + self.batch_size, self.max_samples), dtype=np.int64)
            parts = cut(len(counter), largest)
            first, last = self.ranks.share(len(parts))
            yield Step(begin, len(counter), tuple(self._draws(counter[low:high]) for low, high in parts[first:last]))

    def _draws(self, counter: NDArray[np.int64]) -> Draws:
        epochs, positions = np.divmod(counter, len(self.rows))
        chosen = np.empty_like(counter)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            chosen[here] = self.rows[permute(positions[here], len(self.rows), seed=self.seed, epoch=int(epoch))]
        return Draws(rows=chosen, epochs=epochs)
