"""The commands that read and write other people's weights: files, exit codes, what stays unwritten."""

from __future__ import annotations

import os
import pickle
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from cfvideo.core.network_file import FILE_NAME, read_header
from tests.checkpoints import small_video
from tests.core.foreign.test_finished import finish
from tests.core.foreign.test_pickled import Canary
from tests.source_tree import ROOT


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A tool's main, in this process: starting torch anew for each call would take most of the time."""
    def call(tool: str, *arguments: object) -> Done:
        main = runpy.run_path(str(ROOT / f"tools/{tool}.py"))["main"]
        return Done(main([str(one) for one in arguments]), *capsys.readouterr())

    return call


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    torch.save({"model": small_video("caffe2").state_dict(), "epoch": 1}, tmp_path / "r2plus1d_clip8.pth")
    return tmp_path / "r2plus1d_clip8.pth"


def test_a_file_becomes_a_folder_that_a_config_can_name(run: Run, theirs: Path, tmp_path: Path) -> None:
    done = run("import_weights", theirs, "--out", tmp_path / "out", "--frame-stride", 2, "--mean", 0.5, 0.4, 0.3)
    assert done.returncode == 0, done.stderr
    assert "every one of the network" in done.stdout
    view = read_header(tmp_path / "out")["view"]
    assert (view["num_frames"], view["frame_stride"], view["mean"]) == (8, 2, [0.5, 0.4, 0.3])
    assert os.listdir(tmp_path / "out") == [FILE_NAME]
    named = run("import_weights", theirs, "--out", tmp_path / "n_pre.safetensors")
    assert named.returncode == 0, named.stderr
    assert read_header(tmp_path / "n_pre.safetensors")["num_classes"] == 5


def test_listing(run: Run, theirs: Path) -> None:
    done = run("import_weights", theirs, "--list")
    assert done.returncode == 0, done.stderr
    assert "model.stem.0.weight  float32 [2, 3, 1, 7, 7]" in done.stdout
    assert done.stdout.rstrip().endswith("every tensor of the network is there")


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["--list", "--out", "x"], 2, "either --out"), ([], 2, "either --out"),
    (["--out", "x", "--arch", "r2plus1d_18"], 6, "missing: "), (["--out", "x", "--num-classes", 9], 6, "fc.weight"),
    (["--out", "x", "--arch", "vgg"], 2, "no network for videos"), (["--out", "x", "--crop-px", 500], 2, "crop_px")])
def test_refusals(run: Run, theirs: Path, tmp_path: Path, arguments: list[object], code: int, said: str) -> None:
    placed = [tmp_path / "x" if word == "x" else word for word in arguments]
    done = run("import_weights", theirs, *placed)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "x").exists()


def test_files_that_would_run_code_do_not(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save({"model": Canary(canary)}, tmp_path / "evil.pt")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"blobs": Canary(canary)}, 2))
    for name in ("evil.pt", "evil.pkl"):
        command = [sys.executable, "tools/import_weights.py", str(tmp_path / name), "--out", str(tmp_path / "out")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
                              env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert done.returncode == 6
        assert "mkdir" in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["evil.pkl", "evil.pt"]


def test_there_and_back(run: Run, tmp_path: Path) -> None:
    finish(tmp_path / "run", "train_cf", "seed 0: n_cf")
    done = run("export_weights", tmp_path / "run", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["README.md", "model.json", "model.safetensors"]
    for arguments, said in ((["--network", "n_pre"], "n_cf of seed 0"), (["--seed", 3], "n_cf of seed 0"),
                            ([], "exists already")):
        again = run("export_weights", tmp_path / "run", "--out", tmp_path / "out", *arguments)
        assert again.returncode == 2
        assert said in again.stderr


def test_a_place_that_cannot_be_written_is_named(run: Run, theirs: Path, tmp_path: Path) -> None:
    finish(tmp_path / "run", "train_cf", "seed 0: n_cf")
    for tool, source in (("import_weights", theirs), ("export_weights", tmp_path / "run")):
        done = run(tool, source, "--out", theirs / "x")  # below a file
        assert done.returncode == 2
        assert f"--out {theirs / 'x'}" in done.stderr
        assert "Not a directory" in done.stderr
