"""One process's part of an extraction: shard after shard, until all of them are there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.backbone import Backbone
from cfvideo.core.claims import Claims, Rows, shared_out
from cfvideo.core.failures import check_ceiling
from cfvideo.core.faults import fault_point
from cfvideo.core.features import Failures, FeatureStore
from cfvideo.core.records import Batch
from cfvideo.core.screen import Task
from cfvideo.core.stage import Workspace

# How often a process that has nothing left to do looks at what the others hold.
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Pooling:
    """How the views of a row become its features: each layer's global average, of all views or of each."""

    network: Backbone
    layers: Sequence[str]
    num_views: int
    keep_views: bool
    device: torch.device

    def rows_of(self, batch: Batch) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]:
        """The rows of a batch, padding left out, and per layer their features [n, D] or [n, V, D]; invalid: NaN."""
        with torch.inference_mode():
            pooled = self.network.pooled(batch.data.to(self.device), self.layers)
        rows, valid = batch.rows[::self.num_views], batch.valid.reshape(-1, self.num_views).all(axis=1)
        found = {}
        for layer, values in pooled.items():
            views = values.float().cpu().reshape(-1, self.num_views, values.shape[1])
            features = (views if self.keep_views else views.mean(dim=1)).numpy()
            features[~valid] = np.nan
            found[layer] = features[rows >= 0]
        return rows[rows >= 0], found


class Extraction:
    """Makes the shards of `store` that nobody else makes.

    Args:
        work: where to say how it goes, and whether to stop.
        read: rows int64 [n] -> their batches, of one shape.
        max_bad_share: of all rows, however many processes found them.
    """

    def __init__(self, work: Workspace, store: FeatureStore, pooling: Pooling,
                 read: Callable[[NDArray[np.int64]], Iterable[Batch]], *, max_bad_share: float) -> None:
        self._work, self._store, self._pooling, self._read = work, store, pooling, read
        self._max_bad_share = max_bad_share
        self.num_bad = 0
        self._data_seconds = self._model_seconds = 0.0

    def run(self, claims: Claims) -> None:
        """Return when every shard is there.

        Raises:
            TooManyBadSamples: the finished shards, whoever made them, hold more bad rows than allowed.
        """
        store, missing = self._store, self._store.missing()
        there = sorted(set(store.shards()) - set(missing))
        self._count(store.failures(there))  # an earlier attempt that failed by these must fail again
        with self._work.screen.task(self._work.title, store.num_rows, "rows", done=_num_rows(there)) as task:
            for rows, mine in shared_out(missing, claims, is_done=store.has, pause=self._pause):
                if mine:
                    self._count(self._make(rows, task))
                    fault_point("shard")
                else:
                    self._count(store.failures([rows]))
                    task.advance(_num_rows([rows]), self._note())

    def _make(self, rows: Rows, task: Task) -> Failures:
        """Publish one shard; returns its failures."""
        start, stop = rows
        features: dict[str, NDArray[np.float32]] = {}
        failures: dict[int, tuple[str, str]] = {}
        decoders = Counter[str]()
        for batch in self._timed(self._read(np.arange(start, stop, dtype=np.int64))):
            here, found = self._pooling.rows_of(batch)
            for layer, values in found.items():
                if layer not in features:
                    features[layer] = np.full((stop - start, *values.shape[1:]), np.nan, np.float32)
                features[layer][here - start] = values
            failures |= {failure.row: (failure.status, failure.cause) for failure in batch.failures}
            decoders.update(batch.decoders)
            task.advance(len(here), self._note(len(failures)))
            self._work.stop.check()
        return self._store.write(rows, features, failures, decoders)

    def _timed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches; adds up how long they were waited for, and how long was worked on them."""
        asked = time.perf_counter()
        for batch in batches:
            came = time.perf_counter()
            yield batch
            self._data_seconds += came - asked
            asked = time.perf_counter()
            self._model_seconds += asked - came

    def _note(self, more_bad: int = 0) -> str:
        """What the progress line ends in: bad rows of all processes, and what this one waits for."""
        waited = self._data_seconds / max(self._data_seconds + self._model_seconds, 1e-9)
        return f"{self.num_bad + more_bad} bad, {waited:.0%} of the time waiting for data"

    def _count(self, failures: Failures) -> None:
        """Note the bad rows of one more shard, and fail where they are too many."""
        self.num_bad += len(failures)
        check_ceiling(self.num_bad, self._store.num_rows, max_bad_share=self._max_bad_share, where=self._work.title,
                      last=str(list(failures.items())[-1:]))

    def _pause(self) -> None:
        self._work.stop.check()
        time.sleep(POLL_SECONDS)


def _num_rows(shards: Iterable[Rows]) -> int:
    return sum(stop - start for start, stop in shards)
