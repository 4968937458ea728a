"""A network of ours for other people: model.safetensors under public names, model.json, README.md."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from cfvideo.core.durable import sha256_file, write_bytes, write_json
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.foreign.imports import HEAD, Interchange, writing
from cfvideo.core.foreign.model_card import model_card
from cfvideo.core.foreign.sidecar import FORMAT, sidecar_of
from cfvideo.core.matching import match
from cfvideo.core.network_file import outlined, read_header
from cfvideo.core.norms import bn_epsilons
from cfvideo.core.recipes import without_task
from cfvideo.core.tensors import load_tensors

WEIGHTS = "model.safetensors"


def export_network(source: Path, out: Path, sides: Sequence[Interchange], *, with_head: bool) -> list[str]:
    """Write the network file `source` into the new folder `out`; returns lines that say what was done.

    A network that learned a pretext task goes out as its trunk alone, for whole, untouched samples: its head tells
    turns or orders of patches apart, which are classes of nobody's data.

    Raises:
        IntegrityError: damaged, not a network file, or not what its header says.
        ConfigError: `out` exists, or cannot be written.
    """
    if out.exists():
        raise ConfigError(f"--out {out}: exists already; delete it or choose another place")
    header = read_header(source)
    tensors, _ = load_tensors(source)
    side = _side(source, header, sides)
    network = outlined(side.build_network, str(source), num_classes=header["num_classes"], **header["architecture"])
    match(tensors, network.state_dict()).require(str(source), f"Its header asks for {header['architecture']}.")
    task = header["architecture"].get("task", "labels")
    header |= {name: without_task(header[name]) for name in ("architecture", "view")}
    with_head = with_head and header["num_classes"] > 0 and task == "labels"
    kept = side.outward({name: value for name, value in tensors.items() if with_head or name not in HEAD})
    data = save(kept, metadata={"format": "pt"})
    facts = _facts(source, header, side, network, with_head) | {"weights_sha256": hashlib.sha256(data).hexdigest()}
    code = side.loader(header["architecture"], facts["num_classes"])
    with writing(out):
        out.mkdir(parents=True)
        write_bytes(out / WEIGHTS, data)
        write_json(sidecar_of(out / WEIGHTS), facts)
        write_bytes(out / "README.md", model_card(facts, code, _parameters(kept)).encode())
    return [f"{side.name} network {header['architecture']}: {len(kept)} tensors",
            *([] if task == "labels" else [f"left out: the head, which answers the pretext task {task}"]),
            *(f"wrote {path}" for path in sorted(out.iterdir()))]


def _side(source: Path, header: Mapping[str, Any], sides: Sequence[Interchange]) -> Interchange:
    arch = header["architecture"].get("arch")
    found = next((side for side in sides if arch in side.architectures), None)
    if found is None:
        raise IntegrityError(f"{source}: its header asks for ARCH {arch}, which is no network of this version")
    return found


def _facts(source: Path, header: Mapping[str, Any], side: Interchange, network: nn.Module, with_head: bool,
           ) -> dict[str, Any]:
    """The sidecar: all that a user of the weights must know."""
    view = {"mean": list(side.mean), "std": list(side.std), **header["view"]}
    names = {"class_names": header["class_names"]} if with_head and "class_names" in header else {}
    return {"format": FORMAT, "modality": side.name, "architecture": header["architecture"],
            "num_classes": header["num_classes"] if with_head else 0, **names, "bn_eps": bn_epsilons(network),
            "view": view, "source_sha256": sha256_file(source), "imported_from": header.get("source")}


def _parameters(tensors: Mapping[str, Tensor]) -> int:
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return sum(value.numel() for name, value in tensors.items() if not name.endswith(statistics))
