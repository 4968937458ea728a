"""VIDEO_WEIGHTS: all that importing and exporting must know of networks for clips, in one record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cfvideo.core.foreign.imports import Interchange
from cfvideo.models import staged
from cfvideo.models.weights.caffe2 import read_caffe2
from cfvideo.models.weights.pytorchvideo import outward, read_pytorchvideo
from cfvideo.models.weights.refused import refuse
from cfvideo.models.weights.torchvision import MEAN, STD, read_torchvision
from cfvideo.models.zoo import ARCHITECTURES, build_network


def public(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names for R(2+1)D, which are ours; PyTorchVideo's for its networks."""
    is_staged = any(name.startswith("blocks.") for name in tensors)
    return {outward(name) if is_staged else name: value for name, value in tensors.items()}


def loader(architecture: Mapping[str, Any], num_classes: int) -> str:
    """Python that makes the public library's network, ready for the exported names; empty where there is none."""
    arch, classes, pool = architecture["arch"], num_classes or 400, ""
    if arch == "r2plus1d_18" and architecture.get("midplanes") == "torchvision":
        library, made, head = "torchvision.models.video", f"r2plus1d_18(num_classes={classes})", "network.fc"
    elif arch in staged.ARCHITECTURES:
        # The hub's X3D and R(2+1)D end in a softmax, and every pool there is made for clips of one size.
        library, made = "pytorchvideo.models.hub", f"{arch}(model_num_class={classes}, head_activation=None)"
        head, inner = "network.blocks[5].proj", ".pool" if arch.startswith("x3d") else ""
        pool = f"\nnetwork.blocks[5].pool{inner} = torch.nn.AdaptiveAvgPool3d(1)"
    else:
        return ""
    headless = "" if num_classes else f"\n{head} = torch.nn.Identity()"
    return f"import torch\nfrom {library} import {arch}\n\nnetwork = {made}{pool}{headless}"


VIDEO_WEIGHTS = Interchange(name="video", architectures=ARCHITECTURES, build_network=build_network,
                            families=(refuse, read_torchvision, read_caffe2, read_pytorchvideo), outward=public,
                            loader=loader, mean=MEAN, std=STD)
