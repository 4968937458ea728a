"""cluster and assign: k-means on features, then one cluster id per row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.clustering.consensus import LabelSets
from cfvideo.core.clustering.fit import Phase, fit
from cfvideo.core.clustering.intake import Intake, need_rows
from cfvideo.core.clustering.model import KMeansModel
from cfvideo.core.clustering.points import PointSet
from cfvideo.core.clustering.quality import agreement, size_facts
from cfvideo.core.clustering.quotas import clusters_per_label
from cfvideo.core.clustering.seeding import starting_solution
from cfvideo.core.clustering.state import Solution
from cfvideo.core.distributed import current
from cfvideo.core.durable import write_json
from cfvideo.core.faults import fault_point
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.pseudo_labels import PseudoLabels, assign
from cfvideo.core.stage import Workspace
from cfvideo.core.stages.fitting import fit_facts, hooks, noted, resumed

MODEL = "kmeans.safetensors"
LABELS = "pseudo_labels.safetensors"
UNSUPERVISED, PER_LABEL, PROTOTYPE, CONSENSUS = "unsupervised", "per_label", "prototype", "consensus"


@dataclass(frozen=True)
class Clustering:
    """CLUSTER.*, as plain values; specs/cluster.py says what each means."""

    method: str
    num_clusters: int
    num_iterations: int
    final_iterations: int
    sample_share: float
    num_restarts: int
    tolerance: float
    init: str
    spherical: bool
    l2_normalise: bool
    pca_dim: int
    pca_whiten: bool
    pca_rows: int
    max_points_per_centroid: int
    label_quota: str

    def quotas(self, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Clusters of each label, from its rows; of the one group of all rows where labels do not count."""
        if self.method == UNSUPERVISED:
            need_rows(int(sizes.sum()), self.num_clusters)
            return np.array([self.num_clusters])
        if self.method == PROTOTYPE:
            need_rows(int(sizes.sum()), 1)
            return (sizes > 0).astype(np.int64)
        return clusters_per_label(sizes, self.num_clusters, rule=self.label_quota)

    def schedule(self, num_rows: int) -> list[tuple[float, int, int]]:
        """(share of the rows, most iterations, restarts) of each phase.

        A prototype is the mean of its label's rows: one iteration with one cluster per label.
        """
        if self.method == PROTOTYPE:
            return [(1.0, 1, 1)]
        most = self.max_points_per_centroid * self.num_clusters
        whole = min(1.0, most / num_rows) if most else 1.0
        if self.sample_share >= 1:
            return [(whole, self.num_iterations, self.num_restarts)]
        return [(whole * self.sample_share, self.num_iterations, self.num_restarts), (whole, self.final_iterations, 1)]


def run_cluster(work: Workspace, *, clustering: Clustering, labels: NDArray[np.int32], seed: int,
                device: torch.device) -> Mapping[str, Any]:
    """Fit centroids to inputs["features"], one saved state per iteration; every process works on its own rows.

    labels: int32 [N], one of each row's labels, -1 for none; looked at by the methods that use labels.
    """
    store = FeatureStore.open(work.inputs["features"].folder)
    by_label = clustering.method != UNSUPERVISED
    intake = Intake(store, labels if by_label else None, seed, work.stop.check)
    quotas = clustering.quotas(intake.sizes)
    prepare = intake.preparation(l2_normalise=clustering.l2_normalise, pca_dim=clustering.pca_dim,
                                 pca_whiten=clustering.pca_whiten, pca_rows=clustering.pca_rows)
    taken: list[int] = []

    def points(share: float) -> PointSet:
        found = intake.points(work.scratch / f"points-{current().rank}.f16", prepare, intake.shares(share, quotas))
        taken.append(found.total)
        need_rows(found.total, int(quotas.sum()))
        work.screen.say(f"  k-means learns from {found.total:,} of {store.num_rows:,} rows "
                        f"({found.total / store.num_rows:.1%})")
        return found

    def start(restart: int, points: PointSet) -> Solution:
        with work.screen.task(f"{work.title}: starting centroids", int(quotas.sum()), "centroids") as task:
            return starting_solution(points, quotas, init=clustering.init, seed=seed, restart=restart,
                                     progress=partial(noted, task, work))

    phases = [Phase(partial(points, share), iterations, restarts)
              for share, iterations, restarts in clustering.schedule(int(intake.sizes.sum()))]
    most = sum(phase.num_iterations * phase.num_restarts for phase in phases)
    with work.screen.task(work.title, most, "iterations") as task:
        state = fit(phases, start=start, state=resumed(work), spherical=clustering.spherical,
                    tolerance=clustering.tolerance, device=device, hooks=hooks(work, task))
    if current().is_first:
        KMeansModel(state.now.centroids, prepare, state.now.groups if by_label else None,
                    restricted=clustering.method == PER_LABEL).save(work.folder / MODEL)
    return fit_facts(state, num_points=taken[-1], num_rows=store.num_rows, num_asked=int(quotas.sum()))


def features_of(work: Workspace, index_hash: str) -> FeatureStore:
    """inputs["features"]."""
    return FeatureStore.open(work.inputs["features"].folder, index_hash=index_hash)


def run_assign(work: Workspace, *, index: Index, known_labels: NDArray[np.int32], device: torch.device,
               rows_of: Callable[[Workspace, str], FeatureStore | LabelSets] = features_of) -> Mapping[str, Any]:
    """Pseudo-labels of every row of D_cf under inputs["kmeans"], with their agreement with `known_labels` int [N].

    rows_of: opens what the model was fitted to, for the index of that hash.
    """
    store = rows_of(work, index.content_hash)
    model = KMeansModel.load(work.inputs["kmeans"].file(MODEL))
    start, stop = current().share(store.num_rows)
    with work.screen.task(work.title, stop - start, "rows") as task:
        labels = assign(store.blocks(start=start, stop=stop), model, known_labels=known_labels, device=device,
                        index_hash=index.content_hash, progress=partial(noted, task, work))
    sizes = labels.sizes()
    facts = {"num_clusters": labels.num_clusters, "num_empty": len(model.centroids) - labels.num_clusters,
             "num_unlabelled": int((labels.labels < 0).sum()), **size_facts(sizes),
             "scores": agreement(labels.labels, known_labels)}
    if current().is_first:
        labels.save(work.folder / LABELS)
        fault_point("labels")
        write_json(work.folder / "clusters.json", {**facts, "sizes": sizes.tolist(), **_named(labels, model, index)})
    return facts


def _named(labels: PseudoLabels, model: KMeansModel, index: Index) -> dict[str, list[str]]:
    """The label that each cluster was made of, and those whose clusters have no row, where clusters have labels."""
    if model.labels is None:
        return {}
    names = [index.label_names[label] for label in model.labels]
    kept = set(labels.centroids.tolist())
    return {"labels": [names[centroid] for centroid in labels.centroids],
            "empty": [name for centroid, name in enumerate(names) if centroid not in kept]}
