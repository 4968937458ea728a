"""What a network's arguments say of it before there is one: its layers, the length of its features, its operations.

A plan asks for the same networks again and again, above all an ablation's, whose variants differ elsewhere or in the
head alone. Each answer is a function of the arguments and worked out once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import torch
from torch import nn

from cfvideo.core.backbone import Backbone
from cfvideo.core.durable import canonical_json
from cfvideo.core.flops import forward_flops
from cfvideo.core.network_file import outlined
from cfvideo.core.norms import fewest_items

Build = Callable[..., Backbone]


@dataclass(frozen=True)
class Shapes:
    """layers: from the input on. feature_dim: D of the last of them. head_dim: numbers that the head is given.
    fewest_items: that a batch norm can learn from at once. tensors: name and shape of all it holds, for one class."""

    layers: tuple[str, ...]
    feature_dim: int
    head_dim: int
    flops_of_one_class: int
    fewest_items: int
    tensors: tuple[tuple[str, tuple[int, ...]], ...]

    def flops(self, num_classes: int) -> int:
        """Of one sample's forward pass: the head is one linear layer."""
        return self.flops_of_one_class + 2 * self.head_dim * (num_classes - 1)


def shapes(build: Build, where: str, architecture: Mapping[str, Any], sample_shape: tuple[int, ...]) -> Shapes:
    """architecture: what Modality.build_network takes beside the number of classes; where: the file or key that asks
    for it, for errors as in `outlined`."""
    return _shapes(build, where, canonical_json(dict(architecture)), sample_shape)


def layer_dims(build: Build, where: str, architecture: Mapping[str, Any], sample_shape: tuple[int, ...],
               layers: tuple[str, ...]) -> Mapping[str, int]:
    """Numbers per pooled feature of each layer; ValueError where the network has no such layer."""
    return dict(_layer_dims(build, where, canonical_json(dict(architecture)), sample_shape, layers))


@lru_cache(maxsize=128)
def _shapes(build: Build, where: str, architecture: str, sample_shape: tuple[int, ...]) -> Shapes:
    network = _without_numbers(build, where, architecture)
    module = cast(nn.Module, network)
    return Shapes(tuple(network.layers), network.feature_dim, network.fc.in_features,
                  forward_flops(network, sample_shape), fewest_items(module, sample_shape),
                  tuple((name, tuple(value.shape)) for name, value in module.state_dict().items()))


@lru_cache(maxsize=512)
def _layer_dims(build: Build, where: str, architecture: str, sample_shape: tuple[int, ...],
                layers: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    sample = torch.empty((1, *sample_shape), device="meta")
    with torch.no_grad():
        pooled = _without_numbers(build, where, architecture).pooled(sample, layers)
    return tuple((layer, values.shape[1]) for layer, values in pooled.items())


def _without_numbers(build: Build, where: str, architecture: str) -> Backbone:
    """The network of one class, in evaluation mode, on the device where nothing is computed but shapes."""
    built = outlined(build, where, num_classes=1, **json.loads(architecture))
    cast(nn.Module, built).eval()
    return built
