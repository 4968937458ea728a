"""How a step is cut into parts, and which of them can be learned from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.training.parts import can_learn, cut, largest_part, largest_parts, part_sizes

STEPS, LARGEST = st.integers(1, 300), st.integers(1, 300)


@given(num_items=STEPS, largest=LARGEST)
@settings(max_examples=200, deadline=None)
def test_a_step_is_cut_into_the_fewest_even_parts(num_items: int, largest: int) -> None:
    parts, sizes = cut(num_items, largest), part_sizes(num_items, largest)
    assert [item for low, high in parts for item in range(low, high)] == list(range(num_items))
    assert max(sizes) <= largest
    assert max(sizes) - min(sizes) <= 1
    assert (len(parts) - 1) * largest < num_items  # one part fewer could not hold them


@given(num_items=STEPS, num_processes=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_without_micro_batches_no_process_has_two_parts(num_items: int, num_processes: int) -> None:
    assert len(cut(num_items, largest_part(num_items, 0, num_processes))) <= num_processes


@given(max_samples=st.integers(1, 60), batch_size=st.integers(1, 30), one=st.integers(1, 30), other=st.integers(1, 30))
@settings(max_examples=300, deadline=None)
def test_what_stands_in_fingerprints_differs_exactly_when_parts_do(max_samples: int, batch_size: int, one: int,
                                                                   other: int) -> None:
    batch_size = min(batch_size, max_samples)
    steps = [min(batch_size, max_samples - start) for start in range(0, max_samples, batch_size)]
    parts = [[cut(num_items, largest) for num_items in steps] for largest in (one, other)]
    said = [largest_parts(max_samples, batch_size, largest) for largest in (one, other)]
    assert (said[0] == said[1]) is (parts[0] == parts[1])


@pytest.mark.parametrize(("num_valid", "num_items", "fewest", "does"), [
    (0, 0, 1, False), (0, 3, 1, False), (1, 3, 1, False), (2, 3, 1, True), (1, 1, 1, True),  # micro-batches of one
    (1, 1, 2, False), (2, 2, 2, True), (1, 2, 2, False)])  # ... on maps of one pixel
def test_a_part_learns_where_it_can_be_normalised(num_valid: int, num_items: int, fewest: int, does: bool) -> None:
    assert can_learn(num_valid, num_items, fewest) is does
