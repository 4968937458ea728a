"""KMeansModel: everything that assigning a row takes, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.bounds import NO_ID, Rows, tiles
from cfvideo.core.clustering.exact import Centroids, Points, squared_distances
from cfvideo.core.clustering.prepare import Preparation, Projection
from cfvideo.core.clustering.search import Search, block_rows
from cfvideo.core.tensors import load_tensors, save_tensors

CPU = torch.device("cpu")


@dataclass(frozen=True)
class KMeansModel:
    """Preprocessing and centroids in one object, so that fit and assignment cannot differ.

    centroids: float32 [K, D]. labels: int32 [K], ascending, the label that each was made of; None where labels were not
    looked at. restricted: rows go to their own label's centroids alone (per-label clustering).
    """

    centroids: Centroids
    prepare: Preparation
    labels: NDArray[np.int32] | None = None
    restricted: bool = False

    def assign(self, features: Points, labels: NDArray[np.int32] | None = None, *,
               device: torch.device = CPU) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Nearest centroid int32 [n] and squared distance float32 [n] of features float16 [n, D].

        Args:
            features: of any rows: those of the fit, a validation split, new data.
            labels: int32 [n], for a restricted model alone. A row whose label has no cluster gets -1 and inf.
            device: where products are computed; the result does not depend on it.
        """
        if (labels is not None) != self.restricted:
            raise ValueError("labels go with a per-label model, and only with it")
        groups = self.labels if self.restricted else None
        groups = np.zeros(len(self.centroids), np.int32) if groups is None else groups
        search = Search(self.centroids, groups=groups, moved=np.zeros(len(groups)), device=device)
        ids, distances = np.full(len(features), NO_ID, np.int32), np.full(len(features), np.inf, np.float32)
        for part in tiles(len(features), block_rows(self.centroids.shape[1])):
            points = self.prepare(features[part])
            rows = Rows.unknown(len(points))
            search.update(lambda points=points: points, rows, None if labels is None else labels[part])  # type: ignore[misc]
            ids[part] = rows.ids
            found = np.flatnonzero(rows.ids != NO_ID)
            distances[found + part.start] = squared_distances(points[found], self.centroids[rows.ids[found]])
        return ids, distances

    def save(self, path: Path) -> None:
        """Write centroids and preprocessing."""
        arrays: dict[str, NDArray[Any]] = {"centroids": self.centroids}
        if self.labels is not None:
            arrays["labels"] = self.labels
        if (projection := self.prepare.projection) is not None:
            arrays |= {"pca_matrix": projection.matrix, "pca_offset": projection.offset}
        save_tensors(path, {name: torch.from_numpy(array) for name, array in arrays.items()},
                     {"l2_normalise": self.prepare.l2_normalise, "restricted": self.restricted})

    @classmethod
    def load(cls, path: Path) -> KMeansModel:
        """Read what `save` wrote; IntegrityError where damaged."""
        tensors, header = load_tensors(path)
        arrays = {name: value.numpy() for name, value in tensors.items()}
        projection = Projection(arrays["pca_matrix"], arrays["pca_offset"]) if "pca_matrix" in arrays else None
        return cls(arrays["centroids"], Preparation(header["l2_normalise"], projection), arrays.get("labels"),
                   header["restricted"])
