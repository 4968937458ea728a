"""The stage folders of one OUTPUT_DIR: find the finished, run the others, publish each whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cfvideo.core.durable import TMP_SUFFIX, fsync_folder, sha256_file, write_json
from cfvideo.core.errors import IntegrityError
from cfvideo.core.faults import enter_stage, fault_point
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Artefact, Stage, Workspace

MANIFEST = "manifest.json"
PARTIAL = ".partial"


class Store:
    """All stage folders of one OUTPUT_DIR: stages/<name>/<fingerprint>/."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: Stage) -> Path:
        """Where the finished stage lies or will lie."""
        return self.root / "stages" / stage.name / stage.fingerprint

    def partial(self, stage: Stage) -> Path:
        """Where it is being made."""
        folder = self.folder(stage)
        return folder.with_name(folder.name + PARTIAL)

    def find(self, stage: Stage) -> Artefact | None:
        """The finished stage, if there is one: its manifest names files that all exist with the right size."""
        folder = self.folder(stage)
        if not (folder / MANIFEST).exists():
            return None
        manifest = read_manifest(folder)
        for name, entry in manifest["files"].items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != entry["bytes"]:
                raise IntegrityError(f"{path}: missing or of another size than when it was made; delete {folder} and "
                                     "run the same command again")
        return Artefact(folder, manifest)

    def need(self, stage: Stage) -> Artefact:
        """The finished stage, or an error that says it is not there."""
        found = self.find(stage)
        if found is None:
            raise IntegrityError(f"stage {stage.name} ({stage.role}) is not finished; run it first: leave --stages out "
                                 f"or add {stage.name} to it")
        return found

    def manifests(self, name: str, role: str) -> list[Mapping[str, Any]]:
        """Finished stages of the same name and role, newest first: what a changed key made stale."""
        found = [(path.stat().st_mtime_ns, read_manifest(path.parent))
                 for path in (self.root / "stages" / name).glob(f"*/{MANIFEST}")]
        return [manifest for _, manifest in sorted(found, key=lambda pair: -pair[0]) if manifest["role"] == role]


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of a finished folder; IntegrityError where it is not JSON."""
    path = folder / MANIFEST
    try:
        manifest: Mapping[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise IntegrityError(f"{path}: not readable: {error}; delete {folder} and run again") from error
    return manifest


def run_stage(stage: Stage, store: Store, *, screen: Screen, stop: StopRequest,
              clock: Callable[[], float], versions: Mapping[str, str]) -> Artefact:
    """Make the stage's folder, resuming what an earlier attempt left; publish it whole."""
    partial = store.partial(stage)
    partial.mkdir(parents=True, exist_ok=True)
    for stray in partial.glob(f"*{TMP_SUFFIX}"):
        stray.unlink()
    enter_stage(stage.name)
    fault_point("start")
    began = clock()
    inputs = {name: store.need(given) for name, given in stage.inputs.items()}
    events = store.root / "tensorboard" / f"{stage.role.replace(' ', '_').replace(':', '')}-{stage.fingerprint[:8]}"
    work = Workspace(partial, inputs, screen, stop, f"{stage.name} {stage.role}", events)
    facts = stage.run(work)
    _publish(stage, partial, store.folder(stage), {"facts": dict(facts), "seconds": round(clock() - began, 1),
                                                   "versions": dict(versions)})
    return store.need(stage)


def _publish(stage: Stage, partial: Path, final: Path, result: Mapping[str, Any]) -> None:
    """Flush every file, write the manifest, rename the folder."""
    for path in _files(partial):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    files = {str(path.relative_to(partial)): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
             for path in _files(partial) if path.name != MANIFEST}
    write_json(partial / MANIFEST, {
        "name": stage.name, "role": stage.role, "version": stage.version, "fingerprint": stage.fingerprint,
        "keys": dict(stage.keys), "inputs": {name: given.fingerprint for name, given in stage.inputs.items()},
        "files": files, **result})
    fault_point("manifest")
    if final.exists():  # without a manifest, or find() would have answered: remains of a deletion
        shutil.rmtree(final)
    partial.rename(final)
    fsync_folder(final.parent)
    fault_point("published")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
