"""Keys of one network: what it reads, what it is, how it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.specs.knobs import knob, node


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
