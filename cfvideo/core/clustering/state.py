"""Where a fit stands: saved after every iteration, so that a restart loses at most one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.exact import Centroids
from cfvideo.core.clustering.lloyd import Step
from cfvideo.core.tensors import load_tensors, save_tensors


@dataclass(frozen=True)
class History:
    """One entry per iteration; `lloyd.Step` says what each is."""

    objective: list[float] = field(default_factory=list)
    num_split: list[int] = field(default_factory=list)
    share_moved: list[float] = field(default_factory=list)

    def __add__(self, other: History) -> History:
        return History(self.objective + other.objective, self.num_split + other.num_split,
                       self.share_moved + other.share_moved)


@dataclass(frozen=True)
class Solution:
    """Centroids float32 [K, D], the group of each int32 [K] (ascending), and how they came about in this phase."""

    centroids: Centroids
    groups: NDArray[np.int32]
    history: History = field(default_factory=History)

    def after(self, step: Step) -> Solution:
        """This solution, one iteration on."""
        return Solution(step.centroids, self.groups,
                        self.history + History([step.objective], [step.num_split], [step.share_moved]))


@dataclass(frozen=True)
class FitState:
    """phase, restart: where in the schedule. now: the solution in hand. searched: the centroids that the rows were last
    assigned to, None before the first iteration. best: the best of the restarts that are done. earlier: the history of
    the phases that are done."""

    phase: int
    restart: int
    now: Solution
    searched: Centroids | None = None
    best: Solution | None = None
    earlier: History = field(default_factory=History)

    def after(self, step: Step) -> FitState:
        """One iteration on."""
        return replace(self, now=self.now.after(step), searched=self.now.centroids)

    def settled(self) -> Solution:
        """The best solution of this phase, once the one in hand is done; the earlier of two equal ones."""
        if self.best is None or self.now.history.objective[-1] < self.best.history.objective[-1]:
            return self.now
        return self.best

    def save(self, path: Path) -> None:
        """Publish atomically."""
        solutions = {"now": self.now} | ({} if self.best is None else {"best": self.best})
        arrays: dict[str, NDArray[Any]] = {} if self.searched is None else {"searched": self.searched}
        for name, solution in solutions.items():
            arrays |= {f"{name}.centroids": solution.centroids, f"{name}.groups": solution.groups}
        histories = {name: asdict(solution.history) for name, solution in solutions.items()}
        header = {"phase": self.phase, "restart": self.restart, "histories": histories,
                  "earlier": asdict(self.earlier)}
        save_tensors(path, {name: torch.from_numpy(array) for name, array in arrays.items()}, header)

    @classmethod
    def load(cls, path: Path) -> FitState:
        """Read what `save` wrote; IntegrityError where damaged."""
        tensors, header = load_tensors(path)
        arrays = {name: value.numpy() for name, value in tensors.items()}
        solutions = {name: Solution(arrays[f"{name}.centroids"], arrays[f"{name}.groups"], History(**history))
                     for name, history in header["histories"].items()}
        return cls(header["phase"], header["restart"], solutions["now"], arrays.get("searched"),
                   solutions.get("best"), History(**header["earlier"]))
