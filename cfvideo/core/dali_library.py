"""NVIDIA DALI, where it is installed, and how batches are handed to it whatever they hold."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch

from cfvideo.core.optional_decoders import imported

# Full-size RGB that one call to DALI may make; larger batches are decoded in several calls.
BYTES_AT_ONCE = 4 << 30


class Decodable(Protocol):
    """A row that DALI may decode."""

    @property
    def decoded_bytes(self) -> int:
        """Size of its pictures, decoded whole."""


Plan = TypeVar("Plan", bound=Decodable)


class Undecoded(Exception):
    """DALI could not decode a batch, or something in it."""


def is_installed() -> bool:
    """Whether DALI is there; does not import it."""
    try:
        return importlib.util.find_spec("nvidia.dali") is not None
    except ModuleNotFoundError:
        return False


def load() -> Any:
    """nvidia.dali.experimental.dynamic. Raises ConfigError where DALI is not installed."""
    return imported("nvidia.dali.experimental.dynamic", decoder="dali",
                    install="pip install nvidia-dali-cuda130 (Linux)")


def resolved(decoder: str, device_type: str) -> str:
    """dali, dali_gpu or dali_cpu -> dali_gpu or dali_cpu. device_type: cuda or cpu, where the networks run. Raises
    ConfigError where DALI is not installed."""
    load()
    return ("dali_gpu" if device_type == "cuda" else "dali_cpu") if decoder == "dali" else decoder


def decoded_each(plans: Sequence[Plan], decode: Callable[[Sequence[Plan]], list[torch.Tensor]]
                 ) -> list[torch.Tensor | None]:
    """What `decode` makes of every plan, portion by portion; None for those that it cannot decode.

    decode: plans -> a tensor each; raises Undecoded where one of them fails all. Those portions go one by one.
    """
    return [tensor for portion in portions(plans) for tensor in _of_portion(portion, decode)]


def _of_portion(plans: Sequence[Plan], decode: Callable[[Sequence[Plan]], list[torch.Tensor]]
                ) -> Iterator[torch.Tensor | None]:
    try:
        yield from decode(plans)
    except Undecoded:
        if len(plans) == 1:
            yield None
        else:
            for plan in plans:
                yield from _of_portion([plan], decode)


def portions(plans: Sequence[Plan]) -> Iterator[list[Plan]]:
    """Consecutive plans that one call may decode, at least one of them each."""
    portion, held = list[Plan](), 0
    for plan in plans:
        if portion and held + plan.decoded_bytes > BYTES_AT_ONCE:
            yield portion
            portion, held = [], 0
        portion.append(plan)
        held += plan.decoded_bytes
    if portion:
        yield portion
