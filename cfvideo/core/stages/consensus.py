"""cluster, of labellings instead of features: the consensus of several sets of pseudo-labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from cfvideo.core.clustering.consensus import LabelSets
from cfvideo.core.clustering.fit import Phase, fit
from cfvideo.core.clustering.intake import need_rows
from cfvideo.core.clustering.model import KMeansModel
from cfvideo.core.clustering.points import PointSet
from cfvideo.core.clustering.prepare import Preparation
from cfvideo.core.clustering.state import Solution
from cfvideo.core.distributed import current
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.stage import Workspace
from cfvideo.core.stages.cluster import LABELS, MODEL, Clustering
from cfvideo.core.stages.fitting import fit_facts, hooks, noted, resumed


def label_sets_of(work: Workspace, index_hash: str, names: tuple[str, ...]) -> LabelSets:
    """The pseudo-labels of the inputs of these names."""
    return LabelSets.of([PseudoLabels.load(work.inputs[name].file(LABELS), index_hash=index_hash).labels
                         for name in names])


def run_consensus(work: Workspace, *, names: tuple[str, ...], index_hash: str, clustering: Clustering, seed: int,
                  device: torch.device) -> Mapping[str, Any]:
    """Fit K centroids to the label sets of the inputs `names`, one saved state per iteration, as `run_cluster` does.

    clustering: K, iterations, restarts, tolerance and starting centroids; all rows are used.
    """
    sets = label_sets_of(work, index_hash, names)
    rows = sets.own_rows()
    points = sets.points(rows)
    num_clusters = clustering.num_clusters
    need_rows(points.total, num_clusters)
    work.screen.say(f"  a consensus of {len(names)} labellings with {', '.join(map(str, sets.sizes))} clusters")

    def start(restart: int, _: PointSet) -> Solution:
        with work.screen.task(f"{work.title}: starting centroids", num_clusters, "centroids") as task:
            return sets.starting_solution(rows, num_clusters, init=clustering.init, seed=seed, restart=restart,
                                          progress=partial(noted, task, work))

    phase = Phase(lambda: points, clustering.num_iterations, clustering.num_restarts)
    with work.screen.task(work.title, phase.num_iterations * phase.num_restarts, "iterations") as task:
        state = fit([phase], start=start, state=resumed(work), spherical=False, tolerance=clustering.tolerance,
                    device=device, hooks=hooks(work, task))
    if current().is_first:
        KMeansModel(state.now.centroids, Preparation(l2_normalise=False)).save(work.folder / MODEL)
    return fit_facts(state, num_points=points.total, num_rows=sets.num_rows, num_asked=num_clusters)
