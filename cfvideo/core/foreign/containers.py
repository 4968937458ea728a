"""Checkpoint files of other people's programs, read without executing anything: a flat table of named tensors.

The kind of a file is told by its first bytes, not by its name. Whatever nests (`{"model": {"trunk": ...}}`) is
flattened: a tensor's name is the path that leads to it, joined by dots, so that containers and prefixes are one thing.
"""

from __future__ import annotations

import argparse
import pickle
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from cfvideo.core.durable import sha256_file
from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.pickled import PickledArray, read_pickle

_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a pickled magic number
_MAX_DEPTH = 12
# What torch.load raises for cut and damaged files.
_BROKEN = (OSError, EOFError, RuntimeError, ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError,
           pickle.UnpicklingError, struct.error, ImportError, OverflowError)


@dataclass(frozen=True)
class Checkpoint:
    """A stranger's file, read but not yet understood. kind: torch, safetensors or pickle. tensors: by dotted path."""

    path: Path
    sha256: str
    kind: str
    tensors: dict[str, torch.Tensor]


def read_checkpoint(path: Path) -> Checkpoint:
    """All tensors of a file.

    Raises:
        IntegrityError: missing, damaged, of no known kind, or it holds more than tensors and plain values.
    """
    if path.is_dir():
        raise IntegrityError(f"{path}: a folder; name the one file that holds the weights (a folder of "
                             "torch.distributed.checkpoint is turned into one by its own dcp_to_torch_save)")
    if not path.is_file():
        raise IntegrityError(f"{path}: no such file")
    kind = kind_of(path)
    content = {"torch": _read_torch, "safetensors": _read_safetensors, "pickle": read_pickle}[kind](path)
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in _leaves(content, (), set()):
        if name in tensors:
            raise IntegrityError(f"{path}: holds two tensors by the name {name}")
        tensors[name] = tensor
    if not tensors:
        raise IntegrityError(f"{path}: holds no tensors (a list of shards, as VISSL writes it, is joined by VISSL's "
                             "extra_scripts/convert_sharded_checkpoint.py)")
    return Checkpoint(path, sha256_file(path), kind, tensors)


def kind_of(path: Path) -> str:
    """torch, safetensors or pickle, by the first bytes."""
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith((b"PK\x03\x04", _LEGACY_TORCH)):
        return "torch"
    if head[8:9] == b"{":
        return "safetensors"
    if head.startswith((b"\x80", b"(", b"}", b"c")):
        return "pickle"
    raise IntegrityError(f"{path}: neither a torch file nor safetensors nor a pickle; it begins with {head!r}")


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error


def _read_torch(path: Path) -> Any:
    """torch.load without code: tensors, plain values, and the argparse.Namespace that training scripts add."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked is None:
            cause = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            raise IntegrityError(f"{path}: cannot be read as tensors ({cause}); it may be cut or damaged: fetch it "
                                 "again") from error
        raise IntegrityError(
            f"{path}: holds more than tensors: it asks for {asked[1]}, and loading that would run whatever code its "
            "maker put there. Ask for a file of weights alone. Where you trust the maker as you trust a program, write "
            "the tensors anew on a machine that holds nothing of value, and import the result: python -c \"import "
            f"torch; torch.save(torch.load('{path.name}', weights_only=False)['state_dict'], 'weights.pth')\"",
        ) from error


def _leaves(value: Any, where: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, torch.Tensor]]:
    """(dotted path, tensor) of everything inside; a container that is met twice is entered once."""
    if isinstance(value, torch.Tensor):
        yield ".".join(where), value.detach()
    elif isinstance(value, PickledArray):
        yield ".".join(where), torch.from_numpy(value.value)
    elif isinstance(value, dict | list | tuple) and id(value) not in seen and len(where) < _MAX_DEPTH:
        seen.add(id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _leaves(inner, (*where, str(key)), seen)
