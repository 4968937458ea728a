"""Which network file is meant."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.foreign.finished import network_file_in
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.network_file import FILE_NAME, save_network
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Stage, Workspace
from cfvideo.core.store import MANIFEST, Store, run_stage
from tests.checkpoints import small_video
from tests.core.foreign.test_exports import SMALL, VIEW


def finish(output_dir: Path, name: str, role: str, age: int = 0) -> Path:
    """A finished stage that holds a network; `age` days old."""
    def run(work: Workspace) -> dict[str, Any]:
        save_network(work.folder, small_video("caffe2"), architecture=SMALL, num_classes=5, view=VIEW)
        return {}

    stage = Stage(name, role, {"role": role, "age": age}, {}, run)
    folder = run_stage(stage, Store(output_dir), screen=Screen(), stop=StopRequest(), clock=time.monotonic,
                       versions={}).folder
    then = time.time() - 86_400 * age
    os.utime(folder / MANIFEST, (then, then))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name, role in (("untrained", "seed 0"), ("pretrain", "seed 0: n_pre"), ("pretrain", "seed 1: n_pre, imported"),
                       ("train_cf", "seed 0: n_cf"), ("extract", "seed 0: n_pre on D_CF")):
        finish(tmp_path, name, role)
    return tmp_path


def test_a_file_a_folder_and_a_stage_are_what_they_are(run: Path) -> None:
    stage = finish(run, "train_cf", "seed 7: n_cf")
    plain = run / "plain"
    plain.mkdir()
    (plain / FILE_NAME).write_bytes((stage / FILE_NAME).read_bytes())
    assert network_file_in(stage / FILE_NAME, "", 0) == stage / FILE_NAME
    assert network_file_in(stage, "", 0) == stage / FILE_NAME
    assert network_file_in(plain, "", 0) == plain / FILE_NAME


@pytest.mark.parametrize(("network", "seed", "kind"), [("n_cf", 0, "train_cf"), ("n_pre", 0, "pretrain"),
                                                       ("n_pre", 1, "pretrain"), ("untrained", 0, "untrained")])
def test_networks_of_a_run_go_by_name_and_seed(run: Path, network: str, seed: int, kind: str) -> None:
    assert network_file_in(run, network, seed).relative_to(run).parts[:2] == ("stages", kind)


def test_the_newest_of_several_is_taken(run: Path) -> None:
    old = finish(run, "train_cf", "seed 0: n_cf", age=3)
    assert network_file_in(run, "n_cf", 0).parent != old


def test_what_is_there_is_named_where_the_asked_is_not(run: Path) -> None:
    there = "among: n_cf of seed 0, n_pre of seed 0, untrained of seed 0, n_pre of seed 1"
    with pytest.raises(ConfigError, match=f"no finished network 'n_cf' of seed 1.*{there}"):
        network_file_in(run, "n_cf", 1)
    with pytest.raises(ConfigError, match="among: none"):
        network_file_in(run / "nothing", "n_cf", 0)


def test_a_changed_network_is_refused(run: Path) -> None:
    path = network_file_in(run, "n_cf", 0)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    for source in (run, path.parent):
        with pytest.raises(IntegrityError, match="changed since it was made"):
            network_file_in(source, "n_cf", 0)
