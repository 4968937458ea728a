"""PseudoLabels: one cluster id per row of an index, tied to that index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.errors import IntegrityError
from cfvideo.core.features import FeatureBlock
from cfvideo.core.kmeans import KMeansModel
from cfvideo.core.tensors import load_tensors, save_tensors

NO_LABEL = -1


@dataclass(frozen=True)
class PseudoLabels:
    """labels: int32 [N] in [0, num_clusters), -1 = none; distances: float32 [N], squared, to the own centroid.

    num_clusters counts non-empty clusters: ids are compacted, so that N_cf's head has no dead output.
    index_hash: the index whose rows these are.
    """

    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    num_clusters: int
    index_hash: str

    def sizes(self) -> NDArray[np.int64]:
        """Rows per cluster [num_clusters]."""
        return np.bincount(self.labels[self.labels != NO_LABEL], minlength=self.num_clusters)

    def save(self, path: Path) -> None:
        """Write labels, distances and what they belong to."""
        tensors = {"labels": torch.from_numpy(self.labels), "distances": torch.from_numpy(self.distances)}
        save_tensors(path, tensors, {"num_clusters": self.num_clusters, "index_hash": self.index_hash})

    @classmethod
    def load(cls, path: Path, *, index_hash: str) -> PseudoLabels:
        """Read what `save` wrote.

        Raises:
            IntegrityError: damaged, or made for another index.
        """
        tensors, header = load_tensors(path)
        if header["index_hash"] != index_hash:
            raise IntegrityError(f"{path}: labels of index {header['index_hash'][:12]}, but D_cf is now index "
                                 f"{index_hash[:12]}; run the assign stage again")
        return cls(tensors["labels"].numpy(), tensors["distances"].numpy(), header["num_clusters"], index_hash)


def assign(blocks: Iterable[FeatureBlock], model: KMeansModel, *, index_hash: str) -> PseudoLabels:
    """Nearest centroid of every valid row, ids compacted over the clusters that have a member."""
    labels, distances = [], []
    for block in blocks:
        ids, squared = model.assign(block.features)
        labels.append(np.where(block.valid, ids, NO_LABEL))
        distances.append(np.where(block.valid, np.maximum(squared, 0), np.inf).astype(np.float32))
    raw = np.concatenate(labels)
    used = np.unique(raw[raw != NO_LABEL])
    compact = np.full(len(model.centroids) + 1, NO_LABEL, np.int32)
    compact[used] = np.arange(len(used), dtype=np.int32)
    return PseudoLabels(compact[raw], np.concatenate(distances), len(used), index_hash)
