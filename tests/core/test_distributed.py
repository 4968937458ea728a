"""Several real gloo processes: sums, broadcasts, waiting, and what happens when the first rank dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cfvideo.core.distributed import Ranks
from tests.core.processes import launch
from tests.source_tree import ROOT

PROGRAM = """
import sys, time
from datetime import timedelta
import numpy as np
from cfvideo.core import distributed as d
d._WAIT_STEP = timedelta(seconds=0.1)  # shorter than the wait below, so that the waiters wait again
with d.joined() as ranks:
    sums, counts = np.full((2, 3), ranks.rank + 0.5), np.array([ranks.rank], np.int64)
    d.sum_over_ranks(sums, counts)
    told = d.from_first({"from": ranks.rank})
    with d.first_only() as mine:
        if mine:
            time.sleep(0.3)
            if sys.argv[1:] == ["die"]:
                raise SystemExit(7)
    print(ranks.rank, ranks.size, sums.sum(), counts[0], told["from"], d.any_rank(ranks.rank == 1), mine)
"""


def test_sums_broadcasts_and_waiting_agree_on_all_ranks() -> None:
    done = launch(PROGRAM, 3)
    assert [one.returncode for one in done] == [0, 0, 0], done[0].stderr
    assert [one.stdout.strip() for one in done] == [
        f"{rank} 3 27.0 3 0 True {rank == 0}" for rank in range(3)]


@pytest.mark.slow
def test_a_first_rank_that_dies_before_a_collective_takes_the_others_along() -> None:
    assert all(one.returncode != 0 for one in launch(PROGRAM, 2, "die"))


@pytest.mark.parametrize(("items", "size"), [(10, 3), (2, 5), (0, 2), (4096, 1)])
def test_shares_cover_all_items_once(items: int, size: int) -> None:
    shares = [Ranks(rank, size).share(items) for rank in range(size)]
    assert [item for start, stop in shares for item in range(start, stop)] == list(range(items))
    assert max(stop - start for start, stop in shares) - min(stop - start for start, stop in shares) <= 1


def test_a_process_on_its_own_needs_no_group(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.strip() == "0 1 3.0 0 0 False True", done.stderr
