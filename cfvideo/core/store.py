"""The stage folders of one OUTPUT_DIR: find the finished, run the others, publish each whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cfvideo.core.distributed import current, first_only, from_first
from cfvideo.core.durable import TMP_SUFFIX, canonical_json, fsync_folder, sha256_file, write_json
from cfvideo.core.errors import IntegrityError
from cfvideo.core.faults import enter_stage, fault_point
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.screen import Screen
from cfvideo.core.stage import SCRATCH, Artefact, Stage, Workspace

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
    """The manifest of a finished folder; IntegrityError where it is not what was written."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        whole = manifest.pop("sha256") == _digest(manifest)
    except (ValueError, KeyError, AttributeError) as error:
        raise IntegrityError(f"{path}: not readable: {error}; delete {folder} and run again") from error
    if not whole:
        raise IntegrityError(f"{path}: changed since it was written; delete {folder} and run again")
    return manifest


def run_stage(stage: Stage, store: Store, *, screen: Screen, stop: StopRequest,
              clock: Callable[[], float], versions: Mapping[str, str]) -> Artefact:
    """Make the stage's folder, resuming what an earlier attempt left; publish it whole.

    Every process of torchrun calls this. The first one prepares and publishes; the work itself is shared where the
    stage says so.
    """
    enter_stage(stage.name)
    partial = store.partial(stage)
    with first_only(stop.check) as mine:  # checking a large finished folder outlasts a collective
        whole = mine and _prepare(partial, stop.check)
    if not from_first(whole):
        began = clock()
        facts = _work(stage, store, partial, screen, stop)
        if current().is_first:
            _seal(stage, partial, {"facts": dict(facts), "seconds": round(clock() - began, 1),
                                   "versions": dict(versions)})
    with first_only(stop.check) as mine:
        if mine:
            _finish(stage, store)
    return store.need(stage)


def _prepare(partial: Path, check: Callable[[], None]) -> bool:
    """Sweep the folder; whether an earlier attempt has already finished the work in it. `check` may raise."""
    partial.mkdir(parents=True, exist_ok=True)
    for stray in partial.rglob(f"*{TMP_SUFFIX}"):
        stray.unlink()
    fault_point("start")
    return _is_complete(partial, check)


def _work(stage: Stage, store: Store, partial: Path, screen: Screen, stop: StopRequest) -> Mapping[str, Any]:
    """Run the stage: on all processes together, or on the first while the others wait."""
    inputs = {name: store.need(given) for name, given in stage.inputs.items()}
    events = store.root / "tensorboard" / f"{stage.role.replace(' ', '_').replace(':', '')}-{stage.fingerprint[:8]}"
    work = Workspace(partial, inputs, screen, stop, f"{stage.name} {stage.role}", events)
    if stage.by_all:
        return stage.run(work)
    with first_only(stop.check) as mine:
        return stage.run(work) if mine else {}


def _seal(stage: Stage, partial: Path, result: Mapping[str, Any]) -> None:
    """Flush every file and write the manifest: from here on the stage's work is done."""
    for path in _files(partial):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    files = {str(path.relative_to(partial)): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
             for path in _files(partial) if path.name != MANIFEST}
    content = {"name": stage.name, "role": stage.role, "version": stage.version, "fingerprint": stage.fingerprint,
               "keys": dict(stage.keys), "inputs": {name: given.fingerprint for name, given in stage.inputs.items()},
               "files": files, **result}
    write_json(partial / MANIFEST, {**content, "sha256": _digest(content)})
    fault_point("manifest")


def _is_complete(partial: Path, check: Callable[[], None]) -> bool:
    """Whether an earlier attempt was killed between its manifest and its publication."""
    if not (partial / MANIFEST).exists():
        return False
    try:
        files = read_manifest(partial)["files"]
        whole = True
        for name, entry in files.items():
            check()
            whole = whole and (partial / name).is_file() and sha256_file(partial / name) == entry["sha256"]
    except IntegrityError:
        whole = False
    if not whole:
        (partial / MANIFEST).unlink()
    return whole


def _finish(stage: Stage, store: Store) -> None:
    """Drop the scratch folder and rename the sealed one into place."""
    partial, final = store.partial(stage), store.folder(stage)
    shutil.rmtree(partial / SCRATCH, ignore_errors=True)
    if final.exists():  # without a manifest, or find() would have answered: remains of a deletion
        shutil.rmtree(final)
    partial.rename(final)
    fsync_folder(final.parent)
    fault_point("published")


def _files(folder: Path) -> list[Path]:
    """What the stage publishes; the folder itself may lie on a disk called scratch."""
    return sorted(path for path in folder.rglob("*")
                  if path.is_file() and SCRATCH not in path.relative_to(folder).parts)


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(json.loads(json.dumps(content))).encode()).hexdigest()
