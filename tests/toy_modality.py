"""A modality of four numbers per sample: what the core's stages do, without a decoder in the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cfvideo.core.errors import DataError, DecodeError
from cfvideo.core.index import Index
from cfvideo.core.records import Batch, Draws, Modality, Reading

NUM_CLASSES = 3
# What a network file must say of its network; ToyNetwork asks for none of it.
HEADER: dict[str, Any] = {"architecture": {"arch": "resnet"}, "view": {"num_frames": 1, "frame_stride": 1,
                                                                       "short_edge_px": 8, "crop_px": 8}}


class ToyNetwork(nn.Module):
    """Linear, batch norm, linear; conv1 is the sample itself (4 numbers), res5 the hidden layer."""

    layers = ("conv1", "res5")

    def __init__(self, num_classes: int, feature_dim: int = 6) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.body = nn.Sequential(nn.Linear(4, feature_dim), nn.BatchNorm1d(feature_dim), nn.ReLU())
        self.fc = nn.Linear(feature_dim, num_classes)

    def initialise(self, generator: torch.Generator) -> None:
        for parameter in (self.body[0].weight, self.fc.weight):
            nn.init.normal_(parameter, 0, 0.5, generator=generator)
        for bias in (self.body[0].bias, self.fc.bias):
            nn.init.zeros_(bias)

    def pooled(self, data: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        known = {"conv1": data, "res5": self.body(data)}
        return {layer: known[layer] for layer in layers}

    def features(self, data: Tensor, layer: str = "res5") -> Tensor:
        return self.pooled(data, (layer,))[layer]

    def forward(self, data: Tensor) -> Tensor:
        return self.fc(self.features(data))


def _value(row: int, words: tuple[int, ...]) -> NDArray[np.float32]:
    centre = np.eye(NUM_CLASSES, 4)[row % NUM_CLASSES] * 3
    return (centre + np.random.default_rng([7, row, *words]).normal(size=4)).astype(np.float32)


def _bad(index: Index, row: int) -> bool:
    return index.name_of(row).startswith("bad")


def _batch(index: Index, rows: NDArray[np.int64], views: NDArray[np.int64], values: list[NDArray[np.float32]]) -> Batch:
    valid = np.array([row >= 0 and not _bad(index, int(row)) for row in rows])
    failed = sorted({int(row) for row in rows if row >= 0 and _bad(index, int(row))})
    data = torch.from_numpy(np.stack(values)) * torch.from_numpy(valid)[:, None]
    return Batch(rows, views, data, valid, tuple(DecodeError(row, index.name_of(row), "undecodable", "toy")
                                                 for row in failed))


def train_batches(index: Index, draws: Iterable[Draws], *, view: Mapping[str, Any], seed: int,
                  reading: Reading) -> Iterator[Batch]:
    for step in draws:
        values = [_value(int(row), (seed, int(epoch))) for row, epoch in zip(step.rows, step.epochs, strict=True)]
        yield _batch(index, step.rows, np.zeros_like(step.rows), values)


def eval_batches(index: Index, rows: NDArray[np.int64], *, view: Mapping[str, Any], num_views: int, batch_rows: int,
                 reading: Reading) -> Iterator[Batch]:
    for start in range(0, len(rows), batch_rows):
        here = np.full(batch_rows, -1, np.int64)
        here[:len(rows[start:start + batch_rows])] = rows[start:start + batch_rows]
        items = np.repeat(here, num_views)
        views = np.tile(np.arange(num_views), batch_rows)
        yield _batch(index, items, views, [_value(max(int(r), 0), (99, int(v))) for r, v in zip(items, views,
                                                                                                strict=True)])


def read_index(*, format: str, path: Path, root: Path | None, min_rows_per_label: int,
               label_names: tuple[str, ...] | None = None) -> Index:
    """`path` names a number of rows, e.g. 30; row 5 of '30bad' cannot be decoded. FORMAT folder has no labels."""
    text, labelled = path.name, format != "folder"
    if not text.removesuffix("bad").isdigit():
        raise DataError(f"{path}: not a number of rows")
    num, bad = int(text.removesuffix("bad")), text.endswith("bad")
    names = [("bad" if bad and row == 5 else "row") + f"{row:04d}" for row in range(num)]
    return Index.build(paths=[name.encode() for name in names], sizes=[1] * num, root=Path(),
                       labels=[[row % NUM_CLASSES] if labelled else [] for row in range(num)],
                       label_names=["a", "b", "c"] if labelled else [])


def previews(index: Index, rows: Iterable[int], *, num_frames: int, height_px: int, **_: Any,
             ) -> Iterator[NDArray[np.uint8] | DecodeError]:
    """A bar that moves to the right, in a colour of the row's class."""
    for row in rows:
        if _bad(index, int(row)):
            yield DecodeError(int(row), index.name_of(int(row)), "undecodable", "toy <b>bad</b>")
            continue
        frames = np.full((num_frames, height_px, height_px, 3), 40, np.uint8)
        for place, frame in enumerate(frames):
            frame[:, 8 * place:8 * place + 8, int(row) % NUM_CLASSES] = 220
        yield frames


def build_network(*, num_classes: int, arch: str, widths: Sequence[int] = (6,), **_: Any) -> ToyNetwork:
    """Of the architectures, r2plus1d takes its last width."""
    return ToyNetwork(num_classes, widths[-1] if arch == "r2plus1d" else 6)


TOY = Modality(
    name="toy", read_index=read_index, train_batches=train_batches, eval_batches=eval_batches,
    build_network=build_network, sample_shape=lambda view: (4,),
    thumbnails=lambda index, rows, **_: [np.full((8, 8, 3), 40, np.uint8) for _ in rows],
    previews=previews)
