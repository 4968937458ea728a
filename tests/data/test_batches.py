"""Batches: the right frames of the right rows, whatever the threads; bad rows are invalid and never another's data."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cfvideo.core.errors import ConfigError, DecodeError
from cfvideo.core.index import Index
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.data import row_jobs
from cfvideo.data.batches import eval_batches, previews, sample_shape, thumbnails, train_batches
from cfvideo.data.clip_sampling import uniform_starts
from cfvideo.data.decode import decode_frames, read_frames
from cfvideo.data.transforms import MEAN, STD, eval_clip
from cfvideo.data.workers import WorkerPool
from tests.data.test_workers import FAULTY
from tests.synthetic import Recipe, numbers_of, write_audio_only, write_video

VIEW = {"num_frames": 4, "frame_stride": 2, "short_edge_px": 32, "crop_px": 32, "flip": False}
SPAN = 7
LENGTHS = [20, 31, 1, 8, 5]
BAD_TO_7 = {6: "missing", 7: "no_video"}
BAD = {5: "undecodable", 6: "missing", 7: "no_video", 8: "refused", 9: "refused"}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Rows 0 to 4 are good, their numbers start at 1000 x row; 5 to 9 are bad, each in its way."""
    root = tmp_path_factory.mktemp("videos") / "root"
    root.mkdir()
    for row, length in enumerate(LENGTHS):
        write_video(root / f"{row}.mp4", Recipe(num_frames=length, size=(32, 32), first_number=1000 * row))
    (root / "5.mp4").write_text("no video")
    write_audio_only(root / "7.mp4")
    write_video(root.parent / "8.mp4", Recipe(num_frames=9, size=(32, 32)))
    (root / "8.mp4").symlink_to(root.parent / "8.mp4")
    (root / "9.mp4").mkdir()
    return Index.build(paths=[b"%d.mp4" % row for row in range(10)], sizes=[0] * 10, labels=[[]] * 10, label_names=[],
                       root=root)


def levels(batch: Batch) -> Any:
    """uint8 [B, T, H, W, 3] of a batch."""
    return np.rint((batch.data.permute(0, 2, 3, 4, 1).numpy() * STD + MEAN) * 255).clip(0, 255).astype(np.uint8)


def draws(rows: list[int], epoch: int = 0) -> Draws:
    return Draws(np.array(rows, np.int64), np.full(len(rows), epoch, np.int64))


def one_train_batch(index: Index, rows: list[int], epoch: int = 0, seed: int = 3, threads: int = 2,
                    **view: Any) -> Batch:
    (batch,) = train_batches(index, [draws(rows, epoch)], view=VIEW | view, seed=seed, reading=Reading(threads=threads))
    return batch


def test_a_training_clip_is_consecutive_frames_of_its_row(index: Index) -> None:
    starts = set()
    for epoch in range(12):
        batch = one_train_batch(index, [0, 1, 3, 2], epoch)
        assert batch.rows.tolist() == [0, 1, 3, 2]
        assert batch.views.tolist() == [0] * 4
        assert batch.valid.all()
        assert batch.data.shape == (4, *sample_shape(VIEW))
        for row, clip in zip(batch.rows.tolist(), levels(batch), strict=True):
            found = [number - 1000 * row for number in numbers_of(clip)]
            last = LENGTHS[row] - 1
            assert found == [min(found[0] + 2 * i, last) for i in range(4)]
            assert found[0] <= max(0, last + 1 - SPAN)
            starts.add((row, found[0]))
    assert len([start for row, start in starts if row == 0]) > 4


@pytest.mark.parametrize("flip", [False, True])
def test_training_batches_do_not_depend_on_threads_order_or_company(index: Index, flip: bool) -> None:
    view = {"short_edge_px": 40, "flip": flip}
    reference = one_train_batch(index, [0, 1, 2, 3, 4], threads=1, **view)
    for threads in (2, 4):
        assert torch.equal(one_train_batch(index, [0, 1, 2, 3, 4], threads=threads, **view).data, reference.data)
    shuffled = one_train_batch(index, [4, 5, 1, 0], **view)
    assert torch.equal(shuffled.data[[0, 2, 3]], reference.data[[4, 1, 0]])


def test_seed_and_epoch_change_the_clip(index: Index) -> None:
    rows = [0, 1] * 4
    reference = one_train_batch(index, rows)
    assert torch.equal(reference.data[:2], reference.data[2:4])
    assert not torch.equal(one_train_batch(index, rows, epoch=1).data, reference.data)
    assert not torch.equal(one_train_batch(index, rows, seed=4).data, reference.data)


def test_training_batches_come_in_order_and_lazily(index: Index) -> None:
    asked = []

    def order() -> Iterator[Draws]:
        for step in range(1000):
            asked.append(step)
            yield draws([step % 5, (step + 1) % 5], step)

    batches = train_batches(index, order(), view=VIEW, seed=0, reading=Reading(threads=2))
    for step in range(7):
        assert next(batches).rows.tolist() == [step % 5, (step + 1) % 5]
    batches.close()  # type: ignore[attr-defined]
    assert len(asked) < 12
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_an_empty_draw_is_an_empty_batch(index: Index) -> None:
    batch = one_train_batch(index, [])
    assert batch.data.shape == (0, *sample_shape(VIEW))


def test_bad_rows_are_invalid_and_zero(index: Index) -> None:
    batch = one_train_batch(index, list(range(10)))
    assert batch.valid.tolist() == [True] * 5 + [False] * 5
    assert {failure.row: failure.status for failure in batch.failures} == BAD
    assert [failure.path for failure in batch.failures] == [f"{row}.mp4" for row in range(5, 10)]
    assert batch.data[5:].abs().sum() == 0
    assert all(batch.data[row].abs().sum() > 0 for row in range(5))


def all_eval(index: Index, rows: list[int], num_views: int = 3, batch_rows: int = 4, threads: int = 2,
             **view: Any) -> list[Batch]:
    return list(eval_batches(index, np.array(rows, np.int64), view=VIEW | view, num_views=num_views,
                             batch_rows=batch_rows, reading=Reading(threads=threads)))


def test_eval_batches_hold_every_uniform_clip_row_by_row(index: Index) -> None:
    batches = all_eval(index, [4, 1, 0, 2, 3, 1])
    assert [len(batch) for batch in batches] == [12, 12]
    assert batches[0].rows.tolist() == [4] * 3 + [1] * 3 + [0] * 3 + [2] * 3
    assert batches[0].views.tolist() == [0, 1, 2] * 4
    assert batches[1].rows.tolist() == [3] * 3 + [1] * 3 + [-1] * 6
    assert batches[1].valid.tolist() == [True] * 6 + [False] * 6
    assert batches[1].data[6:].abs().sum() == 0
    for batch in batches:
        for row, view, clip in zip(batch.rows.tolist(), batch.views.tolist(), levels(batch), strict=True):
            if row >= 0:
                start, last = uniform_starts(LENGTHS[row], SPAN, 3)[view], LENGTHS[row] - 1
                assert numbers_of(clip) == [1000 * row + min(start + 2 * i, last) for i in range(4)]


def test_eval_data_is_the_central_crop_of_the_frames(index: Index) -> None:
    (batch,) = all_eval(index, [1], num_views=1, batch_rows=1)
    frames = read_frames(index.path_of(1), choose=lambda n: [12, 14, 16, 18])
    np.testing.assert_array_equal(batch.data[0].numpy(), eval_clip(frames, crop_px=32))


def test_clips_are_normalised_with_the_views_own_statistics(index: Index) -> None:
    own = {"mean": [0.45, 0.4, 0.5], "std": [0.225, 0.3, 0.2]}
    (evaluated,) = all_eval(index, [1], num_views=1, batch_rows=1, **own)
    for batch, usual in ((evaluated, all_eval(index, [1], num_views=1, batch_rows=1)[0]),
                         (one_train_batch(index, [1], **own), one_train_batch(index, [1]))):
        mean, std = (torch.tensor(values).view(1, 3, 1, 1, 1) for values in own.values())
        pixels = torch.from_numpy(levels(usual)).movedim(-1, 1) / 255
        torch.testing.assert_close(batch.data, (pixels - mean) / std, rtol=1e-5, atol=1e-5)


def test_eval_batches_do_not_depend_on_threads_or_batch_size(index: Index) -> None:
    reference = torch.cat([batch.data[batch.valid] for batch in all_eval(index, [0, 1, 2, 3, 4], threads=1)])
    for threads, batch_rows in ((2, 4), (4, 1), (2, 5), (1, 7)):
        batches = all_eval(index, [0, 1, 2, 3, 4], threads=threads, batch_rows=batch_rows)
        assert torch.equal(torch.cat([batch.data[batch.valid] for batch in batches]), reference)


def by_row(batches: Iterable[Batch]) -> dict[int, Any]:
    """What every row gave: its data and validity, and how its failure is called."""
    found: dict[int, Any] = {}
    for batch in batches:
        failures = {failure.row: (failure.status, failure.cause) for failure in batch.failures}
        for row in sorted(set(batch.rows.tolist()) - {-1}):
            assert row not in found
            items = np.flatnonzero(batch.rows == row)
            found[row] = (batch.data[items].numpy().tobytes(), batch.valid[items].tolist(), failures.get(row))
    return found


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_shards_of_rows_give_together_what_one_process_gives(index: Index, world_size: int) -> None:
    """Any rank of any world: bytes, validity and failures of a row are its own, whatever shard it comes in."""
    view, rows = VIEW | {"short_edge_px": 40, "flip": True}, list(range(10))
    shards = [rows[rank::world_size] for rank in range(world_size)]

    def trained(shard: list[int], batch_rows: int) -> dict[int, Any]:
        steps = [draws(shard[start:start + batch_rows], 2) for start in range(0, len(shard), batch_rows)]
        return by_row(train_batches(index, steps, view=view, seed=5, reading=Reading()))

    for batches_of in (lambda shard, batch_rows: by_row(all_eval(index, shard, batch_rows=batch_rows)), trained):
        together: dict[int, Any] = {}
        for rank, shard in enumerate(shards):
            together |= batches_of(shard, 2 + rank % 2)
        assert together == batches_of(rows, 4)
        assert [row for row, (_, valid, _) in sorted(together.items()) if all(valid)] == list(range(5))


def test_bad_rows_of_an_eval_batch(index: Index) -> None:
    (batch,) = all_eval(index, [6, 0, 5], num_views=2, batch_rows=3)
    assert batch.rows.tolist() == [6, 6, 0, 0, 5, 5]
    assert batch.valid.tolist() == [False, False, True, True, False, False]
    assert [(failure.row, failure.status) for failure in batch.failures] == [(6, "missing"), (5, "undecodable")]


def test_one_decode_serves_all_views(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    from cfvideo.data import jobs

    calls: list[Path] = []

    def counted(path: Path, **rest: Any) -> Any:
        calls.append(path)
        return decode_frames(path, **rest)

    monkeypatch.setattr(jobs, "decode_frames", counted)
    all_eval(index, [0, 1], num_views=6)
    assert sorted(path.name for path in calls) == ["0.mp4", "1.mp4"]


def test_thumbnails(index: Index) -> None:
    pictures = list(thumbnails(index, np.array([1, 5, 0]), height_px=16, reading=Reading()))
    assert pictures[1] is None
    for picture, number in zip((pictures[0], pictures[2]), (1015, 10), strict=True):
        assert picture is not None
        assert picture.shape == (16, 16, 3)
        assert numbers_of(picture[None]) == [number]


@pytest.mark.parametrize(("num_frames", "num_shown", "expected"), [
    # Row 0 has 20 frames: the middle clip of 4 at stride 2 is 6, 8, 10, 12; row 3 has 8, row 2 has one.
    (4, 9, {0: [6, 8, 10, 12], 3: [3000, 3002, 3004, 3006], 2: [2000] * 4}),
    (4, 2, {0: [6, 12], 3: [3000, 3006], 2: [2000] * 2}),
    (8, 4, {0: [2, 6, 12, 16], 3: [3000, 3004, 3007, 3007], 2: [2000] * 4}),
    (4, 1, {0: [6], 3: [3000], 2: [2000]})])
def test_previews_are_even_steps_through_the_middle_clip(index: Index, num_frames: int, num_shown: int,
                                                         expected: dict[int, list[int]]) -> None:
    view = VIEW | {"num_frames": num_frames}
    found = list(previews(index, [0, 3, 2], view=view, num_frames=num_shown, height_px=16, reading=Reading()))
    for frames, numbers in zip(found, expected.values(), strict=True):
        assert not isinstance(frames, DecodeError)
        assert frames.shape == (len(numbers), 16, 16, 3)
        assert numbers_of(frames) == numbers


def test_a_preview_that_cannot_be_says_why(index: Index) -> None:
    rows, options = [1, 5, 8, 0], {"view": VIEW, "num_frames": 3, "height_px": 16}
    for workers in (0, 2):
        found = list(previews(index, rows, reading=Reading(workers=workers), **options))
        assert [one.status if isinstance(one, DecodeError) else len(one) for one in found] == [3, "undecodable",
                                                                                               "refused", 3]


def child_processes() -> list[str]:
    return [pid for file in Path(f"/proc/{os.getpid()}/task").glob("*/children") for pid in file.read_text().split()]


def test_workers_change_neither_order_nor_content(index: Index) -> None:
    view = VIEW | {"short_edge_px": 40, "flip": True}
    steps = [draws([0, 5, 3, 1], 1), draws([2], 1), draws([4, 9, 0], 2), draws([], 2), draws([1, 3], 2)]

    def everything(workers: int) -> list[Batch]:
        reading = Reading(workers=workers)
        return [*train_batches(index, steps, view=view, seed=5, reading=reading),
                *eval_batches(index, np.arange(10), view=view, num_views=2, batch_rows=4, reading=reading)]

    before = child_processes()
    reference = everything(workers=0)
    for workers in (1, 4):
        for batch, expected in zip(everything(workers), reference, strict=True):
            assert torch.equal(batch.data, expected.data)
            assert batch.rows.tolist() == expected.rows.tolist()
            assert batch.valid.tolist() == expected.valid.tolist()
            assert [str(one) for one in batch.failures] == [str(one) for one in expected.failures]
        assert child_processes() == before
    pictures = [list(thumbnails(index, [1, 5, 0], height_px=16, reading=Reading(workers=n))) for n in (0, 2)]
    np.testing.assert_equal(pictures[1], pictures[0])


def test_a_consumer_that_stops_early_leaves_no_process(index: Index) -> None:
    before = child_processes()
    batches = train_batches(index, (draws([step % 5]) for step in range(1000)), view=VIEW, seed=0,
                            reading=Reading(workers=2))
    next(batches)
    assert len(child_processes()) > len(before)
    batches.close()  # type: ignore[attr-defined]
    assert child_processes() == before


def test_a_worker_that_dies_over_a_row_costs_that_row(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_jobs, "WorkerPool", lambda **given: WorkerPool(**{**given, "command": FAULTY}))
    path = Path(index.root) / "5.mp4"
    whole = path.read_text()
    path.write_text("FAULT segfault")
    try:
        (batch,) = eval_batches(index, np.arange(4, 8), view=VIEW, num_views=1, batch_rows=4,
                                reading=Reading(workers=2))
    finally:
        path.write_text(whole)
    assert {failure.row: failure.status for failure in batch.failures} == BAD_TO_7 | {5: "crashed"}
    assert batch.valid.tolist() == [True, False, False, False]


def test_rows_known_to_be_bad_are_not_opened(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    from cfvideo.data import jobs

    opened: list[str] = []

    def counted(path: Path, **rest: Any) -> Any:
        opened.append(path.name)
        return decode_frames(path, **rest)

    monkeypatch.setattr(jobs, "decode_frames", counted)
    known = {index.content_hash: {1: ("timeout", "hung twice")}, "0" * 64: {0: ("missing", "of another index")}}
    (batch,) = train_batches(index, [draws([0, 1])], view=VIEW, seed=0, reading=Reading(known_bad=known))
    assert opened == ["0.mp4"]
    assert batch.valid.tolist() == [True, False]
    assert [(one.row, one.path, one.status, one.cause) for one in batch.failures] == [
        (1, "1.mp4", "timeout", "hung twice")]


@pytest.mark.parametrize("call", [
    lambda index, reading: train_batches(index, [draws([0])], view=VIEW, seed=0, reading=reading),
    lambda index, reading: eval_batches(index, np.array([0]), view=VIEW, num_views=1, batch_rows=1, reading=reading),
    lambda index, reading: thumbnails(index, [0], height_px=9, reading=reading)])
def test_unknown_decoders_are_refused(index: Index, call: Callable[..., Iterator[Any]]) -> None:
    with pytest.raises(ConfigError, match="allowed: auto, pyav"):
        next(call(index, Reading(decoder="opencv")))
