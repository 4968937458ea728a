"""Named points at which a test can kill the process, to prove that whatever comes next survives it.

`CFVIDEO_FAULT=point:n` sends SIGKILL to this process when `fault_point(point)` is reached for the n-th time (from 1);
`CFVIDEO_FAULT=stage/point:n` counts only inside that stage, `rank1/stage/point:n` only in that process of torchrun,
and only before torchrun's first restart. Unset, which is always but in tests, it does nothing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_VARIABLE = "CFVIDEO_FAULT"
_reached: Counter[str] = Counter()
_stage: list[str] = [""]


def enter_stage(name: str) -> None:
    """Later fault points belong to stage `name`."""
    _stage[0] = name


def fault_point(point: str) -> None:
    """Die here if the environment says so."""
    wanted = os.environ.get(_VARIABLE)
    if not wanted or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0":
        return
    inside = f"{_stage[0]}/{point}"
    for name in (point, inside, f"rank{os.environ.get('RANK', '0')}/{inside}"):
        _reached[name] += 1
        if wanted == f"{name}:{_reached[name]}":
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
