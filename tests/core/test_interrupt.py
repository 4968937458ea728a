"""What a second signal means: leave at once, or, under torchrun, the same wish again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.source_tree import ROOT

# Signals itself twice, with a pause between where the third word says so; ends with 7 where it was left to live.
PROGRAM = """
import os, signal, sys, time
from cfvideo.core.interrupt import StopRequest
name, window, pause = sys.argv[1:]
stop = StopRequest(float(window) if window else None)
stop.install()
os.kill(os.getpid(), signal.Signals[name])
assert stop.signal_name == name
time.sleep(float(pause))
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(7)
"""


@pytest.mark.parametrize(("told_by_torchrun", "name", "window", "pause", "code"), [
    (False, "SIGINT", "", "0", 5), (False, "SIGTERM", "", "0", 5),
    (True, "SIGTERM", "", "0", 7), (True, "SIGINT", "", "0", 7),
    (True, "SIGTERM", "0.05", "0.2", 5)], ids=str)
def test_a_second_signal_leaves_at_once_but_for_torchruns_own(told_by_torchrun: bool, name: str, window: str,
                                                              pause: str, code: int) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "TORCHELASTIC_RUN_ID"}
    environment |= {"PYTHONPATH": str(ROOT)} | ({"TORCHELASTIC_RUN_ID": "none"} if told_by_torchrun else {})
    done = subprocess.run([sys.executable, "-c", PROGRAM, name, window, pause], env=environment, timeout=60,
                          check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
