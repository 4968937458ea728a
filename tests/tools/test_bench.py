"""The command: its table, its JSON keys, its errors. Never its timings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import ROOT

KEYS = {f"{workload}_{what}" for workload in ("extract", "train") for what in (
    "vs_decord_scaled", "vs_decord", "vs_pytorchvideo", "vs_torchcodec", "over_floor")}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "tools/bench.py", *arguments], cwd=ROOT, capture_output=True, text=True,
                          check=False, timeout=900, env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"})


def test_a_tiny_measurement(tmp_path: Path) -> None:
    done = bench("decode", "--frames", "36", "--rounds", "1", "--folder", str(tmp_path / "videos"),
                 "--json", str(tmp_path / "decode.json"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "decode.json").read_text())
    assert result.keys() >= KEYS | {"groups", "reasons", "rounds", "machine", "versions"}
    for key in KEYS:
        assert (result[key] is None) == (key in result["reasons"])
        assert result[key] is None or result[key] > 0
        assert key in done.stdout
        assert result[key] is None or result["groups"][key].keys() == {"K250", "K12", "S"}
    assert result["extract_over_floor"] is not None
    assert result["machine"]["cores_used"] in (1, None)


@pytest.mark.slow
def test_a_tiny_measurement_of_kmeans(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    done = bench("kmeans", "--rows", "300", "--dim", "8", "--iterations", "2", "--rounds", "1", "--json",
                 str(tmp_path / "kmeans.json"))
    assert done.returncode == 2  # K = 400 of 300 rows
    done = bench("kmeans", "--rows", "1700", "--dim", "8", "--iterations", "2", "--rounds", "1", "--json",
                 str(tmp_path / "kmeans.json"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "kmeans.json").read_text())
    for key in ("k400_time_over_faiss", "k1600_time_over_faiss", "inertia_over_faiss", "time_over_sklearn",
                "share_of_peak", "memory_over_faiss"):
        assert result[key] > 0
        assert key in done.stdout


def test_a_tiny_measurement_of_networks(tmp_path: Path) -> None:
    done = bench("forward", "--small", "--rounds", "1", "--json", str(tmp_path / "forward.json"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "forward.json").read_text())
    for key in ("r2plus1d_18_8f_vs_torchvision", "r2plus1d_34_32f_vs_torchvision", "resnet50_vs_torchvision"):
        assert result[key] > 0
        assert key.split("_vs")[0] in done.stdout


@pytest.mark.parametrize(("arguments", "code"), [
    (["forward", "--batch", "0"], 2), (["train", "--precision", "fp16"], 2),
    (["decode", "--rounds", "0"], 2), (["kmeans", "--rounds", "0"], 2),
    (["decode", "--frames", "0"], 2), ([], 2), (["encode"], 2)])
def test_command_lines_that_are_wrong(arguments: list[str], code: int) -> None:
    done = bench(*arguments)
    assert done.returncode == code
    assert "error" in done.stderr
