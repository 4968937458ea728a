"""Do these tensors fit that network? Name by name, so that a refusal can say which do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from cfvideo.core.errors import IntegrityError

_SHOWN = 12


@dataclass(frozen=True)
class Match:
    """What fits and what does not. mismatched: (name, what the file holds, what the network takes)."""

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, str, str], ...]

    @property
    def is_whole(self) -> bool:
        return not (self.missing or self.unexpected or self.mismatched)

    def lines(self) -> list[str]:
        """One line per kind of trouble, with its names."""
        differing = [f"{name} ({found}, the network takes {wanted})" for name, found, wanted in self.mismatched]
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("mismatched", differing))
        return [f"{kind}: {_listed(names)}" for kind, names in kinds if names]

    def require(self, where: str, way_out: str) -> None:
        """Raises IntegrityError with the names, unless everything fits."""
        if not self.is_whole:
            head = f"{where}: weights of another network, of which {len(self.loaded)} fit; nothing was loaded"
            raise IntegrityError("\n  ".join([head, *self.lines(), way_out]))


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return f"{len(names)}: {', '.join(names[:_SHOWN])}" + (f" and {rest} more" if rest > 0 else "")


def match(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> Match:
    """Compare names, shapes and whether values are floating-point numbers; `wanted` may live on the meta device."""
    shared = [name for name in wanted if name in found]
    mismatched = tuple((name, _kind(found[name]), _kind(wanted[name])) for name in shared
                       if _kind(found[name]) != _kind(wanted[name]))
    bad = {name for name, _, _ in mismatched}
    return Match(loaded=tuple(name for name in shared if name not in bad),
                 missing=tuple(name for name in wanted if name not in found),
                 unexpected=tuple(name for name in found if name not in wanted), mismatched=mismatched)


def _kind(tensor: torch.Tensor) -> str:
    kind = "float" if tensor.is_floating_point() else "complex" if tensor.is_complex() else "integer"
    return f"{kind} {list(tensor.shape)}"
