"""The counter-based permutation and the draws made from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.sample_order import draws, permute


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


def test_every_epoch_visits_each_row_once() -> None:
    rows = np.array([3, 5, 8, 13, 21, 34, 55])
    taken = list(draws(rows, batch_size=4, seed=1, max_samples=14))
    read = np.concatenate([step.rows for step in taken])
    epochs = np.concatenate([step.epochs for step in taken])
    for epoch in (0, 1):
        assert np.array_equal(np.sort(read[epochs == epoch]), rows)
    assert [len(step.rows) for step in taken] == [4, 4, 4, 2]


@pytest.mark.parametrize("start", [4, 8, 12])
def test_resumed_draws_equal_the_tail(start: int) -> None:
    rows = np.arange(7)
    whole = list(draws(rows, batch_size=4, seed=1, max_samples=21))[start // 4:]
    tail = list(draws(rows, batch_size=4, seed=1, max_samples=21, start=start))
    assert all(np.array_equal(a.rows, b.rows) and np.array_equal(a.epochs, b.epochs)
               for a, b in zip(whole, tail, strict=True))
