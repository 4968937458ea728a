"""Keys of features and of the clusters made of them."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.specs.knobs import knob


@dataclass(frozen=True)
class ExtractSpec:
    """Features: of D_cf for clustering, and how those of D_tar are made too."""

    num_clips: int = knob(6, "uniform clips per video of D_cf, averaged (paper: 6)", low=1, high=100)
    layer: str = knob("res5", "layer whose global average is clustered; PROBE.LAYERS names those of the targets",
                      choices=("conv1", "res2", "res3", "res4", "res5"))
    batch_size: int = knob(32, "clips per forward pass; fixed, because features depend on it in the last bits", low=1)
    shard_rows: int = knob(4096, "rows per shard, rounded up to whole batches: what a process claims and, when it is "
                           "killed, loses", low=1, neutral=True)


@dataclass(frozen=True)
class ClusterSpec:
    """k-means on the features of D_cf."""

    num_clusters: int = knob(3200, "K (paper, videos: 400 ... 6400)", low=1)
    num_iterations: int = knob(30, "most Lloyd iterations", low=1)
    l2_normalise: bool = knob(True, "cluster directions, not lengths (paper: yes for self-supervised images, silent "
                              "for video)")
    init: str = knob("kmeans++", "starting centroids: kmeans++ or random rows", choices=("kmeans++", "random"))
    max_points_per_centroid: int = knob(0, "use at most this many rows per centroid, a seeded sample; 0: all rows "
                                        "(FAISS would silently take 256)", low=0)
    tolerance: float = knob(0.0, "stop when the objective improves by a smaller share than this", low=0.0, high=1.0)
