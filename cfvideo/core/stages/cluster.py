"""cluster and assign: k-means on features, then one cluster id per row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.durable import write_json
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.faults import fault_point
from cfvideo.core.features import FeatureBlock, FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.kmeans import (
    KMeansModel,
    LloydState,
    Points,
    converged,
    lloyd_step,
    prepare,
    seed_centroids,
    seeding_sample,
)
from cfvideo.core.pseudo_labels import PseudoLabels, assign
from cfvideo.core.randomness import numpy_generator
from cfvideo.core.screen import Task
from cfvideo.core.stage import Workspace

_STATE = "state.safetensors"
MODEL = "kmeans.safetensors"
LABELS = "pseudo_labels.safetensors"


def usable_rows(store: FeatureStore, *, num_clusters: int, max_points_per_centroid: int, seed: int,
                ) -> NDArray[np.bool_]:
    """bool [N]: the rows k-means learns from: all valid ones, or a seeded sample of them."""
    usable = np.concatenate([block.valid for block in store.blocks()])
    valid = np.flatnonzero(usable)
    most = max_points_per_centroid * num_clusters
    if 0 < most < len(valid):
        usable[:] = False
        usable[numpy_generator(seed, "points").choice(valid, most, replace=False)] = True
    return usable


def run_cluster(work: Workspace, *, num_clusters: int, num_iterations: int, l2_normalise: bool, init: str,
                max_points_per_centroid: int, tolerance: float, seed: int) -> Mapping[str, Any]:
    """Lloyd iterations over inputs["features"], one saved state each, until they stop improving."""
    store = FeatureStore.open(work.inputs["features"].folder)
    usable = usable_rows(store, num_clusters=num_clusters, max_points_per_centroid=max_points_per_centroid, seed=seed)
    num_points = int(usable.sum())
    if num_points < num_clusters:
        raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {num_clusters} clusters asked of {num_points} decodable rows of "
                          f"D_cf; set it to at most {num_points}")

    work.screen.say(f"  k-means learns from {num_points:,} of {len(usable):,} rows ({num_points / len(usable):.1%})")

    def blocks() -> Iterator[Points]:
        for block in store.blocks():
            wanted = usable[block.start:block.start + len(block.features)]
            if wanted.any():
                yield prepare(block.features[wanted], l2_normalise=l2_normalise)

    state = _resume(work)
    if state is None:
        sample = seeding_sample(blocks, num_points, num_clusters, seed=seed)
        state = LloydState(seed_centroids(sample, num_clusters, init=init, seed=seed))
    with work.screen.task(work.title, num_iterations, "iterations", done=len(state.objective)) as task:
        while len(state.objective) < num_iterations and not converged(state.objective, tolerance):
            state = lloyd_step(blocks, state)
            state.save(work.scratch / _STATE)
            fault_point("iteration")
            task.advance(1, f"objective {state.objective[-1] / num_points:.5f} per row")
            work.stop.check()
    KMeansModel(state.centroids, l2_normalise).save(work.folder / MODEL)
    return {"num_points": num_points, "share_of_points": num_points / len(usable), "objective": state.objective,
            "num_split": state.num_split, "num_iterations": len(state.objective)}


def _resume(work: Workspace) -> LloydState | None:
    path = work.scratch / _STATE
    if not path.exists():
        return None
    try:
        return LloydState.load(path)
    except IntegrityError:
        path.unlink()
        return None


def run_assign(work: Workspace, *, index: Index, known_labels: NDArray[np.int32]) -> Mapping[str, Any]:
    """Pseudo-labels of every row of D_cf under inputs["kmeans"], with their agreement with `known_labels` int [N]."""
    store = FeatureStore.open(work.inputs["features"].folder, index_hash=index.content_hash)
    model = KMeansModel.load(work.inputs["kmeans"].file(MODEL))
    with work.screen.task(work.title, store.num_rows, "rows") as task:
        labels = assign(_noted(store.blocks(), task, work), model, index_hash=index.content_hash)
    labels.save(work.folder / LABELS)
    fault_point("labels")
    scores = agreement(labels, known_labels)
    sizes = labels.sizes()
    facts = {"num_clusters": labels.num_clusters, "num_empty": len(model.centroids) - labels.num_clusters,
             "num_unlabelled": int((labels.labels < 0).sum()), "smallest": int(sizes.min()),
             "largest": int(sizes.max()), "scores": scores}
    write_json(work.folder / "clusters.json", {**facts, "sizes": sizes.tolist()})
    return facts


def _noted(blocks: Iterator[FeatureBlock], task: Task, work: Workspace) -> Iterator[FeatureBlock]:
    """The same blocks; tells the screen and honours signals."""
    for block in blocks:
        yield block
        task.advance(len(block.features))
        work.stop.check()


def agreement(labels: PseudoLabels, known: NDArray[np.int32]) -> dict[str, float]:
    """NMI between clusters and the rows' known (noisy) labels, where both exist."""
    from sklearn.metrics import normalized_mutual_info_score

    both = (labels.labels >= 0) & (known >= 0)
    if not both.any():
        return {}
    return {"nmi_with_labels": float(normalized_mutual_info_score(known[both], labels.labels[both]))}
