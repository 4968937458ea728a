"""Which finished labels are shown, and how the fit that made them went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.index import Index
from cfvideo.core.inspection.request import Request
from cfvideo.core.plan import stale_lines
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.stage import Artefact, Stage
from cfvideo.core.stages.cluster import LABELS
from cfvideo.core.store import MANIFEST, Store, read_manifest


@dataclass(frozen=True)
class Source:
    """role: of the labels, for people. facts: of the assign stage. fit: of its cluster stage; empty where that folder
    is not there."""

    role: str
    labels: PseudoLabels
    facts: Mapping[str, Any]
    fit: Mapping[str, Any]


def open_source(request: Request, stages: Sequence[Stage], seed: int, store: Store, index: Index) -> Source:
    """The labels asked for, of a run with these stages.

    Raises:
        ConfigError: the run makes no such labels, or the folder is no assign stage's.
        IntegrityError: they are not finished, damaged, or of other data than the config now says.
    """
    if request.folder is None:
        artefact = _finished(_stage(stages, seed, request.network), store)
    else:
        artefact = _at(request.folder, "--assign")
    labels = PseudoLabels.load(artefact.file(LABELS), index_hash=index.content_hash)
    fit = artefact.folder.parent.parent / "cluster" / artefact.manifest["inputs"]["kmeans"]
    return Source(artefact.manifest["role"], labels, artefact.facts,
                  _at(fit, "").facts if (fit / MANIFEST).exists() else {})


def _stage(stages: Sequence[Stage], seed: int, network: str) -> Stage:
    assigned = [stage for stage in stages if stage.name == "assign" and stage.about["seed"] == seed]
    for stage in assigned:
        if stage.about["network"] == network:
            return stage
    names = ", ".join(stage.about["network"] for stage in assigned)
    raise ConfigError(f"--labels: this run makes no labels called {network}; it has {names}" if names else
                      f"--seed: {seed} is not among this run's SEEDS")


def _ancestry(stage: Stage) -> list[Stage]:
    """A stage behind all that it is made of."""
    return [*(one for given in stage.inputs.values() for one in _ancestry(given)), stage]


def _finished(stage: Stage, store: Store) -> Artefact:
    found, earlier = store.find(stage), store.manifests(stage.name, stage.role)
    if found is None and earlier:
        folder = store.folder(stage).with_name(earlier[0]["fingerprint"])
        why = stale_lines(_ancestry(stage), store)[:1] or ["its own are not finished"]
        raise IntegrityError(f"the labels that are there are not this config's and program's ({why[0]}): look at them "
                             f"with --assign {folder}, or make new ones with tools/run_net.py")
    return found or store.need(stage)


def _at(folder: Path, option: str) -> Artefact:
    if not (folder / MANIFEST).exists():
        raise ConfigError(f"{option}: {folder} is no finished stage; give OUTPUT_DIR/stages/assign/FINGERPRINT")
    manifest = read_manifest(folder)
    if option and manifest["name"] != "assign":
        raise ConfigError(f"{option}: {folder} is a stage {manifest['name']}, not assign")
    return Artefact(folder, manifest)
