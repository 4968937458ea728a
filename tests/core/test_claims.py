"""Claims between real processes: exclusive, and free again when their holder is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cfvideo.core.claims import Claims, shared_out
from tests.source_tree import ROOT

HOLDER = """
import sys
from pathlib import Path
from cfvideo.core.claims import Claims
with Claims(Path(sys.argv[1])).hold((4, 8)) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds rows [4, 8) for the body, or until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


def held(claims: Claims, *rows: int) -> bool:
    with claims.hold((rows[0], rows[1])) as mine:
        return mine


def test_rows_are_held_by_one_process_and_free_when_it_is_killed(tmp_path: Path) -> None:
    with closing(Claims(tmp_path / "claims")) as claims, holder(tmp_path / "claims") as process:
        assert held(claims, 0, 4)
        assert held(claims, 8, 12)
        assert not held(claims, 4, 8)
        assert not held(claims, 7, 9)  # a shard of another size that overlaps
        process.kill()
        process.wait()
        assert held(claims, 4, 8)
        assert held(claims, 4, 8)  # let go of again


def test_what_a_dead_holder_left_is_taken_over_after_the_rest(tmp_path: Path) -> None:
    done, pauses = set[tuple[int, int]](), []
    with closing(Claims(tmp_path / "claims")) as claims, holder(tmp_path / "claims") as process:

        def pause() -> None:
            pauses.append(len(done))
            if len(pauses) == 2:
                process.kill()
                process.wait()

        seen = []
        for rows, mine in shared_out([(0, 4), (4, 8), (8, 12)], claims, is_done=done.__contains__, pause=pause):
            seen.append((rows, mine))
            done.add(rows)
    assert seen == [((0, 4), True), ((8, 12), True), ((4, 8), True)]
    assert pauses == [2, 2]


def test_what_another_made_while_it_was_held_comes_once_and_at_once(tmp_path: Path) -> None:
    done, seen = set[tuple[int, int]](), []
    with closing(Claims(tmp_path / "claims")) as claims, holder(tmp_path / "claims"):
        for rows, mine in shared_out([(0, 4), (4, 8), (8, 12), (12, 16)], claims, is_done=done.__contains__,
                                     pause=lambda: pytest.fail("there was work left")):
            seen.append((rows, mine))
            done |= {rows, (4, 8)} if rows == (8, 12) else {rows}
    assert seen == [((0, 4), True), ((8, 12), True), ((4, 8), False), ((12, 16), True)]


def test_what_is_done_is_not_made_again_though_nobody_holds_it(tmp_path: Path) -> None:
    with closing(Claims(tmp_path / "claims")) as claims:
        seen = list(shared_out([(0, 4), (4, 8)], claims, is_done=lambda rows: True, pause=lambda: None))
    assert seen == [((0, 4), False), ((4, 8), False)]


def test_nothing_to_do_needs_nobody(tmp_path: Path) -> None:
    with closing(Claims(tmp_path / "claims")) as claims:
        assert list(shared_out([], claims, is_done=lambda _: False, pause=lambda: None)) == []
