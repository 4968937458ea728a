"""What saves, tells and sums up a k-means fit, whatever it is fitted to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cfvideo.core.clustering.fit import Hooks
from cfvideo.core.clustering.state import FitState
from cfvideo.core.distributed import current
from cfvideo.core.errors import IntegrityError
from cfvideo.core.faults import fault_point
from cfvideo.core.screen import Task
from cfvideo.core.stage import Workspace

_STATE = "state.safetensors"


def hooks(work: Workspace, task: Task) -> Hooks:
    """A fit's state is kept after each iteration, and the screen is told."""

    def save(state: FitState) -> None:
        if current().is_first:
            state.save(work.scratch / _STATE)
        fault_point("iteration")
        work.stop.check()

    def searched(num: int) -> None:
        fault_point("block")
        work.stop.check()

    def stepped(state: FitState) -> None:
        history = state.now.history
        task.advance(1, f"phase {state.phase + 1}, restart {state.restart + 1}, distance^2 {history.objective[-1]:.5f} "
                        f"per row, {history.share_moved[-1]:.1%} moved")

    return Hooks(save, searched, stepped)


def resumed(work: Workspace) -> FitState | None:
    """What an earlier attempt saved, if anything that can be read."""
    path = work.scratch / _STATE
    if not path.exists():
        return None
    try:
        return FitState.load(path)
    except IntegrityError:
        return None


def fit_facts(state: FitState, *, num_points: int, num_rows: int, num_asked: int) -> dict[str, Any]:
    """How a fit went, for the manifest."""
    history = state.earlier + state.now.history
    return {**asdict(history), "num_iterations": len(history.objective), "num_points": num_points,
            "share_of_points": num_points / num_rows, "num_asked": num_asked, "num_found": len(state.now.centroids)}


def noted(task: Task, work: Workspace, num: int) -> None:
    """Tell the screen and honour signals."""
    task.advance(num)
    work.stop.check()
