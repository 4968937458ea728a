"""Finding a network's weights among all that a checkpoint holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch

from cfvideo.core.errors import IntegrityError

# What may stand before a network's own names: containers, wrappers, and the part of a larger model that it is.
_WORDS = ("state_dict", "state_dict_ema", "model", "model_ema", "model_state", "model_state_dict", "module", "network",
          "net", "backbone", "encoder", "encoder_q", "base_encoder", "online_encoder", "teacher", "trunk", "base_model",
          "_feature_blocks", "classy_state_dict", "blobs")
_MAX_BLOCKS = 256  # as BLOCKS of a config


def prefix_before(names: Iterable[str], anchor: str) -> str | None:
    """The prefix under which `anchor`, a name that every network of a family has, stands; None where it does not.

    Where there are several, averaged weights (`..._ema`) are taken, as timm does; else the first in the file.
    """
    found = [name.removesuffix(anchor) for name in names if name.endswith(anchor)]
    known = [prefix for prefix in found
             if prefix == "" or (prefix.endswith(".") and all(word in _WORDS for word in prefix[:-1].split(".")))]
    return min(known, key=lambda prefix: "_ema" not in prefix, default=None)


def below(tensors: Mapping[str, torch.Tensor], prefix: str) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The tensors whose names begin with `prefix`, without it; and the names of the others."""
    inside = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return inside, [name for name in tensors if not name.startswith(prefix)]


def part_of(name: str) -> str:
    """The first word of a name that says what it belongs to: optimizer, heads, encoder_k."""
    words = name.split(".")
    return next((word for word in words if word not in _WORDS), words[-1])


def blocks_of(names: Iterable[str], pattern: str) -> int:
    """Number of blocks of a stage: one more than the highest that group 1 of `pattern` finds; at least 1.

    Raises:
        IntegrityError: more than a config may ask for, named before anybody builds them.
    """
    found = {int(match[1]): name for name in names if (match := re.match(pattern, name))}
    highest = max(found, default=0)
    if highest >= _MAX_BLOCKS:
        raise IntegrityError(f"{found[highest]}: no network here has more than {_MAX_BLOCKS} blocks in a stage")
    return 1 + highest
