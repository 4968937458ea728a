"""Real gloo processes: any number of them gives the same bytes, and one that dies costs an iteration at most."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.core.clustering.stage_runs import digest, features, make_store, run_stages
from tests.core.processes import launch, torchrun

PROGRAM = """
import runpy
runpy.run_module("tests.core.clustering.stage_runs", run_name="__main__")
"""
UNEVEN = """
import time
from datetime import timedelta
import numpy as np
import torch.distributed as dist
from cfvideo.core import distributed as d
from cfvideo.core.clustering.lloyd import Lloyd
from cfvideo.core.clustering.model import CPU, KMeansModel
from cfvideo.core.clustering.points import in_memory
from cfvideo.core.clustering.prepare import Preparation
from cfvideo.core.features import FeatureBlock
from cfvideo.core.pseudo_labels import assign

d._WAIT_STEP = timedelta(seconds=0.1)
rows, centroids = np.array([[0, 1], [4, 5]], np.float16), np.array([[0, 0], [5, 5]], np.float32)
with d.joined() as ranks:
    def progress(num):
        told.append(num)
        time.sleep(3 * ranks.rank * bool(num))

    own, told = rows[ranks.rank:ranks.rank + 1], []
    lloyd = Lloyd(in_memory(own), groups=np.zeros(2, np.int32), spherical=False, device=CPU, progress=progress)
    d.any_rank(False)
    dist.distributed_c10d._set_pg_timeout(timedelta(seconds=1), dist.group.WORLD)
    found = lloyd.step(centroids)
    labels = assign([FeatureBlock(ranks.rank, own, np.array([True]))], KMeansModel(centroids, Preparation(False)),
                    known_labels=np.zeros(2, np.int32), index_hash="", progress=progress)
    print(found.centroids.tolist(), labels.labels.tolist(), sum(told), 0 in told or ranks.rank == 1)
"""
KEYS = {"num_restarts": 2, "sample_share": 0.6, "final_iterations": 2, "num_iterations": 3, "pca_dim": 4}
PER_LABEL = {"method": "per_label"}


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3, 5])
def test_any_number_of_processes_gives_the_same_bytes(tmp_path: Path, size: int) -> None:
    """Restarts, two phases and PCA; per label; and three rows for up to five processes, some of which have none."""
    cases = {"schedule": (features(410), (5, 200), KEYS),
             "labels": (features(123), (), PER_LABEL | {"num_clusters": 9}),
             "three": (np.eye(3, dtype=np.float16), (), PER_LABEL | {"num_clusters": 3})}
    wanted, words = [], []
    for name, (points, bad, keys) in cases.items():
        for run in ("alone", "many"):
            make_store(tmp_path / run / name, points, bad=bad)
        wanted.append(digest(tmp_path / "alone" / name, run_stages(tmp_path / "alone" / name, **keys)[2]))
        words += [str(tmp_path / "many" / name), json.dumps(keys)]
    done = launch(PROGRAM, size, *words)
    assert [one.returncode for one in done] == [0] * size, done[-1].stderr
    assert done[0].stdout.split() == wanted


@pytest.mark.slow
def test_a_killed_rank_is_started_again_by_torchrun(tmp_path: Path) -> None:
    """One rank dies by SIGKILL in the middle of an iteration; all begin again from the last saved state."""
    for name in ("alone", "many"):
        make_store(tmp_path / name, features(300))
    wanted = digest(tmp_path / "alone", run_stages(tmp_path / "alone")[2])
    once = tmp_path / "once"
    (tmp_path / "dying.py").write_text(
        "import os, runpy, signal, sys\n"
        "from cfvideo.core.clustering.lloyd import Lloyd\n"
        "search, calls = Lloyd.search, []\n"
        "def dying(self, centroids):\n"
        "    calls.append(1)\n"
        f"    if os.environ['RANK'] == '1' and len(calls) == 3 and not os.path.exists({str(once)!r}):\n"
        f"        open({str(once)!r}, 'w').write(str(os.getpid()))\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return search(self, centroids)\n"
        "Lloyd.search = dying\n"
        "runpy.run_module('tests.core.clustering.stage_runs', run_name='__main__')\n")
    running = torchrun(2, "--no-python", "python", str(tmp_path / "dying.py"), str(tmp_path / "many"), "{}",
                       restarts=1)
    try:
        out, err = running.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGTERM)
        raise
    assert running.returncode == 0, err
    assert once.exists()
    assert out.strip() == wanted


def test_a_pass_over_the_rows_may_take_one_process_longer_than_a_collective_waits() -> None:
    """Three seconds longer with collectives that wait for one; whoever waits looks for signals meanwhile."""
    done = launch(UNEVEN, 2)
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    assert [one.stdout for one in done] == ["[[0.0, 1.0], [4.0, 5.0]] [0, 1] 2 True\n"] * 2
