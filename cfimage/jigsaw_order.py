"""The orders of jigsaw patches that are told apart: a set far apart in Hamming distance, chosen greedily.

    python -m cfimage.jigsaw_order > cfimage/jigsaw_permutations.txt

makes the file that the package comes with: 2,000 of the 9! permutations of 3 x 3 cells, the first one drawn from a
seed, each further one farthest on average from those before it (Goyal et al., 2019: max_avg; the first of equals in
lexicographic order). Any first n of them are the greedy set of n. It took 7 s and 39 MB on one core.
"""

from __future__ import annotations

import hashlib
import math
import sys
from functools import cache
from importlib import resources
from itertools import permutations as all_orders

import numpy as np
from numpy.typing import NDArray

Orders = NDArray[np.uint8]
CELLS = 3  # a side
NUM_ORDERS, SEED = 2000, 0
FILE = "jigsaw_permutations.txt"
SHA256 = "43bc2d02c78b57a773965c2ce7e0a1f5799ac91b207f67a49666c4a4bce118ae"


@cache
def permutations() -> Orders:
    """uint8 [2000, 9]: the set that the package comes with, in the order in which it was chosen."""
    content = resources.files(__package__).joinpath(FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{FILE} is not the file that this version was made with")
    return np.frombuffer(content.replace(b"\n", b""), np.uint8).reshape(-1, CELLS * CELLS) - ord("0")


def far_apart(num_cells: int, num_orders: int, *, seed: int) -> Orders:
    """uint8 [num_orders, num_cells]: greedily chosen permutations of num_cells things.

    The summed distance of a candidate to n chosen ones is, over its places, n less the chosen ones that have the same
    cell there; so a count per place and cell is all that is kept of them.
    """
    candidates = np.fromiter((cell for order in all_orders(range(num_cells)) for cell in order), np.uint8,
                             num_cells * math.factorial(num_cells)).reshape(-1, num_cells)
    if num_orders > len(candidates):
        raise ValueError(f"{num_orders} permutations asked of the {len(candidates)} that {num_cells} things have")
    shared = np.zeros(len(candidates), np.int32)
    chosen = [int(np.random.default_rng(seed).integers(len(candidates)))]
    while len(chosen) < num_orders:
        newest = candidates[chosen[-1]]
        for place in range(num_cells):
            shared += candidates[:, place] == newest[place]
        shared[chosen[-1]] = np.iinfo(np.int32).max // 2  # never again
        chosen.append(int(shared.argmin()))
    return candidates[chosen]


def main() -> None:
    """Print the set, a permutation per line, and its hash on stderr."""
    text = "".join("".join(map(str, order)) + "\n" for order in far_apart(CELLS * CELLS, NUM_ORDERS, seed=SEED))
    sys.stdout.write(text)
    print(f"sha256 {hashlib.sha256(text.encode()).hexdigest()}", file=sys.stderr)


if __name__ == "__main__":
    main()
