"""Keys of the transfer evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.specs.knobs import knob, node

METHODS = ("linear", "knn", "svm", "low_shot")


@dataclass(frozen=True)
class SgdSpec:
    """PROBE.SOLVER sgd: every learning rate and weight decay in one pass (paper, appendix D)."""

    learning_rates: tuple[float, ...] = knob((0.001, 0.01, 0.1, 1.0), "learning rates tried, at BATCH_SIZE (paper: "
                                             "0.01; for video, swept per target)", low=1e-12)
    weight_decays: tuple[float, ...] = knob((0.0001, 0.0005), "L2 penalties tried (paper and VISSL: 0.0005; "
                                            "fair_self_supervision_benchmark: 0.0001)", low=0.0)
    epochs: int = knob(28, "passes over the training rows (ImageNet 28, Places205 14, iNaturalist 84)", low=1)
    batch_size: int = knob(256, "rows per step", low=1)
    momentum: float = knob(0.9, "momentum", low=0.0, high=1.0)
    nesterov: bool = knob(True, "Nesterov's momentum")
    drops: str = knob("three", "when the rate falls to a tenth. three: at 2/7, 4/7 and 6/7 of the training (both "
                      "public code bases); two: at 1/3 and 2/3 (as the paper says); none", choices=("three", "two",
                                                                                                  "none"))
    scaling: str = knob("standardise", "features with mean 0 and deviation 1 over the training rows (standardise), of "
                        "each mini-batch (batch_norm, the public protocol for pooled maps), or as they are (none)",
                        choices=("standardise", "batch_norm", "none"))


@dataclass(frozen=True)
class KnnSpec:
    """PROBE.METHODS knn: weighted nearest neighbours by cosine similarity."""

    neighbours: tuple[int, ...] = knob((10, 20, 100, 200), "numbers of neighbours tried", low=1)


@dataclass(frozen=True)
class SvmSpec:
    """PROBE.METHODS svm and low_shot: one linear SVM per class (VOC07)."""

    costs: tuple[float, ...] = knob((0.01, 0.1, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 50.0, 100.0, 1000.0),
                                    "costs tried (VISSL's)", low=1e-12)
    folds: int = knob(3, "folds of the cross-validation that chooses a class's cost by average precision", low=2)
    shots: tuple[int, ...] = knob((1, 2, 4, 8, 16, 32, 64, 96), "low_shot: positive rows per class", low=1)
    draws: int = knob(5, "low_shot: draws of each number", low=1)
    choose_on_test: bool = knob(False, "low_shot: take the cost that is best on the test rows, as the public code "
                                "does; no fair estimate, and the result says so")


@dataclass(frozen=True)
class ProbeSpec:
    """How frozen features are judged on D_tar."""

    methods: tuple[str, ...] = knob(("linear",), "yardsticks: linear classifier, knn, svm (one per class), low_shot "
                                    "(SVMs from a few rows); the first gives the report's figures",
                                    choices=METHODS)
    num_clips: int = knob(10, "uniform clips per video, averaged (test protocol of the paper's [20]: 10)", low=1,
                          high=100)
    layers: tuple[str, ...] = knob(("res5",), "layers whose features are probed, taken in one pass over the target "
                                   "(paper: res5, the last, for videos)")
    clip_scores: str = knob("features", "what is averaged over a video's clips: their features, or, each classified "
                            "by itself, their probabilities (softmax; linear only)", choices=("features", "softmax"))
    solver: str = knob("lbfgs", "linear: logistic regression to convergence (lbfgs) or by mini-batches (sgd, the "
                       "paper's protocol); least squares (ridge: fastest, less accurate)", choices=("lbfgs", "sgd",
                                                                                                  "ridge"))
    strengths: tuple[float, ...] = knob((0.01, 0.1, 1.0, 10.0, 100.0), "lbfgs and ridge: inverse L2 penalties tried",
                                        low=1e-12)
    holdout: float = knob(0.2, "share of the training rows that chooses settings, which are then refitted on all; test "
                          "rows never do", low=0.01, high=0.9)
    max_iterations: int = knob(500, "most L-BFGS iterations", low=1)
    sgd: SgdSpec = node(SgdSpec)
    knn: KnnSpec = node(KnnSpec)
    svm: SvmSpec = node(SvmSpec)
