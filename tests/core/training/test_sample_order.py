"""The counter-based permutation and the draws made from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.distributed import Ranks
from cfvideo.core.training.sample_order import SampleOrder, Step, permute


@given(length=st.integers(1, 3000), seed=st.integers(0, 2**31), epoch=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_permute_is_a_permutation(length: int, seed: int, epoch: int) -> None:
    image = permute(np.arange(length), length, seed=seed, epoch=epoch)
    assert np.array_equal(np.sort(image), np.arange(length))


def test_permute_is_pointwise_and_depends_on_seed_and_epoch() -> None:
    whole = permute(np.arange(1000), 1000, seed=3, epoch=4)
    assert permute(np.array([17]), 1000, seed=3, epoch=4)[0] == whole[17]
    assert not np.array_equal(whole, permute(np.arange(1000), 1000, seed=3, epoch=5))
    assert not np.array_equal(whole, permute(np.arange(1000), 1000, seed=4, epoch=4))


def test_permute_shuffles_like_chance() -> None:
    image = permute(np.arange(10_000), 10_000, seed=0, epoch=0)
    assert abs(np.corrcoef(np.arange(10_000), image)[0, 1]) < 0.05
    assert (image == np.arange(10_000)).sum() < 10  # about one fixed point is expected


def test_permute_at_scale_needs_no_table() -> None:
    assert permute(np.array([0, 61_999_999]), 62_000_000, seed=0, epoch=0).max() < 62_000_000


def _order(rows: np.ndarray, size: int = 1, rank: int = 0, micro: int = 0, max_samples: int = 21) -> SampleOrder:
    return SampleOrder(rows, batch_size=4, max_samples=max_samples, seed=1, micro_batch_size=micro,
                       ranks=Ranks(rank, size))


def _rows(step: Step) -> list[int]:
    return [int(row) for part in step.parts for row in part.rows]


def test_every_epoch_visits_each_row_once() -> None:
    rows = np.array([3, 5, 8, 13, 21, 34, 55])
    parts = [part for step in _order(rows, max_samples=14).steps() for part in step.parts]
    read, epochs = (np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "epochs"))
    for epoch in (0, 1):
        assert np.array_equal(np.sort(read[epochs == epoch]), rows)
    assert [len(part.rows) for part in parts] == [4, 4, 4, 2]


@pytest.mark.parametrize("start", [4, 8, 12])
def test_resumed_steps_equal_the_tail(start: int) -> None:
    whole = [(step.start, _rows(step)) for step in _order(np.arange(7)).steps()]
    assert [(step.start, _rows(step)) for step in _order(np.arange(7)).steps(start)] == whole[start // 4:]


@pytest.mark.parametrize("micro", [0, 1, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_any_number_of_processes_reads_the_same_steps(size: int, micro: int) -> None:
    alone = [_rows(step) for step in _order(np.arange(7)).steps()]
    shared = [[row for step in together for row in _rows(step)] for together in zip(
        *(_order(np.arange(7), size, rank, micro).steps() for rank in range(size)), strict=True)]
    assert shared == alone


def test_micro_batches_are_cut_alike_whoever_computes_them() -> None:
    def cuts(size: int) -> list[list[int]]:
        steps = zip(*(_order(np.arange(7), size, rank, 3).steps() for rank in range(size)), strict=True)
        return [part.rows.tolist() for together in steps for step in together for part in step.parts]

    assert cuts(1) == cuts(2) == cuts(4)
    assert list(map(len, cuts(1))) == [2, 2] * 5 + [1]


def test_without_micro_batches_each_process_has_an_even_part_or_none() -> None:
    def sizes(size: int, batch_size: int) -> list[list[int]]:
        orders = [SampleOrder(np.arange(9), batch_size, batch_size, 1, 0, Ranks(rank, size)) for rank in range(size)]
        return [[len(part.rows) for part in next(order.steps()).parts] for order in orders]

    assert sizes(5, 24) == [[4], [5], [5], [5], [5]]
    assert sizes(4, 6) == [[], [2], [2], [2]]  # not [1], [2], [1], [2]
