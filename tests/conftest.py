"""What a marked test needs of the machine, and what happens where it is not there."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: see tools/run_net.py

import pytest
import torch

from tests.core.report.chromium import find_chromium


def gpu_is_required() -> bool:
    """CF_REQUIRE_GPU=1 turns a missing GPU from a skip into a failure, so that a GPU run cannot test nothing."""
    return os.environ.get("CF_REQUIRE_GPU", "") not in ("", "0")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None:
        _need_gpu()
    if item.get_closest_marker("chromium") is not None and find_chromium() is None:
        pytest.skip("no Chromium on the PATH; under Debian: apt-get install chromium")


def _need_gpu() -> None:
    if torch.cuda.is_available():
        return
    if gpu_is_required():
        pytest.fail("CF_REQUIRE_GPU is set, but torch sees no CUDA device", pytrace=False)
    pytest.skip("no CUDA device (CF_REQUIRE_GPU=1 makes this a failure)")
