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
    """Pseudo-labels of D_cf: clusters of its features."""

    method: str = knob("unsupervised", "unsupervised: k-means on all rows; per_label: k-means within the rows of each "
                       "label (paper, section 5.2); prototype: the nearest mean of a label's rows, with as many "
                       "clusters as labels (paper, supplement A); consensus: k-means on all rows for N_PRE and every "
                       "MORE_N_PRE, and one labelling that agrees with all of theirs best",
                       choices=("unsupervised", "per_label", "prototype", "consensus"))
    num_clusters: int = knob(3200, "K (paper, videos: 400 ... 6400); not for prototype", low=2)
    label_quota: str = knob("sqrt", "per_label: a label's clusters grow with the square root of its rows, or with its "
                            "rows (linear: the paper found it worse)", choices=("sqrt", "linear"))
    num_iterations: int = knob(30, "most Lloyd iterations", low=1)
    sample_share: float = knob(1.0, "below 1: NUM_ITERATIONS on about this share of the rows, a seeded sample, then "
                               "FINAL_ITERATIONS on all (paper, a billion images: 0.2)", low=1e-6, high=1.0)
    final_iterations: int = knob(5, "most iterations on all rows after those on a sample", low=1)
    num_restarts: int = knob(1, "fits from different starting centroids, of which the one with the lowest objective is "
                             "kept; consensus: all are, as so many labellings of each N_pre", low=1)
    l2_normalise: bool = knob(True, "cluster directions, not lengths (paper: yes for self-supervised images, silent "
                              "for video); after PCA, if any")
    spherical: bool = knob(False, "centroids are scaled to length 1 too")
    pca_dim: int = knob(0, "project features to so many principal components; 0: no PCA, as in the paper", low=0)
    pca_whiten: bool = knob(False, "scale principal components to variance 1 (DeepCluster: 256 of them, whitened)")
    pca_rows: int = knob(100_000, "PCA is fitted to a seeded sample of about so many rows", low=2)
    init: str = knob("kmeans++", "starting centroids: kmeans++ or random rows", choices=("kmeans++", "random"))
    max_points_per_centroid: int = knob(0, "use about this many rows per centroid, a seeded sample; 0: all rows "
                                        "(FAISS would silently take 256)", low=0)
    tolerance: float = knob(0.0, "stop when the objective improves by a smaller share than this", low=0.0, high=1.0)
