"""A network on disk: weights.safetensors, whose header says how to build it and what it expects to be fed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import nn

from cfvideo.core.backbone import Backbone
from cfvideo.core.records import Modality
from cfvideo.core.tensors import load_tensors, save_tensors

FILE_NAME = "weights.safetensors"


def save_network(folder: Path, network: Backbone, *, architecture: Mapping[str, Any], num_classes: int,
                 view: Mapping[str, Any]) -> None:
    """Publish weights, the arguments of Modality.build_network, and the view the network was trained on."""
    header = {"architecture": dict(architecture), "num_classes": num_classes, "view": dict(view)}
    save_tensors(folder / FILE_NAME, cast(nn.Module, network).state_dict(), header)


def load_network(path: Path, modality: Modality) -> Backbone:
    """The network of one file, in evaluation mode on the CPU; every key must match."""
    tensors, header = load_tensors(path)
    network = modality.build_network(num_classes=header["num_classes"], **header["architecture"])
    module = cast(nn.Module, network)
    module.load_state_dict(tensors, strict=True)
    module.eval()
    return network
