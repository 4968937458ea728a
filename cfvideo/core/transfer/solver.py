"""What is asked of a way to fit classifiers, so that one procedure can choose among its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.transfer.samples import Features, Samples, Scores

# Hyper-parameters by name.
Setting = Mapping[str, float]
# Called after every piece of work; may raise Interrupted.
Tick = Callable[[], None]


def no_tick() -> None:
    """For callers who do not watch."""


class Fitted(Protocol):
    """The classifiers of one layer, one per setting."""

    num_unconverged: int

    def scores(self, features: Features, /) -> Iterator[Scores]:
        """[B, n, D] -> float [B, C] for each setting in turn."""


class Solver(Protocol):
    """A family of classifiers. grid: every setting, the simplest classifier first, because it wins a tie."""

    grid: Sequence[Setting]

    def fit(self, samples: Samples, rows: NDArray[np.int64], settings: Mapping[str, Sequence[Setting]], /, *,
            tick: Tick = ...) -> Mapping[str, Fitted]:
        """Classifiers of every layer and setting, from some rows of `samples`."""

    def num_ticks(self, num_rows: int, num_settings: int, num_layers: int, /) -> int:
        """How often `fit` ticks."""
