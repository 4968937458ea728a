"""Every cluster in numbers, in one pass over the rows.

N rows, K clusters, L labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.index import Index
from cfvideo.core.pseudo_labels import NO_LABEL, PseudoLabels


@dataclass(frozen=True)
class ClusterNumbers:
    """sizes: int64 [K], rows. distances: float64 [K], mean distance of a member to the centroid. purity: float64 [K],
    share of the commonest label among the members that have one; NaN where none has."""

    sizes: NDArray[np.int64]
    distances: NDArray[np.float64]
    purity: NDArray[np.float64]

    @property
    def labelled(self) -> bool:
        """Whether any member of any cluster has a label."""
        return bool(np.isfinite(self.purity).any())


def cluster_numbers(found: PseudoLabels, known: NDArray[np.int32]) -> ClusterNumbers:
    """known: int32 [N], one label of each row, -1 = none: those that the run's own purity is measured with."""
    rows, sizes = np.flatnonzero(found.labels != NO_LABEL), found.sizes()
    lengths = np.sqrt(found.distances[rows].astype(np.float64))
    totals = np.bincount(found.labels[rows], lengths, minlength=len(sizes))
    return ClusterNumbers(sizes, totals / np.maximum(sizes, 1), _purity(found, known))


def _purity(found: PseudoLabels, known: NDArray[np.int32]) -> NDArray[np.float64]:
    both = np.flatnonzero((found.labels != NO_LABEL) & (known >= 0))
    num_labels = int(known.max(initial=0)) + 1
    pairs, counts = np.unique(found.labels[both].astype(np.int64) * num_labels + known[both], return_counts=True)
    commonest, labelled = np.zeros(found.num_clusters, np.int64), np.zeros(found.num_clusters, np.int64)
    np.maximum.at(commonest, pairs // num_labels, counts)
    np.add.at(labelled, pairs // num_labels, counts)
    return np.where(labelled > 0, commonest / np.maximum(labelled, 1), np.nan)


def label_shares(index: Index, members: NDArray[np.int64], most: int) -> list[tuple[str, float]]:
    """The `most` commonest labels of some rows, each with the share of the rows that carry it; ties to the lower."""
    offsets, values = index.labels_csr()
    carried = np.concatenate([values[offsets[row]:offsets[row + 1]] for row in members])
    counts = np.bincount(carried, minlength=len(index.label_names))
    order = np.argsort(-counts, kind="stable")[:most]
    return [(index.label_names[label], float(counts[label]) / len(members)) for label in order if counts[label]]
