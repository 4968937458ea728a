"""ResNets for images: torchvision's ResNet-18 and -50, and small ones for pictures of 32 pixels.

Source: He et al., "Deep residual learning for image recognition"; blocks, names and sizes are torchvision's
(`torchvision/models/resnet.py`), so that its state dicts load by name. Nothing is downloaded.

Shapes: B batch, C channels, H rows, W columns, D feature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from cfvideo.core.backbone import GRID
from cfvideo.core.errors import ConfigError
from cfvideo.core.norms import set_bn_eps

LAYERS = ("conv1", "res2", "res3", "res4", "res5")
# What torchvision's ResNet is built of: kind of block, blocks per stage.
DEPTHS = {"resnet18": (BasicBlock, (2, 2, 2, 2)), "resnet50": (Bottleneck, (3, 4, 6, 3))}
ARCHITECTURES = (*DEPTHS, "resnet")
# (C, side) of a map -> kernel, stride, padding of its average pool for linear probes: Goyal et al. 2019 as VISSL ships
# it (configs/config/benchmark/linear_image_classification). All give floor(sqrt(9216 / C)) cells a side.
GRID_POOLS = {(64, 112): (10, 10, 4), (256, 56): (16, 8, 0), (512, 28): (13, 5, 0), (1024, 14): (8, 3, 0),
              (2048, 7): (6, 1, 0)}
MAX_GRID_DIM = 9216


def grid_pooled(maps: Tensor) -> Tensor:
    """Maps [B, C, H, W] -> [B, C * h * w], averaged over a grid of h x w cells, at most 9,216 numbers.

    ResNet-50's maps at 224 pixels are pooled as published. Any other map takes the rule behind those figures: the
    largest grid of floor(sqrt(9216 / C)) cells a side, or the map as it is where it is smaller, in adaptive cells.
    """
    channels, height, width = maps.shape[1:]
    published = GRID_POOLS.get((channels, height)) if height == width else None
    if published is not None:
        return F.avg_pool2d(maps, *published).flatten(1)
    side = max(1, math.isqrt(MAX_GRID_DIM // channels))
    return F.adaptive_avg_pool2d(maps, (min(side, height), min(side, width))).flatten(1)


class ImageResNet(nn.Module):
    """A ResNet; see `cfvideo.core.backbone.Backbone` for the protocol it fulfils.

    Beside every layer ("res4": the map's global average) there is its grid ("res4.grid": see `grid_pooled`), which
    linear probes on self-supervised networks read (the paper's supplement).

    Args:
        parts: torchvision's modules by torchvision's names: conv1, bn1, relu, maxpool, layer1 ... layer4, fc.
    """

    layers: tuple[str, ...] = LAYERS
    fc: nn.Linear

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.feature_dim = self.fc.in_features

    def initialise(self, generator: torch.Generator) -> None:
        """Kaiming fan-out convolutions, unit batch norms, N(0, 0.01) head, drawn from `generator` alone."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        nn.init.normal_(self.fc.weight, 0.0, 0.01, generator=generator)
        nn.init.zeros_(self.fc.bias)

    def _stage(self, stage: int, maps: Tensor) -> Tensor:
        """The map of LAYERS[stage] from the one below; conv1's is taken before the max-pool."""
        names = (("conv1", "bn1", "relu"), ("maxpool", "layer1"), ("layer2",), ("layer3",), ("layer4",))[stage]
        for name in names:
            maps = self.get_submodule(name)(maps)
        return maps

    def pooled(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """images [B, 3, H, W] -> {layer: [B, D]} in one pass: global averages, or grids for names that end in .grid.

        Raises:
            ValueError: a layer that is neither one of LAYERS nor its grid.
        """
        unknown = [name for name in layers if name.removesuffix(GRID) not in LAYERS]
        if unknown:
            raise ValueError(f"unknown layer {unknown[0]!r}; allowed: {', '.join(LAYERS)}, and each with {GRID}")
        found, maps = dict[str, Tensor](), images
        for stage in range(1 + max(LAYERS.index(name.removesuffix(GRID)) for name in layers)):
            maps, name = self._stage(stage, maps), LAYERS[stage]
            if name in layers:
                found[name] = maps.mean(dim=(2, 3))
            if name + GRID in layers:
                found[name + GRID] = grid_pooled(maps)
        return {name: found[name] for name in layers}

    def features(self, images: Tensor, layer: str = "res5") -> Tensor:
        """images [B, 3, H, W] -> [B, D] of one layer; res5 is the paper's feature."""
        return self.pooled(images, (layer,))[layer]

    def forward(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W], float -> logits [B, num_classes]."""
        logits: Tensor = self.fc(self.features(images))
        return logits


def _stage_of(in_planes: int, planes: int, num_blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or in_planes != planes:
        shortcut = nn.Sequential(nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False),
                                 nn.BatchNorm2d(planes))
    rest = [BasicBlock(planes, planes) for _ in range(num_blocks - 1)]
    return nn.Sequential(BasicBlock(in_planes, planes, stride, shortcut), *rest)


def _small_parts(num_classes: int, blocks: Sequence[int], widths: Sequence[int]) -> dict[str, nn.Module]:
    """The CIFAR form: a 3x3 stem of stride 1 and no max-pool, so that 32 pixels leave 4 x 4 at res5."""
    if len(blocks) != 4 or len(widths) != 4:
        raise ValueError(f"blocks and widths take one number per stage res2 ... res5, got {blocks} and {widths}")
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, widths[0], kernel_size=3, padding=1, bias=False), "bn1": nn.BatchNorm2d(widths[0]),
        "relu": nn.ReLU(inplace=True), "maxpool": nn.Identity()}
    for stage, in_planes in enumerate((widths[0], *widths[:3])):
        parts[f"layer{stage + 1}"] = _stage_of(in_planes, widths[stage], blocks[stage], 1 if stage == 0 else 2)
    return parts | {"fc": nn.Linear(widths[3], num_classes)}


def build_resnet(*, num_classes: int, arch: str, blocks: Sequence[int] = (), widths: Sequence[int] = (),
                 midplanes: str = "", bn_eps: float = 1e-5) -> ImageResNet:
    """A ResNet with undrawn weights.

    Args:
        arch: resnet18, resnet50, or resnet: for small images, of `blocks` basic blocks and `widths` channels.
        midplanes: a key of video networks, of no meaning here.
        bn_eps: imported weights may need another.

    Raises:
        ConfigError: no such network for images.
    """
    if arch in DEPTHS:
        block, depth = DEPTHS[arch]
        whole = dict(ResNet(block, list(depth), num_classes=num_classes).named_children())
        network = ImageResNet({name: part for name, part in whole.items() if name != "avgpool"})
    elif arch == "resnet":
        network = ImageResNet(_small_parts(num_classes, blocks, widths))
    else:
        raise ConfigError(f"ARCH {arch}: no network for images; allowed: {', '.join(ARCHITECTURES)}")
    set_bn_eps(network, bn_eps)
    return network
