"""One shard's content: a status byte per row, float16, and what makes it worth believing."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.errors import IntegrityError
from cfvideo.core.tensors import load_tensors

# Name of the tensor that holds a byte per row; every other tensor is a layer.
STATUS = "status"
OK = 0
# What the bytes mean, on disk for good: append, never renumber. The cause is in the shard's header.
STATUS_BYTES = {"ok": OK, "undecodable": 1, "nonfinite": 2, "missing": 3, "refused": 4, "no_video": 5, "timeout": 6,
                "crashed": 7}
_INFINITE = 0x7C00  # float16 without its sign: from here on Inf, then NaN
_CHUNK = 1 << 20


def half_precision(features: NDArray[np.float32]) -> NDArray[np.float16]:
    """Rounded to float16; what is too large becomes Inf."""
    with np.errstate(over="ignore"):
        return features.astype(np.float16)


def verify_once(path: Path) -> None:
    """Check a shard's digest, and that it holds no NaN and no Inf, unless this process has done so already.

    A k-means passes over its features many times; a file that has changed since is checked again.

    Raises:
        IntegrityError: missing, damaged, or with a feature that is not finite.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error
    _verify(path, (found.st_ino, found.st_size, found.st_mtime_ns))


@cache
def _verify(path: Path, _state: tuple[int, int, int]) -> None:
    tensors, _ = load_tensors(path)
    for name, values in tensors.items():
        if name != STATUS and not _is_finite_half(values):
            raise IntegrityError(f"{path}: layer {name} holds NaN, Inf or no float16; delete the folder that holds it "
                                 "and run the same command again")


def _is_finite_half(values: torch.Tensor) -> bool:
    """Asked of the bits, which is four times as fast as NumPy's isfinite, because that converts float16 first."""
    if values.dtype != torch.float16:
        return False
    bits = values.numpy().reshape(-1).view(np.uint16)
    return all(int((bits[at:at + _CHUNK] & 0x7FFF).max()) < _INFINITE for at in range(0, len(bits), _CHUNK))
