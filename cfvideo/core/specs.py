"""Every knob of a run, once: name, unit, default, allowed values, meaning.

These frozen dataclasses are the one schema. `config.py` derives the YAML keys from them (field `num_frames` of
`ClipSpec` inside `n_pre` is the key `N_PRE.CLIP.NUM_FRAMES`), so nothing here is written twice. Functions below a
stage never see a spec: they take plain keyword arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What a stage's result cannot depend on carries this mark and stays out of its fingerprint.
NEUTRAL = "neutral"


def knob(default: Any, doc: str, *, low: float | None = None, high: float | None = None,
         choices: tuple[str, ...] = (), neutral: bool = False) -> Any:
    """One key: its default, its meaning, its closed range or its allowed words."""
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices, NEUTRAL: neutral}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def node(spec: type) -> Any:
    """A group of keys."""
    return field(default_factory=spec)


FORMATS = ("kinetics", "kinetics_csv", "sports1m", "sthsth_v1", "sthsth_v2", "path_label", "mmaction2",
           "mmaction2_offset", "folder", "weak_labels", "tar", "index")


@dataclass(frozen=True)
class SourceSpec:
    """A data set to train on. Its rows are fixed by an index, whose content hash stands in for these keys."""

    format: str = knob("weak_labels", "how the data set lies on disk: a folder of class folders (kinetics), JSON lines "
                       "with path and tags (weak_labels), what tools/build_index.py made (index), ...; "
                       "cfvideo/data/formats/README.md shows each", choices=FORMATS, neutral=True)
    path: str = knob("", "the folder (kinetics, folder, tar), the shards (tar) or the list file; empty D_CF.PATH: as "
                     "D_PRE", neutral=True)
    root: str = knob("", "folder that the list's paths start from; empty: the list's own folder", neutral=True)
    min_rows_per_label: int = knob(1, "labels with fewer rows are dropped (paper, supplement C: 50)", low=1,
                                   neutral=True)
    expected_rows: int = knob(0, "rows that --dry-run reckons with while the data is not here yet; 0: not known",
                              low=0, neutral=True)


@dataclass(frozen=True)
class TargetSpec:
    """A target task of the linear probe: a train and a test split with clean labels."""

    format: str = knob("kinetics", "as D_PRE.FORMAT", choices=FORMATS, neutral=True)
    train: str = knob("", "folder or list file of the training split", neutral=True)
    test: str = knob("", "folder or list file of the test split", neutral=True)
    root: str = knob("", "folder that the lists' paths start from; empty: each list's own folder", neutral=True)
    expected_rows: int = knob(0, "as D_PRE.EXPECTED_ROWS, both splits together", low=0, neutral=True)


@dataclass(frozen=True)
class ClipSpec:
    """How a video becomes the clips a network reads."""

    num_frames: int = knob(32, "frames per clip, T (paper: 32; section 5: 8)", low=1, high=512)
    frame_stride: int = knob(1, "gap between the frames of a clip (paper: consecutive, 1)", low=1, high=64)
    short_edge_px: int = knob(128, "shortest edge after scaling, pixels", low=8, high=4096)
    crop_px: int = knob(112, "side of the square crop, pixels", low=8, high=4096)
    flip: bool = knob(True, "mirror half of the training clips (off where left and right are classes)")


@dataclass(frozen=True)
class SolverSpec:
    """Stochastic gradient descent with a budget counted in samples, as the paper counts."""

    max_samples: int = knob(490_000_000, "training budget: clips processed (paper: 490 M)", low=1)
    batch_size: int = knob(768, "clips per step over all processes (paper: 128 GPUs x 6)", low=1)
    base_lr: float = knob(0.192, "learning rate at BASE_BATCH_SIZE, scaled linearly to BATCH_SIZE "
                          "(0.192 at 768: after the paper's [20], not verified)", low=0.0)
    base_batch_size: int = knob(768, "batch size that BASE_LR is meant for", low=1)
    warmup_samples: int = knob(0, "samples of linear warm-up from 0", low=0)
    schedule: str = knob("halving", "halving: / 2 at NUM_HALVINGS equal steps (paper); cosine: to 0",
                         choices=("halving", "cosine"))
    num_halvings: int = knob(13, "equal steps at which the rate is halved (paper: 13)", low=0, high=64)
    momentum: float = knob(0.9, "momentum", low=0.0, high=1.0)
    nesterov: bool = knob(True, "Nesterov's momentum")
    weight_decay: float = knob(1e-4, "L2 penalty on all weights but batch norm's and biases", low=0.0)
    checkpoint_samples: int = knob(1_000_000, "samples between two checkpoints", low=1, neutral=True)


@dataclass(frozen=True)
class NetworkSpec:
    """One network and how it is trained."""

    arch: str = knob("r2plus1d_34", "r2plus1d_18 and r2plus1d_34 are the paper's; r2plus1d takes BLOCKS and WIDTHS",
                     choices=("r2plus1d_18", "r2plus1d_34", "r2plus1d"))
    blocks: tuple[int, ...] = knob((1, 1, 1, 1), "arch r2plus1d: residual blocks of res2 ... res5", low=1)
    widths: tuple[int, ...] = knob((64, 128, 256, 512), "arch r2plus1d: channels of res2 ... res5", low=1)
    midplanes: str = knob("caffe2", "width inside a factorised convolution: per convolution (caffe2, the paper's "
                          "33 M / 64 M parameters) or per block (torchvision)", choices=("caffe2", "torchvision"))
    clip: ClipSpec = node(ClipSpec)
    solver: SolverSpec = node(SolverSpec)

    @property
    def feature_dim(self) -> int:
        """D of the pooled res5 feature."""
        return self.widths[-1] if self.arch == "r2plus1d" else 512


@dataclass(frozen=True)
class ExtractSpec:
    """Features of D_cf for clustering, and of D_tar for the probes."""

    num_clips: int = knob(6, "uniform clips per video, averaged (paper: 6)", low=1, high=100)
    layer: str = knob("res5", "layer whose global average is the feature", choices=("conv1", "res2", "res3", "res4",
                                                                                    "res5"))
    batch_size: int = knob(32, "clips per forward pass; fixed, because features depend on it in the last bits", low=1)
    shard_rows: int = knob(4096, "rows per shard: the unit of resumption", low=1, neutral=True)


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


@dataclass(frozen=True)
class ProbeSpec:
    """Linear classifiers on frozen features."""

    num_clips: int = knob(10, "uniform clips per video, averaged (test protocol of the paper's [20]: 10)", low=1,
                          high=100)
    strengths: tuple[float, ...] = knob((0.01, 0.1, 1.0, 10.0, 100.0), "inverse L2 penalties tried; the best on "
                                        "HOLDOUT is refitted on all training rows", low=1e-12)
    holdout: float = knob(0.2, "share of the training rows that chooses the strength; test rows never do", low=0.01,
                          high=0.9)
    max_iterations: int = knob(500, "most L-BFGS iterations", low=1)


@dataclass(frozen=True)
class DataSpec:
    """Reading media."""

    decoder: str = knob("auto", "what decodes video where it is exact, PyAV the rest; auto: dali where the networks "
                        "run on a GPU and DALI is installed, else pyav", neutral=False,
                        choices=("auto", "pyav", "decord", "torchcodec", "dali"))
    max_bad_share: float = knob(0.05, "a stage fails (exit 4) when a larger share of rows is undecodable", low=0.0,
                                high=1.0, neutral=True)
    max_frame_pixels: int = knob(16_777_216, "larger pictures are refused as decompression bombs", low=1)
    decode_timeout_seconds: float = knob(60.0, "a decoder process (SYSTEM.DECODE_WORKERS) that takes longer over one "
                                         "row is killed; the row is tried once more, then given up", low=0.1,
                                         neutral=True)
    status: str = knob("", "what tools/check_data.py found: its Parquet, or a folder of them; rows it could not read "
                       "are invalid at once. Refused (exit 6) where it is of other data", neutral=True)


@dataclass(frozen=True)
class SystemSpec:
    """This machine. DEVICE, and on a CPU the number of THREADS, change the last bits of what networks compute: what
    they come to here is part of the fingerprint. The rest changes no result."""

    device: str = knob("auto", "auto: a GPU where there is one", choices=("auto", "cpu", "cuda"), neutral=True)
    threads: int = knob(0, "CPU threads of the networks; 0: all cores. Weights differ in the last bits between thread "
                        "counts", low=0, high=1024)
    decode_threads: int = knob(2, "threads that decode ahead of the network", low=1, high=256, neutral=True)
    decode_workers: int = knob(0, "processes that decode, so that a decoder may crash or hang; 0: threads, or as many "
                               "processes where the decoder must be fenced", low=0, high=256, neutral=True)
    decode_worker_rows: int = knob(1000, "a decoder process is replaced after so many rows", low=1, neutral=True)
    decode_worker_mib: int = knob(2048, "... or when it holds more memory than this, MiB", low=64, neutral=True)


@dataclass(frozen=True)
class RunSpec:
    """One experiment: which data, which networks, which clusters, which targets."""

    name: str = knob("run", "title of the report", neutral=True)
    output_dir: str = knob("runs/default", "everything is written below this folder; runs that share it share stages",
                           neutral=True)
    seeds: tuple[int, ...] = knob((0,), "the whole pipeline runs once per seed", low=0)
    d_pre: SourceSpec = node(SourceSpec)
    d_cf: SourceSpec = node(SourceSpec)
    d_tar: Mapping[str, TargetSpec] = field(default_factory=dict, metadata={
        "doc": "target tasks, by a name of your own: D_TAR.KINETICS.TRAIN, ...", "open": TargetSpec})
    data: DataSpec = node(DataSpec)
    n_pre: NetworkSpec = node(NetworkSpec)
    n_cf: NetworkSpec = node(NetworkSpec)
    extract: ExtractSpec = node(ExtractSpec)
    cluster: ClusterSpec = node(ClusterSpec)
    probe: ProbeSpec = node(ProbeSpec)
    system: SystemSpec = node(SystemSpec)
