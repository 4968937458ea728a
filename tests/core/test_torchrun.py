"""A run under torchrun: killed ranks, restarts, other numbers of processes, signals, and errors of one rank."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
import torch

from cfvideo.core.tensors import load_header, load_tensors
from tests.core.processes import killed_at_the_end, torchrun, workers

pytestmark = pytest.mark.slow

CONFIG = """
NAME: toy
OUTPUT_DIR: {out}
D_PRE: {{PATH: "60"}}
D_TAR:
  T: {{TRAIN: "45", TEST: "30"}}
N_PRE: &net
  ARCH: r2plus1d
  WIDTHS: [6, 6, 6, 6]
  SOLVER: {{MAX_SAMPLES: 40_000, BATCH_SIZE: 4_000, MICRO_BATCH_SIZE: 1_000, BASE_LR: 0.1, BASE_BATCH_SIZE: 2_500,
            NUM_HALVINGS: 3, CHECKPOINT_SAMPLES: 4_000}}
N_CF: *net
EXTRACT: {{NUM_CLIPS: 2, BATCH_SIZE: 8, SHARD_ROWS: 16}}
CLUSTER: {{NUM_CLUSTERS: 6, NUM_ITERATIONS: 4}}
PROBE: {{NUM_CLIPS: 2, STRENGTHS: [1.0]}}
SYSTEM: {{THREADS: 1}}
"""
# Steps of a tenth of a second or more: longer than torchrun takes to hand a signal on.
NUM_SAMPLES = 40_000


def _config(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.yaml").write_text(CONFIG.format(out=folder / "out"))
    return str(folder / "toy.yaml")


def _run(folder: Path, size: int, stages: str = "pretrain", *, restarts: int = 0, fault: str = "") -> tuple[int, str]:
    with killed_at_the_end(torchrun(size, "-m", "tests.toy_run", _config(folder), f"-{stages}",
                                    restarts=restarts, more={"CFVIDEO_FAULT": fault})) as process:
        out, err = process.communicate(timeout=240)
    return process.returncode, out + err


def _weights(folder: Path, stage: str = "pretrain") -> bytes:
    (path,) = (folder / "out/stages" / stage).glob("*/weights.safetensors")
    return path.read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """N_pre as two processes make it when nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    code, said = _run(folder, 2)
    assert code == 0, said
    return folder


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_killed_in_training_is_restarted_and_the_weights_are_the_same_bytes(tmp_path: Path, undisturbed: Path,
                                                                                   rank: int) -> None:
    code, said = _run(tmp_path, 2, restarts=1, fault=f"rank{rank}/pretrain/checkpoint:3")
    assert code == 0, said
    assert "resuming" in said
    assert _weights(tmp_path) == _weights(undisturbed)


def test_a_run_goes_on_with_another_number_of_processes(tmp_path: Path, undisturbed: Path) -> None:
    """Same batches, same parts; sums in another order differ in last bits."""
    code, _ = _run(tmp_path, 2, fault="rank1/pretrain/checkpoint:4")
    assert code != 0
    code, said = _run(tmp_path, 3)
    assert code == 0, said
    assert "resuming" in said
    states = [load_tensors(next((folder / "out/stages/pretrain").glob("*/weights.safetensors")))[0]
              for folder in (tmp_path, undisturbed)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=1e-3, atol=1e-4)


def test_signals_to_all_save_once_and_the_same_command_goes_on_from_there(tmp_path: Path, undisturbed: Path) -> None:
    """A launcher signals torchrun and its workers, and torchrun hands its own signal on: a worker gets several within
    one step. Two of a kind may arrive as one, hence two kinds. The only regular checkpoint is that of the end, so what
    lies there is what the signals saved."""
    with killed_at_the_end(torchrun(2, "-m", "tests.toy_run", _config(tmp_path), "-pretrain",
                                    "N_PRE.SOLVER.CHECKPOINT_SAMPLES", str(NUM_SAMPLES))) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("out/stages/pretrain/*.partial/metrics.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.01)
        signalled = workers(process)
        for pid in signalled:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert len(signalled) == 2
    assert process.returncode == 1  # torchrun's, whatever its workers ended with
    assert len(re.findall("stopped by SIG(TERM|INT); finished work is kept, the same command resumes", said)) == 2
    (saved,) = tmp_path.glob("out/stages/pretrain/*.partial/scratch/checkpoint-*.safetensors")
    assert 0 < load_header(saved)["samples"] < NUM_SAMPLES
    code, said = _run(tmp_path, 2)
    assert code == 0, said
    assert "resuming" in said
    assert _weights(tmp_path) == _weights(undisturbed)


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_damage_that_all_ranks_find_ends_all(tmp_path: Path) -> None:
    """In the input of a stage that all work on."""
    code, said = _run(tmp_path, 2, "untrained")
    assert code == 0, said
    _damage(*(tmp_path / "out/stages/untrained").glob("*/weights.safetensors"))
    code, said = _run(tmp_path, 2, "extract")
    assert code != 0
    assert "missing or changed since it was made" in said


def test_damage_that_the_first_rank_alone_finds_ends_all(tmp_path: Path) -> None:
    """In the input of a probe, which the first works on while the others wait for it."""
    code, said = _run(tmp_path, 2, "untrained,extract")
    assert code == 0, said
    for path in (tmp_path / "out/stages/extract").glob("*/rows-*.safetensors"):
        _damage(path)
    code, said = _run(tmp_path, 2, "probe")
    assert code != 0
    assert said.count("content does not match its checksum") == 1
    assert re.search(r"rank +: 0 .*\n +exitcode +: 6 ", said), said


def test_a_whole_run_by_two_processes(tmp_path: Path) -> None:
    code, said = _run(tmp_path, 2, "")
    assert code == 0, said
    assert (tmp_path / "out/report.html").stat().st_size > 10_000
    assert said.count("Report: ") == 1
