"""PseudoLabels: one cluster id per row of an index, tied to that index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.model import CPU, KMeansModel
from cfvideo.core.clustering.prepare import mean_of_views
from cfvideo.core.clustering.sampling import over_ranks
from cfvideo.core.distributed import all_arrived
from cfvideo.core.errors import IntegrityError
from cfvideo.core.features import FeatureBlock
from cfvideo.core.tensors import load_tensors, save_tensors

NO_LABEL = -1


@dataclass(frozen=True)
class PseudoLabels:
    """labels: int32 [N] in [0, num_clusters), -1 = none; distances: float32 [N], squared, to the own centroid.

    centroids: int32 [num_clusters], the model's centroid that each id stands for. Only non-empty clusters have an id:
    ids are compacted, so that N_cf's head has no dead output.
    index_hash: the index whose rows these are.
    """

    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    centroids: NDArray[np.int32]
    index_hash: str

    @property
    def num_clusters(self) -> int:
        """How many ids there are."""
        return len(self.centroids)

    def sizes(self) -> NDArray[np.int64]:
        """Rows per cluster [num_clusters]."""
        return np.bincount(self.labels[self.labels != NO_LABEL], minlength=self.num_clusters)

    def save(self, path: Path) -> None:
        """Write labels, distances and what they belong to."""
        arrays = {"labels": self.labels, "distances": self.distances, "centroids": self.centroids}
        save_tensors(path, {name: torch.from_numpy(array) for name, array in arrays.items()},
                     {"index_hash": self.index_hash})

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
        return cls(tensors["labels"].numpy(), tensors["distances"].numpy(), tensors["centroids"].numpy(), index_hash)


def assign(blocks: Iterable[FeatureBlock], model: KMeansModel, *, known_labels: NDArray[np.int32], index_hash: str,
           device: torch.device = CPU, progress: Callable[[int], None] = lambda num: None) -> PseudoLabels:
    """Nearest centroid of every valid row, ids compacted over the clusters that have a member.

    Args:
        blocks: this process's rows, which follow those of the process before; all get the labels of all.
        model: may have been fitted to these rows or to others.
        known_labels: int32 [N], -1 for none; a per-label model looks at them, and gives rows without one no cluster.
        index_hash: of the index whose rows these are.
        device: where products are computed; the result does not depend on it.
        progress: told the number of rows after each block, and 0 while it waits for other processes; may raise.
    """
    labels, distances = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for block in blocks:
        ids, squared = np.full(len(block.valid), NO_LABEL, np.int32), np.full(len(block.valid), np.inf, np.float32)
        valid = np.flatnonzero(block.valid)
        own = known_labels[block.start + valid] if model.restricted else None
        ids[valid], squared[valid] = model.assign(mean_of_views(block.features[valid]), own, device=device)
        labels.append(ids)
        distances.append(squared)
        progress(len(ids))
    all_arrived(lambda: progress(0))
    raw = over_ranks(np.concatenate(labels))
    used = np.unique(raw[raw != NO_LABEL]).astype(np.int32)
    compact = np.full(len(model.centroids) + 1, NO_LABEL, np.int32)
    compact[used] = np.arange(len(used), dtype=np.int32)
    return PseudoLabels(compact[raw], over_ranks(np.concatenate(distances)), used, index_hash)
