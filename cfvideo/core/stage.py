"""A stage: a function of (keys, input artefacts) to a folder whose manifest is written last.

Its identity is a fingerprint of what can change its result: name, version, keys, the fingerprints of its inputs.
Work happens in `<fingerprint>.partial`; the finished folder is renamed into place. A folder with a manifest is
finished, one without is resumed, and equal work asked for by two experiments is done once. `store.py` keeps the
folders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cfvideo.core.durable import canonical_json, sha256_file
from cfvideo.core.errors import IntegrityError
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.screen import Screen

SCRATCH = "scratch"


@dataclass(frozen=True)
class Cost:
    """What a stage is reckoned to cost: rows read, floating-point operations, bytes read and written."""

    rows: int = 0
    flops: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True)
class Workspace:
    """What a running stage is given.

    folder: to write into; may hold the remains of an interrupted attempt. inputs: finished artefacts by name.
    events: where TensorBoard events of this stage go.
    """

    folder: Path
    inputs: Mapping[str, Artefact]
    screen: Screen
    stop: StopRequest
    title: str
    events: Path

    @property
    def scratch(self) -> Path:
        """For what only a resumed attempt needs: kept until the stage's manifest is on disk, never published."""
        folder = self.folder / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline.

    name: what kind (extract). role: which one, for people (seed 0: n_pre on d_cf). keys: config keys and facts that
    decide the result. run: does the work and returns facts for the manifest. cost: reckoned before running. about:
    seed, network, target and the like, for the report; like `role` it does not decide the result. by_all: every process
    of torchrun calls `run`, which shares the work out; otherwise the first one works and the others wait.
    """

    name: str
    role: str
    keys: Mapping[str, Any]
    inputs: Mapping[str, Stage]
    run: Callable[[Workspace], Mapping[str, Any]]
    cost: Cost = field(default_factory=Cost)
    about: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    by_all: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of everything that can change the result."""
        inputs = {name: stage.fingerprint for name, stage in self.inputs.items()}
        identity = {"name": self.name, "version": self.version, "keys": dict(self.keys), "inputs": inputs}
        return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Artefact:
    """A finished stage's folder and manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the stage reported of itself."""
        facts: Mapping[str, Any] = self.manifest["facts"]
        return facts

    def file(self, name: str) -> Path:
        """One file, verified against the manifest.

        Raises:
            IntegrityError: it is missing or its bytes changed since the stage finished.
        """
        path = self.folder / name
        expected = self.manifest["files"].get(name)
        if expected is None or not path.is_file() or sha256_file(path) != expected["sha256"]:
            raise IntegrityError(f"{path}: missing or changed since it was made; delete {self.folder} and run the "
                                 "same command again")
        return path
