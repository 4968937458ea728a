"""Rows of an index -> batches of clips, decoded ahead in threads.

B batch, T frames, n views per row. Which pixels a row gives depends on (seed, epoch, row) or on (row, view) alone,
never on threads, order or the other rows. A row that cannot be decoded gives zeros, valid = False and a DecodeError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.errors import ConfigError, DataError, DecodeError
from cfvideo.core.index import Index
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.data.clip_sampling import clip_indices, clip_span, random_start, uniform_starts
from cfvideo.data.decode import Choose, read_frames
from cfvideo.data.pixels import Frames, Resize, fixed_height, short_edge
from cfvideo.data.prefetch import in_order
from cfvideo.data.transforms import eval_clip, train_clip

DECODERS = ("auto", "pyav")
# The views of one row, [n, 3, T, crop, crop], or why there are none.
Views = NDArray[np.float32] | DecodeError


def sample_shape(view: Mapping[str, Any]) -> tuple[int, ...]:
    """(3, T, crop, crop): the shape of one clip."""
    return 3, view["num_frames"], view["crop_px"], view["crop_px"]


def train_batches(index: Index, draws: Iterable[Draws], *, view: Mapping[str, Any], seed: int, reading: Reading
                  ) -> Iterator[Batch]:
    """One batch per Draws, in order: a random clip, crop and mirroring of every drawn row.

    view: num_frames, frame_stride, short_edge_px, crop_px, flip (see ClipSpec).
    """
    _check_decoder(reading)
    groups = ((draw.rows, list(zip(draw.rows.tolist(), draw.epochs.tolist(), strict=True))) for draw in draws)
    work = partial(_train_views, index, view=view, seed=seed, reading=reading)
    with closing(in_order(groups, work, threads=reading.threads)) as results:
        for rows, clips in results:
            yield _batch(rows, clips, 1, sample_shape(view))


def eval_batches(index: Index, rows: NDArray[np.int64], *, view: Mapping[str, Any], num_views: int, batch_rows: int,
                 reading: Reading) -> Iterator[Batch]:
    """The `num_views` uniform clips, central crop, of `batch_rows` rows at a time; items row by row, view by view.

    The last batch is filled up with row -1, valid = False, so that all batches have one shape.
    """
    _check_decoder(reading)
    rows = np.asarray(rows, np.int64)
    chunks = (rows[start:start + batch_rows] for start in range(0, len(rows), batch_rows))
    work = partial(_eval_views, index, view=view, num_views=num_views, reading=reading)
    with closing(in_order(((chunk, chunk.tolist()) for chunk in chunks), work, threads=reading.threads)) as results:
        for chunk, clips in results:
            padded = np.full(batch_rows, -1, np.int64)
            padded[:len(chunk)] = chunk
            yield _batch(padded, clips, num_views, sample_shape(view))


def thumbnails(index: Index, rows: Iterable[int], *, height_px: int, reading: Reading) -> Iterator[Frames | None]:
    """The middle frame of every row, uint8 [height_px, W, 3]; None where it cannot be decoded."""
    _check_decoder(reading)
    work = partial(_thumbnail, index, height_px=height_px, reading=reading)
    groups = ((row, [int(row)]) for row in rows)
    with closing(in_order(groups, work, threads=reading.threads, groups_ahead=2 * reading.threads)) as results:
        for _, (picture,) in results:
            yield picture


def _check_decoder(reading: Reading) -> None:
    if reading.decoder not in DECODERS:
        raise ConfigError(f"DATA.DECODER = {reading.decoder!r}; allowed: {', '.join(DECODERS)}")


def _frames(index: Index, row: int, choose: Choose, resize: Resize, reading: Reading) -> Frames:
    name = index.name_of(row)
    try:
        path = index.path_of(row)
    except DataError as error:
        raise DecodeError(row, name, "refused", str(error)) from error
    return read_frames(path, choose=choose, resize=resize, max_pixels=reading.max_frame_pixels, row=row, name=name)


def _train_views(index: Index, draw: tuple[int, int], *, view: Mapping[str, Any], seed: int, reading: Reading) -> Views:
    row, epoch = draw
    rng = np.random.default_rng([seed, epoch, row, 0])
    num_frames, stride = view["num_frames"], view["frame_stride"]

    def choose(num_video_frames: int) -> list[int]:
        start = random_start(num_video_frames, clip_span(num_frames, stride), rng)
        return clip_indices(start, num_frames, stride, num_video_frames)

    try:
        frames = _frames(index, row, choose, short_edge(view["short_edge_px"]), reading)
    except DecodeError as error:
        return error
    return train_clip(frames, crop_px=view["crop_px"], flip=view["flip"], rng=rng)[None]


def _eval_views(index: Index, row: int, *, view: Mapping[str, Any], num_views: int, reading: Reading) -> Views:
    num_frames, stride = view["num_frames"], view["frame_stride"]

    def choose(num_video_frames: int) -> list[int]:
        starts = uniform_starts(num_video_frames, clip_span(num_frames, stride), num_views)
        return [i for start in starts for i in clip_indices(start, num_frames, stride, num_video_frames)]

    try:
        frames = _frames(index, row, choose, short_edge(view["short_edge_px"]), reading)
    except DecodeError as error:
        return error
    clip = eval_clip(frames, crop_px=view["crop_px"])
    return np.stack(np.split(clip, num_views, axis=1))


def _thumbnail(index: Index, row: int, *, height_px: int, reading: Reading) -> Frames | None:
    try:
        frames = _frames(index, row, lambda num_frames: [num_frames // 2], fixed_height(height_px), reading)
    except DecodeError:
        return None
    return np.ascontiguousarray(frames[0])


def _batch(rows: NDArray[np.int64], results: list[Views], num_views: int, shape: tuple[int, ...]) -> Batch:
    """Batch of len(rows) * num_views items; rows past the results are padding. Memory is channels-last."""
    channels, *rest = shape
    buffer = np.zeros((len(rows), num_views, *rest, channels), np.float32)
    valid = np.zeros((len(rows), num_views), np.bool_)
    for i, views in enumerate(results):
        if not isinstance(views, DecodeError):
            buffer[i], valid[i] = np.moveaxis(views, 1, -1), True
    data = torch.from_numpy(buffer.reshape(-1, *rest, channels)).movedim(-1, 1)
    return Batch(rows=np.repeat(rows, num_views), views=np.tile(np.arange(num_views), len(rows)), data=data,
                 valid=valid.reshape(-1), failures=tuple(one for one in results if isinstance(one, DecodeError)))
