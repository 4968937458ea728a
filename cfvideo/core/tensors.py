"""Named arrays in one file: safetensors plus a JSON header with a digest, so that a flipped bit is found.

safetensors executes nothing, but checks no values; torch.load checks neither. The digest covers the bytes of every
tensor, in name order, and the header itself.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from cfvideo.core.durable import canonical_json, write_bytes
from cfvideo.core.errors import IntegrityError

# One metadata entry only: safetensors does not order several, and equal content must give equal bytes.
_KEY = "header"


def _digest(tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(canonical_json(header).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(canonical_json([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any] | None = None, *,
                 tmp: Path | None = None) -> None:
    """Publish `tensors` with a JSON-able `header`, atomically. Equal arguments give equal bytes; `tmp`: write_bytes."""
    header = dict(header or {})
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    entry = canonical_json({"header": header, "sha256": _digest(held, header)})
    write_bytes(path, save(held, metadata={_KEY: entry}), tmp=tmp)


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and header of `path`.

    Raises:
        IntegrityError: missing, cut, damaged, or not written by `save_tensors`.
    """
    tensors, header, expected = _mapped(path)
    if _digest(tensors, header) != expected:
        raise IntegrityError(f"{path}: content does not match its checksum; delete the folder that holds it and run "
                             "the same command again")
    return tensors, header


def map_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """As `load_tensors`, but unverified: of the tensors only what is looked at is read from disk."""
    tensors, header, _ = _mapped(path)
    return tensors, header


def _mapped(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any], str]:
    """Memory-mapped tensors, header and recorded digest; IntegrityError where they cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            entry = _entry(file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, entry["header"], entry["sha256"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error


def _entry(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """Header and digest; ValueError where they are no JSON of ours, which holds neither NaN nor endless nesting."""
    try:
        entry: dict[str, Any] = json.loads((metadata or {})[_KEY], parse_constant=_no_number,
                                           parse_float=_finite)
    except RecursionError as error:
        raise ValueError("its header nests too deeply") from error
    if not isinstance(entry["header"], dict):
        raise ValueError("its header is no table of keys and values")
    return entry


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} in its header")


def _finite(word: str) -> float:
    """JSON has no infinity, but 1e999 is one to Python."""
    return value if math.isfinite(value := float(word)) else _no_number(word)


def load_header(path: Path) -> dict[str, Any]:
    """The header alone, unverified, without reading a tensor."""
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = _entry(file.metadata())["header"]
            return header
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error
