"""IMAGE_WEIGHTS: other people's ResNets, in and out.

Under torchvision's names, whatever stands before them: torchvision, timm (raw, state_dict, averaged), MoCo's query
encoder, VISSL (`classy_state_dict`, `model_state_dict`, extracted features' trunks; its heads are left out). And FAIR's
Caffe2 ResNet-50s of Goyal et al. 2019, pickles of blobs (`vissl/extra_scripts/convert_caffe2_to_torchvision_resnet.py`
says what is what).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cfimage.modality import build_network
from cfimage.resnet import ARCHITECTURES, DEPTHS
from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import Checkpoint
from cfvideo.core.foreign.imports import Imported, Interchange, clip_view
from cfvideo.core.foreign.names import below, blocks_of, prefix_before

# Of ImageNet, RGB in [0, 1]: what all of these sources were trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_VIEW = clip_view(num_frames=1, frame_stride=1, short_edge_px=256, crop_px=224, mean=MEAN, std=STD)
_WIDTHS = (64, 128, 256, 512)
_NORM = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_BRANCHES = {"2a": "conv1", "2b": "conv2", "2c": "conv3", "1": "downsample.0"}
_BLOB = re.compile(r"res(?P<stage>[2-5])_(?P<block>\d+)_branch(?P<branch>1|2a|2b|2c)_(?P<norm>bn_)?"
                   r"(?P<what>w|s|b|rm|riv)")
_TOWER = re.compile(r"_s(\d)(?=_|$)")  # Jigsaw's nine towers share their weights


def read_resnet(checkpoint: Checkpoint) -> Imported | None:
    """A ResNet under torchvision's names; None for other checkpoints."""
    prefix = prefix_before(checkpoint.tensors, "layer1.0.conv1.weight")
    if prefix is None:
        return None
    tensors, left_out = below(checkpoint.tensors, prefix)
    heads = [name for name in tensors if name.startswith("fc.") and not _is_head(tensors)]
    trunk = {name: value for name, value in tensors.items() if name not in heads}
    return Imported(_source(prefix), _architecture(checkpoint, trunk), _VIEW, trunk,
                    [*left_out, *(prefix + name for name in heads)])


def _is_head(tensors: Mapping[str, Tensor]) -> bool:
    """Whether fc is one linear layer; MoCo v2 and SimCLR project through several, which are no classifier."""
    return {name for name in tensors if name.startswith("fc.")} == {"fc.weight", "fc.bias"}


def _source(prefix: str) -> str:
    if "_feature_blocks" in prefix or "classy_state_dict" in prefix:
        return f"VISSL, under {prefix}"
    if "encoder_q" in prefix:
        return f"MoCo, under {prefix}"
    return "torchvision or timm (ResNet)" + (f", under {prefix}" if prefix else "")


def _architecture(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What must be built, from names and shapes; what is missing or odd shows when they are compared."""
    blocks = tuple(blocks_of(tensors, rf"layer{stage}\.(\d+)\.") for stage in range(1, 5))
    is_bottleneck = any(name.endswith(".conv3.weight") for name in tensors)
    stem = tensors.get("conv1.weight")
    if not is_bottleneck and stem is not None and stem.shape[-1] == 3:
        widths = [len(tensors.get(f"layer{stage}.0.bn1.weight", range(_WIDTHS[stage - 1]))) for stage in range(1, 5)]
        return {"arch": "resnet", "blocks": list(blocks), "widths": widths}
    arch = "resnet50" if is_bottleneck else "resnet18"
    if blocks != DEPTHS[arch][1]:
        kind = "bottleneck" if is_bottleneck else "basic"
        raise IntegrityError(f"{checkpoint.path}: a ResNet of {blocks} {kind} blocks; ResNet-18 has (2, 2, 2, 2) basic "
                             "ones, ResNet-50 (3, 4, 6, 3) bottlenecks, and no other of this size can be built here")
    return {"arch": arch}


def read_caffe2(checkpoint: Checkpoint) -> Imported | None:
    """FAIR's ResNet-50 in Caffe2; None for other checkpoints. Its first convolution reads BGR: turned to RGB here."""
    stored = {_TOWER.sub("", name): name for name in checkpoint.tensors if _tower(name) == "0"}
    prefix = prefix_before(stored, "res2_0_branch2a_w")
    if prefix is None:
        return None
    blobs, _ = below({name: checkpoint.tensors[stored[name]] for name in stored}, prefix)
    used = [name for name in blobs if _is_ours(name, blobs)]
    tensors = {_our_name(name): blobs[name] for name in used}
    if "conv1.weight" in tensors:
        tensors["conv1.weight"] = tensors["conv1.weight"].flip(1)
    taken = {stored[prefix + name] for name in used}
    return Imported("FAIR (Caffe2 ResNet-50, BGR turned to RGB)", _architecture(checkpoint, tensors), _VIEW, tensors,
                    [name for name in checkpoint.tensors if name not in taken])


def _tower(name: str) -> str:
    found = _TOWER.search(name)
    return found[1] if found else "0"


def _is_ours(name: str, blobs: Mapping[str, Tensor]) -> bool:
    """Whether a blob is the trunk's, or a classifier on its average; Jigsaw's head reads nine patches at once."""
    if name.endswith("_momentum"):
        return False
    head = blobs.get("pred_w")
    return name.startswith(("res", "conv1_")) or (name in ("pred_w", "pred_b") and head is not None
                                                  and head.shape[1:] == (2048,))


def _our_name(name: str) -> str:
    """A blob's name among ours; unchanged where it has none, so that it shows as unexpected."""
    if name == "conv1_w":
        return "conv1.weight"
    if name in ("pred_w", "pred_b"):
        return "fc.weight" if name == "pred_w" else "fc.bias"
    if found := re.fullmatch(r"res_conv1_bn_(s|b|rm|riv)", name):
        return f"bn1.{_NORM[found[1]]}"
    found = _BLOB.fullmatch(name)
    if found is None or (found["norm"] is None) != (found["what"] == "w"):
        return name
    place, inner = f"layer{int(found['stage']) - 1}.{found['block']}", _BRANCHES[found["branch"]]
    if found["norm"] is None:
        return f"{place}.{inner}.weight"
    return f"{place}.{inner.replace('conv', 'bn').replace('downsample.0', 'downsample.1')}.{_NORM[found['what']]}"


def public(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names, which are ours; of a jigsaw network its trunk, whose fc is the projection of patches."""
    trunk, _ = below(tensors, "trunk.")
    return {name: value for name, value in trunk.items() if not name.startswith("fc.")} if trunk else dict(tensors)


def loader(architecture: Mapping[str, Any], num_classes: int) -> str:
    """Python that makes torchvision's network for exported weights; empty where it has none."""
    arch = architecture["arch"]
    if arch not in DEPTHS:
        return ""
    made = f"{arch}(num_classes={num_classes})" if num_classes else f"{arch}()\nnetwork.fc = torch.nn.Identity()"
    return (f"import torch\nfrom torchvision.models import {arch}\n\nnetwork = {made}\n"
            f"# or timm.create_model({arch!r}, num_classes={num_classes}): its names are the same")


IMAGE_WEIGHTS = Interchange(name="image", architectures=ARCHITECTURES, build_network=build_network,
                            families=(read_resnet, read_caffe2), outward=public, loader=loader, mean=MEAN, std=STD)
