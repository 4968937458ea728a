"""The gates that are not tests, run as tests: one command shows whether a change may go in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.source_tree import ROOT


def run_module(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_ruff_finds_nothing() -> None:
    done = run_module("ruff", "check", "--output-format", "concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_strict_finds_nothing() -> None:
    done = run_module("mypy", "--strict", "--config-file", ".mypy.ini")
    assert done.returncode == 0, done.stdout + done.stderr
