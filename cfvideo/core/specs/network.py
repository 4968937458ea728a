"""Keys of one network: what it reads and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.specs.knobs import knob, node
from cfvideo.core.specs.solver import SolverSpec

# Of videos, then of images.
ARCHITECTURES = ("r2plus1d_18", "r2plus1d_34", "r2plus1d", "x3d_m", "x3d_l", "slow_r50", "csn_r101", "r2plus1d_r50",
                 "resnet18", "resnet50", "resnet")
# By MODALITY, the keys of CLIP that say what a sample is cut from its medium: networks fed the same samples share them.
GEOMETRY = {"video": ("num_frames", "frame_stride", "short_edge_px", "crop_px"), "image": ("short_edge_px", "crop_px")}


@dataclass(frozen=True)
class ClipSpec:
    """How a video becomes clips, or an image a picture, that a network reads. Keys of videos mean nothing for images,
    and those of images nothing for videos."""

    num_frames: int = knob(32, "videos: frames per clip, T (paper: 32; section 5: 8)", low=1, high=512)
    frame_stride: int = knob(1, "videos: gap between the frames of a clip (paper: consecutive, 1)", low=1, high=64)
    short_edge_px: int = knob(128, "shortest edge after scaling, pixels", low=8, high=4096)
    crop_px: int = knob(112, "side of the square crop, pixels", low=8, high=4096)
    flip: bool = knob(True, "mirror half of the training clips (off where left and right are classes)")
    crop_area: tuple[float, ...] = knob((0.08, 1.0), "images: least and largest share of the picture that a training "
                                        "crop takes and scales to CROP_PX; []: a random square of CROP_PX after "
                                        "scaling to SHORT_EDGE_PX and padding by PAD_PX", low=0.0, high=1.0)
    pad_px: int = knob(0, "images: black pixels added on every side before a random square (CIFAR: 4)", low=0, high=512)
    grey: float = knob(0.0, "images: share of training pictures turned grey (VISSL's Jigsaw: 0.66)", low=0.0, high=1.0)
    cell_px: int = knob(85, "images, TASK jigsaw: side of one of the 3 x 3 cells, pixels (paper: 255 / 3)", low=4,
                        high=1024)
    patch_px: int = knob(64, "images, TASK jigsaw: side of a patch drawn from a cell, pixels (paper: 64)", low=4,
                         high=1024)
    permutations: int = knob(2000, "images, TASK jigsaw: orders of the patches to tell apart (paper: 2000)", low=2,
                             high=2000)


@dataclass(frozen=True)
class NetworkSpec:
    """One network and how it is trained."""

    arch: str = knob("r2plus1d_34", "videos: r2plus1d_18 and r2plus1d_34 are the paper's, r2plus1d takes BLOCKS and "
                     "WIDTHS, the others with numbers are PyTorchVideo's (x3d_m is also X3D-XS and -S: only clips "
                     "differ); images: resnet18, resnet50, resnet with BLOCKS and WIDTHS for pictures of 32 pixels",
                     choices=ARCHITECTURES)
    blocks: tuple[int, ...] = knob((1, 1, 1, 1), "archs r2plus1d and resnet: residual blocks of res2 ... res5", low=1,
                                   high=256)
    widths: tuple[int, ...] = knob((64, 128, 256, 512), "archs r2plus1d and resnet: channels of res2 to res5",
                                   low=1, high=65_536)
    midplanes: str = knob("caffe2", "width inside a factorised convolution: per convolution (caffe2, the paper's "
                          "33 M / 64 M parameters) or per block (torchvision)", choices=("caffe2", "torchvision"))
    task: str = knob("labels", "what it learns from its data set: labels, or a pretext task that needs none (images; "
                     "paper, appendix D)", choices=("labels", "rotnet", "jigsaw"))
    weights: str = knob("", "N_PRE: a finished network that is used instead of training one: a weights.safetensors, or "
                        "a folder that tools/import_weights.py made; ARCH, CLIP and the rest are then its own",
                        neutral=True)
    clip: ClipSpec = node(ClipSpec)
    solver: SolverSpec = node(SolverSpec)
