"""The command users type, on real encoded video: end to end, killed at every stage, and with bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from cfvideo.core.tensors import load_tensors
from tests.core.processes import torchrun
from tests.source_tree import ROOT
from tests.synthetic import Recipe, write_video

CONFIG = """
NAME: tiny
OUTPUT_DIR: {out}
D_PRE: {{PATH: {data}/tags.jsonl}}
D_TAR:
  MOTIONS: {{TRAIN: {data}/train, TEST: {data}/test}}
N_PRE: &net
  ARCH: r2plus1d
  WIDTHS: [4, 4, 8, 8]
  CLIP: {{NUM_FRAMES: 4, FRAME_STRIDE: 2, SHORT_EDGE_PX: 16, CROP_PX: 16}}
  SOLVER: {{MAX_SAMPLES: 48, BATCH_SIZE: 8, BASE_LR: 0.05, BASE_BATCH_SIZE: 8, NUM_HALVINGS: 3,
            CHECKPOINT_SAMPLES: 16}}
N_CF: *net
EXTRACT: {{NUM_CLIPS: 2, BATCH_SIZE: 8, SHARD_ROWS: 8}}
CLUSTER: {{NUM_CLUSTERS: 4, NUM_ITERATIONS: 5}}
PROBE: {{NUM_CLIPS: 2, STRENGTHS: [1.0]}}
SYSTEM: {{THREADS: 1, DECODE_THREADS: 1, DEVICE: cpu}}
"""
RESULTS = ("weights.safetensors", "kmeans.safetensors", "pseudo_labels.safetensors", "metrics.jsonl", "probe.json")


def _write_data(folder: Path) -> None:
    small = {"size": (24, 16), "num_frames": 12}
    (folder / "videos").mkdir(parents=True)
    lines = []
    for number in range(20):
        write_video(folder / f"videos/{number:02d}.mp4", Recipe(first_number=50 * number, **small))
        lines.append(json.dumps({"path": f"videos/{number:02d}.mp4", "tags": [["spin", "drop"][number % 2], "love"]}))
    (folder / "tags.jsonl").write_text("\n".join(lines) + "\n")
    for split, count in (("train", 4), ("test", 2)):
        for label in ("one", "two"):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                write_video(folder / split / label / f"{number}.mp4",
                            Recipe(first_number=1000 * (label == "two") + 10 * number, **small))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    _write_data(folder)
    return folder


def _config(folder: Path, data: Path) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(CONFIG.format(out=folder / "out", data=data))
    return path


def _start(config: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "tools/run_net.py", "--cfg", str(config), *more]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _run(config: Path, *more: str, **environment: str) -> tuple[int, str]:
    process = _start(config, *more, **environment)
    said = process.communicate(timeout=300)[0]
    return process.returncode, said


def _results(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.name in RESULTS or path.name.startswith("rows-")}


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run leaves."""
    folder = tmp_path_factory.mktemp("whole")
    code, said = _run(_config(folder, data))
    assert code == 0, said
    assert "N_cf - N_pre" in said
    assert f"Report: {folder / 'out' / 'report.html'}" in said
    return _results(folder / "out")


@pytest.mark.slow
def test_torchrun_runs_the_same_command_on_several_processes(data: Path, tmp_path: Path) -> None:
    """Micro-batches fix what a batch norm sees: two processes take the steps of one, up to rounding."""
    micro = [word for network in ("N_PRE", "N_CF") for word in (f"{network}.SOLVER.MICRO_BATCH_SIZE", "4")]
    weights = {}
    for size in (1, 2):
        folder = tmp_path / str(size)
        folder.mkdir()
        process = torchrun(size, "tools/run_net.py", "--cfg", str(_config(folder, data)), *micro)
        said = "".join(process.communicate(timeout=300))
        assert process.returncode == 0, said
        assert said.count("N_cf - N_pre") == said.count("Report: ") == 1
        weights[size] = load_tensors(next((folder / "out/stages/pretrain").glob("*/weights.safetensors")))[0]
    for name, value in weights[1].items():
        torch.testing.assert_close(weights[2][name], value, rtol=1e-3, atol=1e-4, msg=name)


# One or two points in every kind of stage, in the order in which a run reaches them.
KILLS = ("untrained/before_rename:1", "pretrain/checkpoint:2", "pretrain/manifest:1", "extract/shard:2",
         "cluster/iteration:2", "cluster/after_rename:1", "assign/labels:1", "assign/published:1",
         "train_cf/checkpoint:1", "train_cf/manifest:1", "probe/before_rename:1", "report/start:1",
         "report/manifest:1")


@pytest.mark.slow
def test_killed_at_every_stage_it_ends_with_the_same_bytes(data: Path, whole: dict[str, bytes],
                                                           tmp_path: Path) -> None:
    config = _config(tmp_path, data)
    for kill in KILLS:
        code, said = _run(config, CFVIDEO_FAULT=kill)
        assert code == -signal.SIGKILL, f"{kill}: {said}"
    code, said = _run(config)
    assert code == 0, said
    assert _results(tmp_path / "out") == whole
    assert len(whole) > 15


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_with_5_and_the_same_command_resumes(data: Path, whole: dict[str, bytes], tmp_path: Path,
                                                           number: signal.Signals) -> None:
    config = _config(tmp_path, data)
    process = _start(config)
    while not list((tmp_path / "out").glob("stages/pretrain/*.partial/metrics.jsonl")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 5, said
    assert f"stopped by {number.name}" in said
    assert "Traceback" not in said
    assert _run(config)[0] == 0
    assert _results(tmp_path / "out") == whole


@pytest.mark.slow
def test_a_second_run_in_the_same_folder_is_refused(data: Path, tmp_path: Path) -> None:
    config = _config(tmp_path, data)
    first = _start(config, "N_PRE.SOLVER.MAX_SAMPLES", "100000")
    while not (tmp_path / "out/stages").exists():
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.01)
    code, said = _run(config)
    first.kill()
    first.communicate()
    assert code == 2
    assert "in use by another run" in said


@pytest.mark.slow
def test_bad_files_become_invalid_rows(data: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "data"
    shutil.copytree(data, spoiled)
    (spoiled / "videos/03.mp4").write_bytes(b"")
    (spoiled / "videos/04.mp4").write_text("I am not a video")
    (spoiled / "videos/05.mp4").unlink()
    whole_file = (spoiled / "videos/06.mp4").read_bytes()
    (spoiled / "videos/06.mp4").write_bytes(whole_file[:len(whole_file) // 2])
    code, said = _run(_config(tmp_path, spoiled), "DATA.MAX_BAD_SHARE", "0.25")
    assert code == 0, said
    listed = [path.read_text() for path in (tmp_path / "out/stages/extract").glob("*/failures.csv")]
    lines = sorted(line.split(",")[1] for text in listed for line in text.splitlines()[1:])
    assert lines == [f"videos/{number:02d}.mp4" for number in (3, 4, 5, 6)]
    code, said = _run(_config(tmp_path, spoiled), "DATA.MAX_BAD_SHARE", "0.1")
    assert code == 4
    assert "DATA.MAX_BAD_SHARE" in said


def test_dry_run_of_the_papers_experiment_says_what_is_missing_and_what_it_costs(tmp_path: Path) -> None:
    code, said = _run(ROOT / "configs/ig_verb.yaml", "--dry-run", "OUTPUT_DIR", str(tmp_path / "out"), COLUMNS="200")
    assert code == 3
    assert not (tmp_path / "out").exists()
    for expected in ("D_PRE.PATH", "EXPECTED_ROWS", "490,000,000", "448 EFLOP", "NUM_CLUSTERS: 3200", "Edit the keys"):
        assert expected in said, f"{expected} not in\n{said}"


@pytest.mark.parametrize(("arguments", "code", "message"), [
    ((), 2, "--cfg: give at least one config file"),
    (("--cfg", "{cfg}", "CLUSTER.NUM_CLUSTER", "5"), 2, "CLUSTER.NUM_CLUSTERS"),
    (("--cfg", "{cfg}", "D_PRE.PATH", "/nowhere/tags.jsonl"), 3, "/nowhere/tags.jsonl"),
    (("--cfg", "{cfg}", "CLUSTER.NUM_CLUSTERS", "21"), 2, "set it to at most 20"),
    (("--cfg", "nowhere.yaml"), 2, "nowhere.yaml"),
    (("--help-config", "CLUSTER"), 0, "CLUSTER.NUM_CLUSTERS")])
def test_command_lines(data: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    config = str(_config(tmp_path, data))
    given = [part.format(cfg=config) for part in arguments]
    done = subprocess.run([sys.executable, "tools/run_net.py", *given], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == code, done.stderr
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
