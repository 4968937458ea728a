"""Batches on their way to the network: fetched and copied ahead in a thread, so that decoding, copying and computing
overlap; and how long the network had to wait for them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import torch

from cfvideo.core.records import Batch

# Batches fetched beside the one in use.
_AHEAD = 2


class Feed:
    """An iterator over (batch, its data on the device); a with statement ends its thread and closes the batches.

    waited_seconds: how long `next` has waited so far, all in all. An error of the batches is raised where its batch
    would have come.
    """

    def __init__(self, batches: Iterator[Batch], device: torch.device) -> None:
        self._batches, self._device = batches, device
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed")
        self._coming: deque[Future[tuple[Batch, torch.Tensor] | None]] = deque()
        self.waited_seconds = 0.0

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if isinstance(self._batches, Generator):
            self._batches.close()

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> tuple[Batch, torch.Tensor]:
        while len(self._coming) <= _AHEAD:
            self._coming.append(self._pool.submit(self._fetch))
        began = time.monotonic()
        found = self._coming.popleft().result()
        self.waited_seconds += time.monotonic() - began
        if found is None:
            raise StopIteration
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            found[1].record_stream(torch.cuda.current_stream(self._device))
        return found

    def _fetch(self) -> tuple[Batch, torch.Tensor] | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        if self._stream is None:
            return batch, batch.data.to(self._device)
        with torch.cuda.stream(self._stream):
            held = batch.data if batch.data.is_cuda else batch.data.pin_memory()
            return batch, held.to(self._device, non_blocking=True)


def empty_batch(item_shape: tuple[int, ...], device: torch.device) -> tuple[Batch, torch.Tensor]:
    """What a Feed gives, of no items."""
    none, data = np.empty(0, np.int64), torch.zeros((0, *item_shape), device=device)
    return Batch(none, none, data, np.empty(0, np.bool_), targets=none), data
