"""R(2+1)D: residual networks of factorised 3-D convolutions, for clips.

Source: Tran et al., "A closer look at spatiotemporal convolutions" (the paper's [8]); shapes after VMZ
(`c2/lib/models/builder/video_model.py`) and, for parameter names, torchvision (`models/video/resnet.py`), so that
torchvision, ig65m and VMZ state dicts load by name.

Shapes: B batch, C channels, T frames, H rows, W columns, D feature.

Every factorised convolution is *computed* as a 2-D convolution over a channels-last view (frames folded into the
batch, or pixels folded into one axis), which CPUs run closer to their peak than a 3-D kernel with a unit axis; the
parameters keep their 3-D shapes, so checkpoints do not know about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cfvideo.core.norms import set_bn_eps

Midplanes = Literal["caffe2", "torchvision"]
LAYERS = ("conv1", "res2", "res3", "res4", "res5")
# Depth -> basic blocks per stage.
BLOCKS: dict[int, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
# Caffe2 (VMZ, ig65m) normalises with 1e-3, torchvision with PyTorch's default: imported weights need their own.
BN_EPS: dict[str, float] = {"caffe2": 1e-3, "torchvision": 1e-5}


def num_midplanes(in_planes: int, planes: int) -> int:
    """Width M between the spatial and the temporal half, chosen so that the pair has a 3x3x3 convolution's weights."""
    return (3 * in_planes * planes * 9) // (in_planes * 9 + 3 * planes)


def _fold_frames(x: Tensor) -> Tensor:
    """[B, C, T, H, W] -> [B*T, C, H, W]; a view when x is channels-last."""
    b, c, t, h, w = x.shape
    return x.permute(0, 2, 3, 4, 1).reshape(b * t, h, w, c).permute(0, 3, 1, 2)


def _unfold_frames(x: Tensor, num_frames: int) -> Tensor:
    """[B*T, C, H, W] -> [B, C, T, H, W] without a copy."""
    bt, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(bt // num_frames, num_frames, h, w, c).permute(0, 4, 1, 2, 3)


class SpatialConv(nn.Conv3d):
    """A 1 x k x k convolution, run as a 2-D convolution over frames folded into the batch."""

    def __init__(self, in_planes: int, planes: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(in_planes, planes, kernel_size=(1, kernel, kernel), stride=(1, stride, stride),
                         padding=(0, kernel // 2, kernel // 2), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = F.conv2d(_fold_frames(x), self.weight.squeeze(2), None, self.stride[1:], self.padding[1:])
        return _unfold_frames(out, x.shape[2])


class TemporalConv(nn.Conv3d):
    """A 3 x 1 x 1 convolution, run as a 2-D convolution over (time, pixels)."""

    def __init__(self, in_planes: int, planes: int, *, stride: int = 1) -> None:
        super().__init__(in_planes, planes, kernel_size=(3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0),
                         bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, h, w = x.shape
        flat = x.permute(0, 2, 3, 4, 1).reshape(b, t, h * w, c).permute(0, 3, 1, 2)
        out = F.conv2d(flat, self.weight.squeeze(4), None, (self.stride[0], 1), (1, 0))
        return out.permute(0, 2, 3, 1).reshape(b, out.shape[2], h, w, out.shape[1]).permute(0, 4, 1, 2, 3)


class ChannelsLastBatchNorm(nn.BatchNorm3d):
    """Batch normalisation over the same folded view, so that the layout survives from layer to layer."""

    def forward(self, x: Tensor) -> Tensor:
        folded = _fold_frames(x)
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        out = F.batch_norm(folded, self.running_mean, self.running_var, self.weight, self.bias,
                           self.training, self.momentum or 0.0, self.eps)
        return _unfold_frames(out, x.shape[2])


def _factorised(in_planes: int, planes: int, mid: int, stride: int) -> nn.Sequential:
    return nn.Sequential(SpatialConv(in_planes, mid, stride=stride), ChannelsLastBatchNorm(mid),
                         nn.ReLU(inplace=True), TemporalConv(mid, planes, stride=stride))


class BasicBlock(nn.Module):
    """Two factorised convolutions and a shortcut; the first block of res3 to res5 halves time and space."""

    def __init__(self, in_planes: int, planes: int, *, stride: int, midplanes: Midplanes) -> None:
        super().__init__()
        first = num_midplanes(in_planes, planes)
        # torchvision computes M once per block, Caffe2 once per convolution (VMZ#89, pytorch/vision#1265).
        second = num_midplanes(planes, planes) if midplanes == "caffe2" else first
        self.conv1 = nn.Sequential(_factorised(in_planes, planes, first, stride), ChannelsLastBatchNorm(planes),
                                   nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(_factorised(planes, planes, second, 1), ChannelsLastBatchNorm(planes))
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_planes != planes:
            shortcut = nn.Conv3d(in_planes, planes, kernel_size=1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, ChannelsLastBatchNorm(planes))

    def forward(self, x: Tensor) -> Tensor:
        residual = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(self.conv2(self.conv1(x)) + residual)
        return out


class R2Plus1D(nn.Module):
    """R(2+1)D with basic blocks; see `cfvideo.core.backbone.Backbone` for the protocol it fulfils.

    Args:
        num_classes: outputs of `fc`.
        blocks: basic blocks of res2 ... res5.
        widths: planes of res2 ... res5; the last is `feature_dim` (512 in the paper).
        midplanes: "caffe2" is the paper's network (33.4 M / 63.7 M parameters), "torchvision" its cousin.
    """

    layers: tuple[str, ...] = LAYERS

    def __init__(self, *, num_classes: int, blocks: Sequence[int] = BLOCKS[18],
                 widths: Sequence[int] = (64, 128, 256, 512), midplanes: Midplanes = "caffe2") -> None:
        super().__init__()
        if len(blocks) != 4 or len(widths) != 4:
            raise ValueError(f"blocks and widths take one number per stage res2 ... res5, got {blocks} and {widths}")
        stem_mid = max(1, 45 * widths[0] // 64)
        self.stem = nn.Sequential(SpatialConv(3, stem_mid, kernel=7, stride=2), ChannelsLastBatchNorm(stem_mid),
                                  nn.ReLU(inplace=True), TemporalConv(stem_mid, widths[0]),
                                  ChannelsLastBatchNorm(widths[0]), nn.ReLU(inplace=True))
        planes = (widths[0], *widths)
        for stage in range(4):
            setattr(self, f"layer{stage + 1}", self._stage(planes[stage], planes[stage + 1], blocks[stage],
                                                           stride=1 if stage == 0 else 2, midplanes=midplanes))
        self.feature_dim = widths[3]
        self.fc = nn.Linear(widths[3], num_classes)
        set_bn_eps(self, BN_EPS[midplanes])

    @staticmethod
    def _stage(in_planes: int, planes: int, num_blocks: int, *, stride: int, midplanes: Midplanes) -> nn.Sequential:
        rest = [BasicBlock(planes, planes, stride=1, midplanes=midplanes) for _ in range(num_blocks - 1)]
        return nn.Sequential(BasicBlock(in_planes, planes, stride=stride, midplanes=midplanes), *rest)

    def initialise(self, generator: torch.Generator) -> None:
        """Kaiming fan-out convolutions, unit batch norms, N(0, 0.01) head, drawn from `generator` alone."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            elif isinstance(module, nn.BatchNorm3d):
                module.reset_parameters()
        nn.init.normal_(self.fc.weight, 0.0, 0.01, generator=generator)
        nn.init.zeros_(self.fc.bias)

    def pooled(self, clips: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Globally averaged maps of several layers in one pass, which ends at the deepest of them.

        clips [B, 3, T, H, W] -> {layer: [B, C of that layer]}, in the order asked for; res5 is the paper's feature.
        """
        if unknown := [name for name in layers if name not in LAYERS]:
            raise ValueError(f"unknown layer {', '.join(unknown)}; allowed: {', '.join(LAYERS)}")
        found: dict[str, Tensor] = {}
        out, wanted = clips, set(layers)
        for stage, name in enumerate(LAYERS):
            if len(found) == len(wanted):
                break
            out = self.stem(out) if stage == 0 else getattr(self, f"layer{stage}")(out)
            if name in wanted:
                found[name] = out.mean(dim=(2, 3, 4))
        return {name: found[name] for name in layers}

    def features(self, clips: Tensor, layer: str = "res5") -> Tensor:
        """`pooled` of one layer: clips [B, 3, T, H, W] -> [B, C]."""
        return self.pooled(clips, (layer,))[layer]

    def forward(self, clips: Tensor) -> Tensor:
        """clips [B, 3, T, H, W], float -> logits [B, num_classes]."""
        logits: Tensor = self.fc(self.features(clips))
        return logits
