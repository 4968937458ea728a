"""Pseudo-labels: compact, tied to their index, none for invalid rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cfvideo.core.clustering.model import KMeansModel
from cfvideo.core.clustering.prepare import Preparation
from cfvideo.core.errors import IntegrityError
from cfvideo.core.features import FeatureBlock
from cfvideo.core.pseudo_labels import PseudoLabels, assign, cluster_names


def _labels() -> PseudoLabels:
    centroids = np.array([[0, 0], [100, 100], [1, 1], [5, 5]], np.float32)
    features = np.array([[0, 0], [5, 5], [1, 1], [4.9, 5], [9, 9]], np.float16)
    blocks = [FeatureBlock(0, features[:3], np.array([True, True, True])),
              FeatureBlock(3, features[3:], np.array([True, False]))]
    return assign(blocks, KMeansModel(centroids, Preparation(False)), known_labels=np.zeros(5, np.int32),
                  index_hash="abc")


def test_ids_are_compacted_and_invalid_rows_have_none() -> None:
    labels = _labels()
    assert labels.labels.tolist() == [0, 2, 1, 2, -1]
    assert labels.num_clusters == 3
    assert labels.centroids.tolist() == [0, 2, 3]
    assert labels.sizes().tolist() == [1, 1, 2]
    assert np.isinf(labels.distances[4])


def test_round_trip_and_refusal_of_another_index(tmp_path: Path) -> None:
    _labels().save(tmp_path / "labels")
    again = PseudoLabels.load(tmp_path / "labels", index_hash="abc")
    assert np.array_equal(again.labels, _labels().labels)
    with pytest.raises(IntegrityError, match="labels of index abc"):
        PseudoLabels.load(tmp_path / "labels", index_hash="def")


def test_clusters_of_several_clusterings_have_names_of_their_own() -> None:
    assert cluster_names([2]) == [["cluster 0", "cluster 1"]]
    assert cluster_names([1, 2]) == [["cluster 0 of clustering 1"],
                                     ["cluster 0 of clustering 2", "cluster 1 of clustering 2"]]
