"""Which training rows fit and which choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.randomness import numpy_generator


def split_holdout(classes: NDArray[np.int32], *, share: float, seed: int,
                  ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Seeded parts of the training rows: those that fit and those that choose.

    classes: int [N], one label per row. `share` of each class is held out, rounded down, so that no class is lost to
    the fit; where that holds out nothing, the largest class gives one row.
    """
    order = numpy_generator(seed, "holdout").permutation(len(classes))
    held: list[np.int64] = []
    for label in np.unique(classes):
        own = order[classes[order] == label]
        held.extend(own[:int(share * len(own))])
    if not held:
        held = [order[classes[order] == np.bincount(classes).argmax()][0]]
    rest = np.setdiff1d(order, held)
    return rest, np.sort(np.asarray(held, np.int64))
