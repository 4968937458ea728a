"""Keys of training: budget, learning rate, optimiser, number format."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.specs.knobs import knob


@dataclass(frozen=True)
class SolverSpec:
    """Stochastic gradient descent with a budget counted in samples, as the paper counts."""

    max_samples: int = knob(490_000_000, "training budget: samples processed (paper, videos: 490 M)", low=1)
    batch_size: int = knob(768, "samples per step over all processes (paper: 128 GPUs x 6)", low=1)
    micro_batch_size: int = knob(0, "most samples that go through the network together, and that one batch norm sees "
                                 "(paper: 6 a GPU); a step is cut into the fewest even parts, shared out over the "
                                 "processes, and its gradients are summed. 0: a process's share of BATCH_SIZE", low=0)
    base_lr: float = knob(0.192, "learning rate at BASE_BATCH_SIZE, scaled linearly to BATCH_SIZE "
                          "(0.192 at 768: after the paper's [20], not verified)", low=0.0)
    base_batch_size: int = knob(768, "batch size that BASE_LR is meant for", low=1)
    warmup_samples: int = knob(0, "samples of linear warm-up", low=0)
    warmup_from: float = knob(0.0, "share of the rate that warm-up starts from", low=0.0, high=1.0)
    schedule: str = knob("halving", "halving: / 2 at NUM_HALVINGS equal steps (paper); step: x STEP_FACTOR at each of "
                         "STEPS; cosine: to 0; constant", choices=("halving", "step", "cosine", "constant"))
    num_halvings: int = knob(13, "equal steps at which the rate is halved (paper: 13)", low=0, high=64)
    steps: tuple[float, ...] = knob((1 / 3, 2 / 3), "shares of the budget at which schedule step drops the rate",
                                    low=0.0, high=1.0)
    step_factor: float = knob(0.1, "what schedule step multiplies the rate by", low=0.0, high=1.0)
    momentum: float = knob(0.9, "momentum", low=0.0, high=1.0)
    nesterov: bool = knob(True, "Nesterov's momentum")
    weight_decay: float = knob(1e-4, "L2 penalty on weights", low=0.0)
    decay_batch_norm: bool = knob(False, "the penalty holds for batch norms and biases too")
    clip_gradient: float = knob(0.0, "largest norm of a step's gradient, cut down to it where larger; 0: any", low=0.0)
    sync_batch_norm: bool = knob(False, "batch norm over the whole step, on all processes, without "
                                 "MICRO_BATCH_SIZE (paper: each GPU by itself)")
    precision: str = knob("fp32", "bf16: forward passes in bfloat16, where the GPU or CPU computes in it",
                          choices=("fp32", "bf16"))
    memory_format: str = knob("contiguous", "layout of convolution weights; channels_last suits ResNets on CPUs and "
                              "GPUs (R(2+1)D computes in it whatever this says)",
                              choices=("contiguous", "channels_last"))
    compile: bool = knob(False, "torch.compile the training step (a minute or so before the first)")
    checkpoint_samples: int = knob(1_000_000, "samples between two checkpoints", low=1, neutral=True)
