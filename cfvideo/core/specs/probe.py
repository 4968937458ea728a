"""Keys of the transfer evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.specs.knobs import knob


@dataclass(frozen=True)
class ProbeSpec:
    """Linear classifiers on frozen features."""

    num_clips: int = knob(10, "uniform clips per video, averaged (test protocol of the paper's [20]: 10)", low=1,
                          high=100)
    layers: tuple[str, ...] = knob(("res5",), "layers whose features are probed, taken in one pass over the target "
                                   "(paper: res5, the last, for videos)")
    strengths: tuple[float, ...] = knob((0.01, 0.1, 1.0, 10.0, 100.0), "inverse L2 penalties tried; the best on "
                                        "HOLDOUT is refitted on all training rows", low=1e-12)
    holdout: float = knob(0.2, "share of the training rows that chooses the strength; test rows never do", low=0.01,
                          high=0.9)
    max_iterations: int = knob(500, "most L-BFGS iterations", low=1)
