"""From a stranger's checkpoint to a network file of ours: recognised, checked name by name, written whole or not."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.foreign.containers import Checkpoint
from cfvideo.core.foreign.names import part_of
from cfvideo.core.foreign.sidecar import read_sidecar
from cfvideo.core.matching import Match, match
from cfvideo.core.network_file import is_network_file, outlined, write_network
from cfvideo.core.specs import GEOMETRY, ClipSpec

_COUNTER = "num_batches_tracked"  # of batch norms; older programs do not keep it, and nothing of ours reads it
_POSITIVE = (*GEOMETRY["video"], "std")
HEAD = ("fc.weight", "fc.bias")


@dataclass(frozen=True)
class Imported:
    """What a checkpoint was recognised as.

    source: whose it is, for people. architecture: arguments of the modality's build_network. view: what the network
    expects to be fed (see `clip_view`). tensors: by our names. num_classes: 0 where there is no head.
    left_out: names in the file that are not of this network: optimizers, other heads. class_names: of the head, in
    order, where they are known.
    """

    source: str
    architecture: Mapping[str, Any]
    view: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]
    left_out: Sequence[str] = ()
    class_names: Sequence[str] = ()

    @property
    def num_classes(self) -> int:
        return len(self.tensors["fc.weight"]) if "fc.weight" in self.tensors else 0


Family = Callable[[Checkpoint], Imported | None]


@dataclass(frozen=True)
class Interchange:
    """All that one modality knows of other people's weights.

    architectures: words that ARCH may take. families: each recognises one kind of checkpoint, or gives None; it raises
    IntegrityError with the reason for kinds that cannot be used. outward: our tensors by public names. loader: Python
    that makes a public library's network for exported names, or nothing where there is none. mean, std: of RGB in
    [0, 1], what the modality normalises with where a view says nothing.
    """

    name: str
    architectures: tuple[str, ...]
    build_network: Callable[..., nn.Module]
    families: tuple[Family, ...]
    outward: Callable[[Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]
    loader: Callable[[Mapping[str, Any], int], str]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Asked:
    """What the user says of the network, where that is more than the file tells. None and empty: take the file's."""

    arch: str = ""
    num_classes: int | None = None
    bn_eps: float | None = None
    view: Mapping[str, Any] = field(default_factory=dict)


def clip_view(*, num_frames: int, frame_stride: int, short_edge_px: int, crop_px: int, mean: Sequence[float],
              std: Sequence[float]) -> dict[str, Any]:
    """The view of a network file: the fields of ClipSpec, and the mean and deviation of RGB in [0, 1]."""
    clip = ClipSpec(num_frames=num_frames, frame_stride=frame_stride, short_edge_px=short_edge_px, crop_px=crop_px)
    return {**dataclasses.asdict(clip), "mean": list(mean), "std": list(std)}


def recognised(checkpoint: Checkpoint, sides: Sequence[Interchange]) -> tuple[Interchange, Imported]:
    """Whose checkpoint it is. One of our own exports says itself how it was built and what it is fed.

    Raises:
        IntegrityError: nobody's that is known, or one that cannot be used, with the reason.
        ConfigError: it is a network file of ours.
    """
    if checkpoint.kind == "safetensors" and is_network_file(checkpoint.path):
        raise ConfigError(f"{checkpoint.path}: a network file of this program already; N_PRE.WEIGHTS takes it as it is")
    single = [name for name, value in checkpoint.tensors.items() if name.endswith("weight") and not value.ndim]
    if single:
        raise IntegrityError(f"{checkpoint.path}: {single[0]} is a single number, which no weight of a network is")
    for side in sides:
        found = next((found for family in side.families if (found := family(checkpoint)) is not None), None)
        if found is not None:
            told = read_sidecar(checkpoint)
            return side, dataclasses.replace(found, **{**told, "view": {**found.view, **told.get("view", {})}})
    names = list(checkpoint.tensors)
    raise IntegrityError(f"{checkpoint.path}: weights of an unknown network; {len(names)} tensors: "
                         f"{', '.join(names[:8])} ...")


def adjusted(found: Imported, asked: Asked) -> Imported:
    """With the user's word in place of the file's, where there is one. Raises ConfigError where it makes no sense."""
    architecture = {**found.architecture, **({"arch": asked.arch} if asked.arch else {}),
                    **({} if asked.bn_eps is None else {"bn_eps": asked.bn_eps})}
    view = {**found.view, **asked.view}
    if view["crop_px"] > view["short_edge_px"] or min(np.ravel(view[name]).min() for name in _POSITIVE) <= 0:
        raise ConfigError(f"what the network is fed: {', '.join(_POSITIVE)} are above 0 and crop_px is not above "
                          f"short_edge_px, got {view}")
    return dataclasses.replace(found, architecture=architecture, view=view)


def fitted(side: Interchange, found: Imported, num_classes: int | None = None) -> tuple[dict[str, torch.Tensor], Match]:
    """The state dict of the network that was found, float32, and how the file's tensors match it.

    num_classes: what the head should have; None: what it has. A file without a head gives one of no classes.
    """
    num_classes = found.num_classes if num_classes is None else num_classes
    wanted = outlined(side.build_network, found.source, num_classes=num_classes, **found.architecture).state_dict()
    state = dict(found.tensors)
    if not found.num_classes and not num_classes:
        state |= {name: torch.zeros(wanted[name].shape) for name in HEAD}
    state |= {name: torch.zeros((), dtype=torch.int64) for name in wanted
              if name.endswith(_COUNTER) and name not in state}
    matched = match(state, wanted)
    return {name: state[name].to(wanted[name].dtype) for name in matched.loaded}, matched


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Raises ConfigError where what is asked for at `out` cannot be written there."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written ({error}); choose a place that can be") from error


def import_weights(checkpoint: Checkpoint, sides: Sequence[Interchange], out: Path, asked: Asked) -> list[str]:
    """Write `checkpoint` as a network file of ours at `out`; returns lines that say what was done.

    Raises:
        IntegrityError: it is not recognised, does not match in every name and shape, or holds NaN.
        ConfigError: `out` exists, or cannot be written.
    """
    if out.exists():
        raise ConfigError(f"--out {out}: exists already; delete it or choose another place")
    side, found = recognised(checkpoint, sides)
    found = adjusted(found, asked)
    state, matched = fitted(side, found, asked.num_classes)
    matched.require(str(checkpoint.path), f"It was recognised as {found.source}, {found.architecture}.")
    broken = [name for name, value in state.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise IntegrityError(f"{checkpoint.path}: NaN or infinite numbers in {', '.join(broken[:8])}")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_network(out, state, architecture=found.architecture, num_classes=found.num_classes, view=found.view,
                      class_names=found.class_names,
                      source={"file": checkpoint.path.name, "sha256": checkpoint.sha256, "kind": found.source})
    return [*described(side, found), f"loaded: {len(matched.loaded)} tensors, every one of the network", f"wrote {out}"]


def listing(checkpoint: Checkpoint, sides: Sequence[Interchange], asked: Asked) -> list[str]:
    """What a file holds, whose it is, and whether it fits; nothing is written."""
    side, found = recognised(checkpoint, sides)
    found = adjusted(found, asked)
    _, matched = fitted(side, found, asked.num_classes)
    tensors = [f"{name}  {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
               for name, value in checkpoint.tensors.items()]
    return [*tensors, *described(side, found), f"loaded: {len(matched.loaded)}",
            *(matched.lines() or ["every tensor of the network is there"])]


def described(side: Interchange, found: Imported) -> list[str]:
    """What was recognised, and what of the file is not used."""
    named = " with their names" if found.class_names else ""
    head = f"{found.num_classes} classes{named}" if found.num_classes else "no head: features only"
    lines = [f"{found.source}: {side.name} network {dict(found.architecture)}, {head}", f"view: {dict(found.view)}"]
    groups = Counter(part_of(name) for name in found.left_out)
    if groups:
        lines.append("left out: " + ", ".join(f"{name} ({num} tensors)" for name, num in groups.most_common()))
    return lines
