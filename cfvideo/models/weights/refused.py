"""Checkpoints that look usable and are not, each with the reason and a way out."""

from __future__ import annotations

import re

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import Checkpoint
from cfvideo.core.foreign.imports import Imported

_REASONS = {
    r"(.*\.)?conv1\.(conv\.)?conv_s\.weight": (
        "MMAction2's R(2+1)D is not the network of the paper: its stem has 83 inner channels instead of 45 and a "
        "max-pool after it, and its shortcuts are factorised; take ig65m-pytorch's, VMZ's or torchvision's weights"),
    r"(.*\.)?s1\.pathway0_stem\..*": (
        "PySlowFast's networks have names and wirings of their own; take PyTorchVideo's conversion of the same network "
        "(its model zoo has X3D, Slow, CSN and R(2+1)D-50)"),
    r"(.*\.)?(attn\.qkv\.weight|attn\.q\.weight|cls_token|patch_embed\.proj\.weight)": (
        "a vision transformer has neither conv1, res2 ... res5 nor batch norms, and no place among the networks here; "
        "take a ResNet of the same method"),
}


def refuse(checkpoint: Checkpoint) -> Imported | None:
    """None for everything that may be usable.

    Raises:
        IntegrityError: a kind that is not, with the reason.
    """
    for pattern, reason in _REASONS.items():
        named = next((name for name in checkpoint.tensors if re.fullmatch(pattern, name)), None)
        if named is not None:
            raise IntegrityError(f"{checkpoint.path}: {reason} (recognised by {named})")
    return None
