"""The JSON beside an exported file: what its tensors cannot say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import Checkpoint
from cfvideo.core.network_facts import check_facts, class_names_of

FORMAT = "clusterfit-video network, 1"
_NEEDED = ("weights_sha256", "architecture", "view", "num_classes")


def sidecar_of(weights: Path) -> Path:
    """model.safetensors -> model.json."""
    return weights.with_suffix(".json")


def read_sidecar(checkpoint: Checkpoint) -> dict[str, Any]:
    """source, architecture, view and class_names of an export of ours; nothing where no such file lies beside it.

    Raises:
        IntegrityError: it belongs to another file, says what no network can be, or does not name each class.
    """
    path = sidecar_of(checkpoint.path)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(told, dict) or told.get("format") != FORMAT or not told.keys() >= set(_NEEDED):
        return {}
    if told["weights_sha256"] != checkpoint.sha256:
        raise IntegrityError(f"{path}: describes another file than {checkpoint.path.name}, or one of them was changed; "
                             "export both again")
    check_facts(path, told)
    return {"source": "an export of this project", "architecture": told["architecture"], "view": told["view"],
            "class_names": class_names_of(path, told)}
