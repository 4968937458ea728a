"""Processes of one job that plan different work are told so before any of it is done."""

from __future__ import annotations

from pathlib import Path

from tests.core.processes import launch
from tests.core.test_cli import CONFIG

PLANS = """
from cfvideo.core import distributed as d
from cfvideo.core.errors import ConfigError
from cfvideo.core.execute import check_same_plan
from cfvideo.core.stage import Stage

def plan(threads=2, version=1, more=()):
    first = Stage("untrained", "seed 0", {"SEED": 0}, {}, dict)
    second = Stage("pretrain", "seed 0: n_pre", {"SEED": 0, "computes on": f"cpu with {threads} threads"},
                   {"first": first}, dict, version=version)
    return [first, second, Stage("extract", "n_pre on D_CF", {}, {"network": second}, dict), *more]

with d.joined() as ranks:
    odd = ranks.rank == 2
    cases = [plan(), plan(threads=2 + odd), plan(version=1 + odd), plan(more=[Stage("score", "s", {}, {}, dict)] * odd)]
    for stages in cases:
        try:
            print(check_same_plan(stages))
        except ConfigError as error:
            print(str(error).split(". ")[0])
"""
SLOW_CHECK = """
import sys, time
from datetime import timedelta
from pathlib import Path
from cfvideo.core import distributed as d, store as s
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Stage

d.COLLECTIVE_TIMEOUT, d._WAIT_STEP, whole = timedelta(seconds=2), timedelta(seconds=0.1), s._is_complete
stage = Stage("untrained", "seed 0", {}, {}, lambda work: {"written": (work.folder / "a").write_text("a")})
store = s.Store(Path(sys.argv[1]))

def slowly(partial, check):
    time.sleep(5)
    return whole(partial, check)

s._is_complete = slowly
with d.joined():
    s.run_stage(stage, store, screen=Screen(), stop=StopRequest(), clock=time.monotonic, versions={})
    print(store.need(stage).file("a").read_text())
"""
RUN = """
import os, sys
from pathlib import Path
from cfvideo.core.cli import run
from cfvideo.core.errors import exit_code_of
from tests.toy_modality import TOY

threads = ["SYSTEM.THREADS", str(1 + int(os.environ["RANK"]))]
sys.exit(exit_code_of(lambda: run(TOY, files=[Path(sys.argv[1])], overrides=threads, stages="", dry_run=False,
                                  command="toy")))
"""


def test_the_first_stage_that_differs_is_named_with_what_differs_in_it_on_all() -> None:
    done = launch(PLANS, 3)
    assert [one.returncode for one in done] == [0, 0, 0], done[0].stderr
    said = "the processes plan different work, from stage"
    for one in done:
        assert one.stdout.splitlines() == [
            "None",
            f"{said} 2 on (pretrain seed 0: n_pre): computes on cpu with 2 threads in the first process, "
            "cpu with 3 threads in process 2",
            f"{said} 2 on (pretrain seed 0: n_pre): version of the stage 1 in the first process, 2 in "
            "process 2",
            f"{said} 4 on (None): stage None in the first process, score s in process 2"]


def test_machines_with_other_numbers_of_threads_end_with_2_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(CONFIG.format(out=tmp_path / "out").replace("THREADS: 1", "THREADS: 0"))
    for one in launch(RUN, 2, str(tmp_path / "toy.yaml")):
        assert one.returncode == 2, one.stderr
        assert "computes on cpu with 1 threads in the first process, cpu with 2 threads in process 1" in one.stderr
        assert "set SYSTEM.THREADS" in one.stderr
    assert not (tmp_path / "out").exists()


def test_checking_what_lies_there_may_outlast_a_collective(tmp_path: Path) -> None:
    done = launch(SLOW_CHECK, 2, str(tmp_path))
    assert [(one.returncode, one.stdout) for one in done] == [(0, "a\n")] * 2, done[1].stderr
