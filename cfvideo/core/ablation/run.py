"""One ablation, from its name to its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import torch
from rich.markup import escape
from rich.table import Table

from cfvideo.core.ablation.catalogue import ABLATIONS
from cfvideo.core.ablation.variants import Ablation, Base
from cfvideo.core.config import dump_yaml, load_run_spec
from cfvideo.core.datasets import open_datasets
from cfvideo.core.device import pick_device, resolved_threads
from cfvideo.core.distributed import current, joined
from cfvideo.core.durable import write_bytes
from cfvideo.core.errors import ConfigError
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.job import Job, carry_out, describe, facts_of, machine
from cfvideo.core.pipeline import Pipeline
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.rows import Wired
from cfvideo.core.pipeline.study import Study
from cfvideo.core.records import Modality
from cfvideo.core.report.layout import Layout
from cfvideo.core.screen import Screen
from cfvideo.core.specs import RunSpec
from cfvideo.core.stage import Artefact
from cfvideo.core.stages.report import Cover
from cfvideo.core.store import Store


@dataclass(frozen=True)
class Request:
    """What the command line asks for; `command` is the command itself."""

    name: str
    files: Sequence[Path]
    command: str
    overrides: Sequence[str] = ()
    seeds: Sequence[int] = ()
    values: Sequence[str] = ()
    clusters: Sequence[str] = ()
    lists: Sequence[Path] = field(default=())
    dry_run: bool = False

    def spec(self, more: Sequence[str] = ()) -> RunSpec:
        """The base config, or a variant of it."""
        seeds = ["SEEDS", f"[{', '.join(map(str, self.seeds))}]"] if self.seeds else []
        return load_run_spec(self.files, [*self.overrides, *seeds, *more])


def ablate(modality: Modality, request: Request) -> int:
    """Do, or with dry_run only describe, an ablation; returns the exit code, or raises a CfError that carries one.

    The variants share one store, so each distinct stage is made once, and all of them one report, which lies in
    OUTPUT_DIR/ablations/NAME.
    """
    if request.name not in ABLATIONS:
        raise ConfigError(f"unknown ablation {request.name}; there are {', '.join(ABLATIONS)}")
    if not request.files:
        raise ConfigError("--cfg: give at least one config file, for example --cfg configs/demo.yaml")
    stop = StopRequest()
    with stop.installed(), joined():
        # Variants ask for the same files again and again: a list of a million videos is read once.
        modality = replace(modality, read_index=cache(modality.read_index))
        screen, spec = Screen(quiet=not current().is_first), request.spec()
        torch.set_num_threads(resolved_threads(spec.system.threads))
        job, ablation = _job(modality, request, spec, screen)
        _announce(request, ablation, job, screen)
        store = Store(Path(spec.output_dir))
        code = describe(job, store, screen)
        if request.dry_run:
            if code == 0:
                screen.say("Nothing was written. Run the same command without --dry-run to do this.")
            return code
        carry_out(job, store, screen, stop, is_described=True)
    return 0


def _job(modality: Modality, request: Request, spec: RunSpec, screen: Screen) -> tuple[Job, Ablation]:
    quiet, device = Screen(quiet=True), pick_device(spec.system.device)
    context = Context(spec, modality, open_datasets(spec, modality, screen), device)
    base = Base(context, lambda words: open_datasets(request.spec(words), modality, quiet), request.values,
                request.clusters, request.lists)
    ablation = ABLATIONS[request.name](base)
    cover = Cover(title=f"{ablation.title}: {spec.name}", command=request.command, config_yaml=dump_yaml(spec),
                  expectation=ablation.expectation, facts=facts_of(context.data) | _variants_of(ablation),
                  machine=machine(), layout=Layout(num_clusters=spec.cluster.num_clusters))
    pipelines = []
    for variant in ablation.variants:
        own = request.spec(variant.overrides)
        pipelines.append(Pipeline(own, modality, open_datasets(own, modality, quiet), device, cover))
    runs = [Wired(variant.at, one.work) for variant, one in zip(ablation.variants, pipelines, strict=True)]
    study = Study([one.context for one in pipelines], runs, cover, ablation.axis, ablation.legend)
    publish = partial(_publish, folder=Path(spec.output_dir) / "ablations" / request.name, title=cover.title)
    return Job(spec, study, [one.data for one in pipelines], publish), ablation


def _publish(artefact: Artefact, *, folder: Path, title: str) -> Path:
    """The page and what lies beside it; files of an earlier page that this one has not are gone."""
    earlier = Store(folder.parent.parent).manifests("report", title)
    for name in {name for manifest in earlier for name in manifest["files"]} - set(artefact.manifest["files"]):
        (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in artefact.manifest["files"]:
        write_bytes(folder / name, artefact.file(name).read_bytes())
    return folder / "report.html"


def _variants_of(ablation: Ablation) -> dict[str, str]:
    """What each variant changes, and what none of them has, for the page."""
    changed = {f"variant {' '.join(variant.at.values()) or 'of the config'}": " ".join(variant.overrides) or "nothing"
               for variant in ablation.variants}
    return changed | ({"left out": ablation.left_out} if ablation.left_out else {})


def _announce(request: Request, ablation: Ablation, job: Job, screen: Screen) -> None:
    if request.dry_run:
        screen.say(dump_yaml(job.spec))
    table = Table(title=f"{escape(request.name)}: {len(ablation.variants)} variants, seeds "
                  f"{', '.join(map(str, job.spec.seeds))}", title_justify="left")
    for name in ("variant", "KEY VALUE"):
        table.add_column(name, overflow="fold")
    for variant in ablation.variants:
        table.add_row(escape(" ".join(variant.at.values())), escape(" ".join(variant.overrides)))
    screen.console.print(table)
    if ablation.left_out:
        screen.say(f"Left out: {ablation.left_out}")
