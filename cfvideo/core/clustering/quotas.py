"""How many clusters each label gets in per-label clustering (paper, section 5.2 and its footnote)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import ConfigError

# k_l grows with n_l to this power; the paper found "linear" worse.
POWERS = {"sqrt": 0.5, "linear": 1.0}


def clusters_per_label(sizes: NDArray[np.int64], num_clusters: int, *, rule: str) -> NDArray[np.int64]:
    """k_l of every label, int64 [L], proportional to n_l ** POWERS[rule] as far as 1 <= k_l <= n_l allows; 0 where n_l
    is 0. They sum to `num_clusters` exactly: a scale is bisected so that the clipped shares do, then rounded down, and
    the largest remainders get what is left (ties to the larger n_l, then to the lower label).

    Raises:
        ConfigError: fewer clusters than labels, or more than rows.
    """
    used = np.flatnonzero(sizes)
    rows = sizes[used].astype(np.float64)
    if not len(used) <= num_clusters <= rows.sum():
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {num_clusters} clusters of {len(used)} labels with "
                          f"{int(rows.sum()):,} usable rows; per_label clustering gives each label at least one "
                          f"cluster and at most as many as it has rows: set it between {len(used)} and "
                          f"{int(rows.sum())}")
    weights = rows ** POWERS[rule]
    low, high = 0.0, float((rows / weights).max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * weights, 1, rows).sum() < num_clusters else (low, middle)
    shares = np.clip(low * weights, 1, rows)
    found = np.floor(shares)
    order = np.lexsort((used, -rows, found - shares))
    order = order[found[order] < rows[order]]
    found[order[:num_clusters - int(found.sum())]] += 1
    out = np.zeros(len(sizes), np.int64)
    out[used] = found.astype(np.int64)
    return out
