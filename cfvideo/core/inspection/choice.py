"""Which clusters are shown, and which of their members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import ConfigError
from cfvideo.core.inspection.numbers import ClusterNumbers
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.randomness import numpy_generator
from cfvideo.core.report.numbers import pick_clusters

MAX_MEMBERS = 8
NEAREST, RANDOM, FARTHEST = "nearest", "random", "farthest"


def choose_clusters(numbers: ClusterNumbers, *, order: str, count: int, named: Sequence[int] = ()) -> list[int]:
    """The named ones; or `count`, evenly along the order: by size from the largest, by purity from the purest.

    Raises:
        ConfigError: there is no such cluster, or there is no purity to go by.
    """
    unknown = [cluster for cluster in named if not 0 <= cluster < len(numbers.sizes)]
    if unknown:
        raise ConfigError(f"--clusters: there is no cluster {unknown[0]}; they are 0 to {len(numbers.sizes) - 1}")
    if named:
        return list(dict.fromkeys(named))
    if order == "size":
        return pick_clusters(numbers.sizes, count)
    if not numbers.labelled:
        raise ConfigError("--by purity: no row of these clusters has a label; choose by size")
    # Places from 1 (the least pure; of equals the smaller cluster), 0 where there is no purity.
    places = np.zeros(len(numbers.sizes), np.int64)
    known = np.flatnonzero(np.isfinite(numbers.purity))
    places[known[np.lexsort((numbers.sizes[known], numbers.purity[known]))]] = np.arange(1, len(known) + 1)
    return pick_clusters(places, count)


def choose_members(found: PseudoLabels, cluster: int, *, seed: int) -> dict[str, NDArray[np.int64]]:
    """Rows of a cluster, MAX_MEMBERS each: the nearest to the centroid, others at random, the farthest from it, each
    from the nearest on. None stands twice; where there are few, all are among the nearest and the farthest."""
    members = np.flatnonzero(found.labels == cluster)
    members = members[np.argsort(found.distances[members], kind="stable")]
    farthest = max(MAX_MEMBERS, len(members) - MAX_MEMBERS)
    between = np.arange(MAX_MEMBERS, farthest)
    rng = numpy_generator(seed, "members", cluster)
    drawn = np.sort(rng.choice(between, min(MAX_MEMBERS, len(between)), replace=False)) if len(between) else between
    return {NEAREST: members[:MAX_MEMBERS], RANDOM: members[drawn], FARTHEST: members[farthest:]}
