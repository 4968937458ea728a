"""Keys of this machine and of the run as a whole; RunSpec holds them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cfvideo.core.specs.cluster import ClusterSpec, ExtractSpec
from cfvideo.core.specs.data import DataSpec, SourceSpec, TargetSpec
from cfvideo.core.specs.knobs import knob, node
from cfvideo.core.specs.network import NetworkSpec
from cfvideo.core.specs.probe import ProbeSpec
from cfvideo.core.specs.solver import SolverSpec


@dataclass(frozen=True)
class SystemSpec:
    """This machine. DEVICE, on a CPU the number of THREADS, and everywhere THREADS for the probes, change the last bits
    of what is computed: what they come to here is part of the fingerprint. The rest changes no result."""

    device: str = knob("auto", "auto: a GPU where there is one", choices=("auto", "cpu", "cuda"), neutral=True)
    threads: int = knob(0, "CPU threads of the networks and of the probes' linear algebra; 0: all cores. Results "
                        "differ in the last bits between thread counts", low=0, high=1024)
    decode_threads: int = knob(2, "threads that decode ahead of the network", low=1, high=256, neutral=True)
    decode_workers: int = knob(0, "processes that decode, so that a decoder may crash or hang; 0: threads, or as many "
                               "processes where the decoder must be fenced", low=0, high=256, neutral=True)
    decode_worker_rows: int = knob(1000, "a decoder process is replaced after so many rows", low=1, neutral=True)
    decode_worker_mib: int = knob(2048, "... or when it holds more memory than this, MiB", low=64, neutral=True)


@dataclass(frozen=True)
class DistillationSpec:
    """The baseline that learns N_pre's softened outputs (paper, supplement A)."""

    temperature: float = knob(20.0, "T, what logits are divided by (paper: 20)", low=1e-3)
    alpha: float = knob(0.75, "weight of the soft term; the weak labels have the rest (paper: 0.75)", low=0.0, high=1.0)


@dataclass(frozen=True)
class FineTuneSolverSpec(SolverSpec):
    """Training of fine-tuned networks; keys as N_PRE.SOLVER."""

    max_samples: int = knob(1_000_000, "training budget: samples processed", low=1)
    batch_size: int = knob(32, "samples per step over all processes", low=1)
    base_lr: float = knob(0.01, "learning rate at BASE_BATCH_SIZE; sweep it per target (paper, supplement C)", low=0.0)
    base_batch_size: int = knob(32, "batch size that BASE_LR is meant for", low=1)
    num_halvings: int = knob(3, "equal steps at which the rate is halved", low=0, high=64)


@dataclass(frozen=True)
class FineTuneSpec:
    """A second, dearer yardstick than probes: the whole network trained on a target, from the network judged."""

    targets: tuple[str, ...] = knob((), "names of D_TAR on which every judged network is fine-tuned and scored by its "
                                    "own classifier (mean softmax of PROBE.NUM_CLIPS clips)")
    solver: FineTuneSolverSpec = node(FineTuneSolverSpec)


BASELINES = ("n_pre_2x", "distillation", "regression", "prototype")


@dataclass(frozen=True)
class RunSpec:
    """One experiment: which data, which networks, which clusters, which targets."""

    name: str = knob("run", "title of the report", neutral=True)
    modality: str = knob("video", "what the data sets hold", choices=("video", "image"))
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
    more_n_pre: Mapping[str, NetworkSpec] = field(default_factory=dict, metadata={
        "doc": "further N_pre on D_pre, by a name of your own, as N_PRE: each gets an N_cf of its own, and one N_cf "
               "gets all their clusters, with a head for each (multi-task, paper, appendix E)", "open": NetworkSpec})
    baselines: tuple[str, ...] = knob((), "what is trained and probed beside: n_pre_2x (N_pre for twice as long), "
                                      "distillation, regression (of N_pre's features), prototype (clusters around "
                                      "label means)", choices=BASELINES)
    distillation: DistillationSpec = node(DistillationSpec)
    rounds: int = knob(1, "how often ClusterFit is applied, each time to the N_cf before: n_cf, n_cf_round2, ... "
                       "(paper, section 6: little improvement)", low=1)
    extract: ExtractSpec = node(ExtractSpec)
    cluster: ClusterSpec = node(ClusterSpec)
    probe: ProbeSpec = node(ProbeSpec)
    finetune: FineTuneSpec = node(FineTuneSpec)
    system: SystemSpec = node(SystemSpec)
