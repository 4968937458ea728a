"""The set of permutations: greedy, as brute force has it; the shipped file is what its command makes."""

from __future__ import annotations

import hashlib
from itertools import permutations as all_orders

import numpy as np
import pytest

from cfimage import jigsaw_order
from cfimage.jigsaw_order import FILE, SHA256, far_apart, permutations
from tests.source_tree import ROOT


def by_brute_force(num_cells: int, num_orders: int, first: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The definition: each next one has the largest mean Hamming distance to all before it, ties by the alphabet."""
    candidates, chosen = sorted(all_orders(range(num_cells))), [first]
    while len(chosen) < num_orders:
        left = [order for order in candidates if order not in chosen]
        chosen.append(max(left, key=lambda order: sum(a != b for other in chosen
                                                      for a, b in zip(order, other, strict=True)) / len(chosen)))
    return chosen


@pytest.mark.parametrize(("num_cells", "num_orders"), [(4, 1), (4, 9), (4, 24), (3, 6), (5, 12)])
@pytest.mark.parametrize("seed", [0, 3])
def test_the_set_is_the_greedy_one(num_cells: int, num_orders: int, seed: int) -> None:
    found = [tuple(order) for order in far_apart(num_cells, num_orders, seed=seed).tolist()]
    assert found == by_brute_force(num_cells, num_orders, found[0])
    assert len(set(found)) == num_orders


def test_the_first_one_is_drawn_from_the_seed() -> None:
    firsts = {tuple(far_apart(4, 1, seed=seed)[0].tolist()) for seed in range(12)}
    assert len(firsts) > 4


def test_no_more_than_there_are() -> None:
    with pytest.raises(ValueError, match="25 permutations asked of the 24"):
        far_apart(4, 25, seed=0)


def test_what_the_package_comes_with() -> None:
    orders = permutations()
    assert orders.shape == (2000, 9)
    assert (np.sort(orders, axis=1) == np.arange(9)).all()
    assert len(np.unique(orders, axis=0)) == 2000
    distances = (orders[:, None] != orders[None]).sum(axis=-1)[np.triu_indices(2000, 1)]
    assert distances.mean() > 8.0  # a random pair: 8
    np.testing.assert_array_equal(orders[:8], far_apart(9, 8, seed=jigsaw_order.SEED))


def test_a_file_that_was_changed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jigsaw_order, "SHA256", "0" * 64)
    permutations.cache_clear()
    with pytest.raises(ValueError, match="not the file"):
        permutations()


@pytest.mark.slow
def test_its_command_makes_the_file_again(capsys: pytest.CaptureFixture[str]) -> None:
    jigsaw_order.main()
    printed = capsys.readouterr()
    assert printed.out.encode() == (ROOT / "cfimage" / FILE).read_bytes()
    assert hashlib.sha256(printed.out.encode()).hexdigest() == SHA256
    assert SHA256 in printed.err
