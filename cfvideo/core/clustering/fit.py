"""The schedule of a fit: phases of restarts of iterations, resumable between and inside each.

The paper's schedule for a billion images (supplement, B) is two phases: 30 iterations on a fifth of the rows, then 5
on all. Restarts happen in the first phase, and the best of them goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from cfvideo.core.clustering.lloyd import Lloyd, Step, converged
from cfvideo.core.clustering.points import PointSet
from cfvideo.core.clustering.state import FitState, Solution


@dataclass(frozen=True)
class Phase:
    """At most `num_iterations` on `points`' rows, which are made when the phase begins."""

    points: Callable[[], PointSet]
    num_iterations: int
    num_restarts: int = 1


@dataclass(frozen=True)
class Hooks:
    """What happens beside the arithmetic.

    save: keep this state, on all ranks or on one. searched: told the number of rows after each block,
    and 0 while others still search. stepped: told the state after each iteration.
    """

    save: Callable[[FitState], None] = lambda state: None
    searched: Callable[[int], None] = lambda num: None
    stepped: Callable[[FitState], None] = lambda state: None


def fit(phases: Sequence[Phase], *, start: Callable[[int, PointSet], Solution], state: FitState | None, spherical: bool,
        tolerance: float, device: torch.device, hooks: Hooks) -> FitState:
    """Run the schedule from `state` (None: from its beginning) to its end.

    Args:
        phases: the schedule.
        start: the starting centroids of restart r, chosen among the first phase's points.
        state: as an earlier attempt saved it.
        spherical: see `Lloyd`.
        tolerance: an iteration that improves the objective by a smaller share ends its restart.
        device: where products are computed; no result depends on it.
        hooks: saving and reporting.

    Returns:
        The final state: `now` is the solution, `earlier + now.history` how it came about.
    """
    first = 0 if state is None else state.phase
    for number in range(first, len(phases)):
        phase = phases[number]
        points = phase.points()
        if state is None:
            state = FitState(0, 0, start(0, points))
            hooks.save(state)
        while True:
            state = _iterate(state, points, phase, spherical=spherical, tolerance=tolerance, device=device, hooks=hooks)
            if state.restart + 1 >= phase.num_restarts:
                break
            state = FitState(number, state.restart + 1, start(state.restart + 1, points), best=state.settled())
            hooks.save(state)
        settled = state.settled()
        if number + 1 < len(phases):
            state = FitState(number + 1, 0, Solution(settled.centroids, settled.groups),
                             earlier=state.earlier + settled.history)
            hooks.save(state)
        else:
            state = replace(state, now=settled)
    assert state is not None  # a schedule has at least one phase
    return state


def _iterate(state: FitState, points: PointSet, phase: Phase, *, spherical: bool, tolerance: float,
             device: torch.device, hooks: Hooks) -> FitState:
    """The iterations of one restart that are still to do."""

    def done() -> bool:
        objective = state.now.history.objective
        return len(objective) >= phase.num_iterations or converged(objective, tolerance)

    if done():
        return state
    lloyd = Lloyd(points, groups=state.now.groups, spherical=spherical, device=device, progress=hooks.searched)
    if state.searched is not None:  # an earlier attempt went so far: what it knew of its rows
        lloyd.search(state.searched)
    while not done():
        step: Step = lloyd.step(state.now.centroids)
        state = state.after(step)
        hooks.save(state)
        hooks.stepped(state)
    return state
