"""Features of any rows in any order, from mapped shards: what a batch of a training asks for. B rows, D feature."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.features import FeatureStore

# Linux lets a process have 65,530 maps; opening a shard again costs a fraction of a millisecond.
_MAX_MAPPED = 16_384


class FeatureRows:
    """Reads rows of one layer of a finished store when they are asked for, and holds none of them.

    valid: bool [N], which rows have a feature. feature_shape: (D,), or (V, D) where views were kept.

    Raises:
        IntegrityError: a shard is missing, damaged or of other features; found when it is opened, all at first.
    """

    def __init__(self, store: FeatureStore, layer: str | None = None) -> None:
        self._shards, self._shard_rows = store.shards(), store.shard_rows
        self._shard = lru_cache(_MAX_MAPPED)(lambda number: store.block(self._shards[number], layer))
        self.valid = np.concatenate([self._shard(number).valid for number in range(len(self._shards))])
        self.feature_shape: tuple[int, ...] = self._shard(0).features.shape[1:]

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """rows int64 [B] -> float32 [B, D]."""
        out = np.empty((len(rows), *self.feature_shape), np.float32)
        numbers = rows // self._shard_rows
        for number in np.unique(numbers):
            here = np.flatnonzero(numbers == number)
            out[here] = self._shard(int(number)).features[rows[here] - number * self._shard_rows]
        return out
