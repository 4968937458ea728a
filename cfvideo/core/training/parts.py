"""How a step is cut into parts: what goes through the network, and its batch norms, together.

A step is cut into the fewest even parts of at most so many items; they differ by one item at most, so that no batch
norm sees a small rest. So is the last, shorter step, and so on any number of processes.
"""

from __future__ import annotations

from itertools import pairwise


def largest_part(batch_size: int, micro_batch_size: int, num_processes: int) -> int:
    """Most items of a part: `micro_batch_size`, or where it is 0 a process's share of `batch_size`, rounded up: then
    there are no more parts than processes."""
    return micro_batch_size or -(-batch_size // num_processes)


def cut(num_items: int, largest: int) -> list[tuple[int, int]]:
    """The fewest even parts of `num_items`, each of at most `largest`, as half-open ranges."""
    num_parts = -(-num_items // largest)
    return list(pairwise(part * num_items // num_parts for part in range(num_parts + 1)))


def part_sizes(num_items: int, largest: int) -> list[int]:
    """Items of each part of a step of `num_items`."""
    return [high - low for low, high in cut(num_items, largest)]


def largest_parts(max_samples: int, batch_size: int, largest: int) -> list[int]:
    """The largest part of a whole step and, where the budget ends in a shorter one, of the last: says how both are cut,
    since a part's size and a step's give the number of parts."""
    steps = [batch_size, max_samples % batch_size]
    return [max(part_sizes(num_items, largest)) for num_items in steps if num_items]


def can_learn(num_valid: int, num_items: int, fewest: int) -> bool:
    """Whether a part with `num_valid` valid items among its `num_items` takes part in training.

    fewest: items that the network's batch norms need (`cfvideo/core/norms.py`). A single one that is left of several
    is no batch to normalise by either, however large its maps.
    """
    return num_valid >= max(fewest, min(2, num_items))
