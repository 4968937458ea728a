"""Clusters at a glance: sizes, and how they agree with labels that are known.

Shapes: n rows, K clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def size_facts(sizes: NDArray[np.int64]) -> dict[str, float]:
    """smallest, largest, and imbalance = K sum(p^2), p the shares of the clusters: 1 where all are equally large, K
    where one holds everything (DeepCluster's and FAISS's imbalance factor)."""
    shares = sizes / max(1, int(sizes.sum()))
    return {"smallest": int(sizes.min()), "largest": int(sizes.max()),
            "imbalance": float(len(sizes) * (shares ** 2).sum())}


def agreement(found: NDArray[np.int32], known: NDArray[np.int32]) -> dict[str, float]:
    """NMI, purity and adjusted Rand index between clusters and known (noisy) labels, int [n] each, over the rows that
    have both; empty where none has. Purity: share of rows whose label is the commonest of their cluster."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
    from sklearn.metrics.cluster import contingency_matrix

    both = (found >= 0) & (known >= 0)
    if not both.any():
        return {}
    labels, clusters = known[both], found[both]
    table = contingency_matrix(labels, clusters, sparse=True)
    return {"nmi_with_labels": float(normalized_mutual_info_score(labels, clusters)),
            "purity_with_labels": float(table.max(axis=0).sum() / len(labels)),
            "adjusted_rand_with_labels": float(adjusted_rand_score(labels, clusters))}
