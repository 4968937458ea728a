"""The records that pass between modules. B batch, N rows; the trailing shape of `data` is the modality's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.errors import DecodeError
from cfvideo.core.picture_views import UNCHANGED, Statistics, statistics_of

if TYPE_CHECKING:
    from cfvideo.core.backbone import Backbone
    from cfvideo.core.index import Index


@dataclass(frozen=True)
class Batch:
    """Samples ready for a network, each tied to its row.

    rows: int64 [B], positions in the index; -1 where the item only fills the batch up.
    views: int64 [B], which view of its row each item is.
    data: float32 [B, ...]; all zeros where `valid` is False.
    valid: bool [B]; False marks padding and undecodable items, which every reduction leaves out.
    failures: why the undecodable rows of this batch failed.
    decoders: how many of its rows each decoder has decoded, where the modality tells.
    targets: int64 [B], the class of each item, where the view itself made it (pretext tasks); -1 where not valid.
    """

    rows: NDArray[np.int64]
    views: NDArray[np.int64]
    data: torch.Tensor
    valid: NDArray[np.bool_]
    failures: tuple[DecodeError, ...] = ()
    decoders: Mapping[str, int] = field(default_factory=dict)
    targets: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.rows), len(self.views), len(self.data), len(self.valid)}
        if self.targets is not None:
            lengths.add(len(self.targets))
        if len(lengths) != 1:
            raise ValueError(f"rows, views, data, valid and targets disagree in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Draws:
    """What one training step reads: rows int64 [B] and the epoch int64 [B] each belongs to."""

    rows: NDArray[np.int64]
    epochs: NDArray[np.int64]


@dataclass(frozen=True)
class Reading:
    """How media is read; none of it changes which samples come back.

    threads: decoders in this process, where `workers` is 0. workers: decoder processes, which may crash or hang.
    timeout_seconds: a worker that takes longer over one row is killed. worker_rows, worker_bytes: one that has read
        or holds more is replaced.
    packets: folder where what a scan finds of a video may be kept for later visits; None keeps nothing.
    known_bad: content hash of an index -> row -> (status, cause) of what is not worth opening.
    """

    decoder: str = "auto"
    threads: int = 2
    max_frame_pixels: int = 16_777_216
    workers: int = 0
    timeout_seconds: float = 60.0
    worker_rows: int = 1000
    worker_bytes: int = 1 << 31
    packets: Path | None = None
    known_bad: Mapping[str, Mapping[int, tuple[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Modality:
    """All that the stages need to know of videos or images. A tool picks one and hands it to the pipeline.

    read_index(*, format, path, root, min_rows_per_label, label_names) -> Index; root None: the list's own folder;
        label_names: the label space to read in (a test split shares its training split's), None: the data's own.
    train_batches(index, draws, *, view, seed, reading): one random view per draw; the same (seed, epoch, row) gives
        the same pixels whatever the threads. Yields one Batch per Draws, in order.
    eval_batches(index, rows, *, view, num_views, batch_rows, reading): all uniform views of `batch_rows` rows at a
        time, item order row-major; the last batch is filled up to the same length with valid=False.
    build_network(*, num_classes, **network): an uninitialised Backbone.
    sample_shape(view): shape of one item of Batch.data.
    thumbnails(index, rows, *, height_px, reading): uint8 [H, W, 3] pictures, None where undecodable.
    previews(index, rows, *, view, num_frames, height_px, reading): uint8 [T, H, W, 3] of every row: at most
        `num_frames` frames, evenly spaced over the view's middle clip (an image is one frame); or the DecodeError.
    resolved_decoder(decoder, device_type): what a word of DATA.DECODER stands for on this machine; ConfigError where
        it is not installed.
    pretext_classes(task, view): how many classes the views of a TASK make of themselves (Batch.targets); 0 for labels,
        and where the modality has no such task.
    statistics(view): the mean and deviation that samples of a view are normalised with.
    """

    name: str
    read_index: Callable[..., Index]
    train_batches: Callable[..., Iterator[Batch]]
    eval_batches: Callable[..., Iterator[Batch]]
    build_network: Callable[..., Backbone]
    sample_shape: Callable[[Mapping[str, Any]], tuple[int, ...]]
    thumbnails: Callable[..., Iterable[NDArray[np.uint8] | None]]
    previews: Callable[..., Iterable[NDArray[np.uint8] | DecodeError]]
    resolved_decoder: Callable[[str, str], str] = lambda decoder, device_type: decoder
    pretext_classes: Callable[[str, Mapping[str, Any]], int] = lambda task, view: 0
    statistics: Callable[[Mapping[str, Any]], Statistics] = lambda view: statistics_of(view, UNCHANGED)
