"""One run, from config files to the last line on the screen; the modality is the caller's choice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from cfvideo.core.config import dump_yaml, load_run_spec
from cfvideo.core.datasets import DataSets, open_datasets
from cfvideo.core.device import pick_device, resolved_threads
from cfvideo.core.distributed import current, first_only, from_first, joined
from cfvideo.core.errors import ConfigError, DataError
from cfvideo.core.execute import execute, publish_report, select, versions
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.lock import output_lock
from cfvideo.core.pipeline import Pipeline
from cfvideo.core.plan import plan_table, stale_lines
from cfvideo.core.records import Modality
from cfvideo.core.report.console import console_table
from cfvideo.core.report.verdict import verdict
from cfvideo.core.screen import Screen
from cfvideo.core.specs import RunSpec
from cfvideo.core.stage import Stage
from cfvideo.core.stages.report import Cover, collect
from cfvideo.core.store import Store

_UNTRAINED = ("It does not print an untrained network; here it stands in every table, because without it a small "
              "target can show nothing at all.")
EXPECTATIONS = {
    "video": "The paper (Table 5, IG-Verb-19M, R(2+1)D-34, K = 3200) finds N_cf above N_pre by 2.7 points on Kinetics, "
             "4.3 on Sports1M and 2.4 on Something-Something V1, and the gain to grow with label noise (Figure 3). "
             + _UNTRAINED,
    "image": "The paper (Table 6, ImageNet-1K, ResNet-50, K = 16000, best layer) finds N_cf above N_pre by 7.2 points "
             "for RotNet and 9.2 for Jigsaw on ImageNet-1K, res5 of N_pre to transfer worse than res4 and N_cf to "
             "close that gap (Figure 4), and with labels the gain to grow with their noise (Figure 3). " + _UNTRAINED}


def run(modality: Modality, *, files: Sequence[Path], overrides: Sequence[str], stages: str, dry_run: bool,
        command: str) -> int:
    """Do, or with `dry_run` only describe, the run; returns the exit code, or raises a CfError that carries one."""
    if not files:
        raise ConfigError("--cfg: give at least one config file, for example --cfg configs/demo.yaml; "
                          "--help-config lists every key")
    stop = StopRequest()
    with stop.installed(), joined():
        return _run(modality, load_run_spec(files, overrides), stages, dry_run, command, stop)


def _run(modality: Modality, spec: RunSpec, stages: str, dry_run: bool, command: str, stop: StopRequest) -> int:
    screen = Screen(quiet=not current().is_first)
    data = open_datasets(spec, modality, screen)
    torch.set_num_threads(resolved_threads(spec.system.threads))
    cover = Cover(title=spec.name, command=command, config_yaml=dump_yaml(spec), facts=_facts(spec, data),
                  expectation=EXPECTATIONS[spec.modality])
    pipeline = Pipeline(spec, modality, data, pick_device(spec.system.device), cover)
    every, store = pipeline.stages(), Store(Path(spec.output_dir))
    names = [name for name in stages.split(",") if name]
    if dry_run:
        return _describe(spec, data, select(every, names, store), store, screen)
    data.require()
    _check_same_data(data)
    with output_lock(store.root) if current().is_first else nullcontext():
        stop.at_once = False
        with first_only() as mine:
            if mine:
                data.save(store.root / "indexes")
        execute(select(every, names, store), store, screen=screen, stop=stop, statuses=pipeline.statuses,
                max_bad_share=spec.data.max_bad_share)
        if current().is_first:
            _conclude(every, store, cover, pipeline.statuses, screen)
    return 0


def _check_same_data(data: DataSets) -> None:
    """All processes must have listed the same files, or rows would mean different things on each."""
    mine = {name: index.content_hash for name, index in data.indexes().items()}
    differing = [name for name, digest in mine.items() if digest != from_first(mine)[name]]
    if differing:
        raise DataError(f"{', '.join(differing)}: process {current().rank} lists other files than the first process; "
                        "freeze the list with tools/build_index.py and use FORMAT index")


def _facts(spec: RunSpec, data: DataSets) -> dict[str, str]:
    facts = {name: f"{index.num_rows:,} rows, {len(index.label_names)} labels, sha256 {index.content_hash[:16]}"
             for name, index in data.indexes().items()}
    facts["threads"] = str(torch.get_num_threads())
    return facts | versions()


def _describe(spec: RunSpec, data: DataSets, stages: Sequence[Stage], store: Store, screen: Screen) -> int:
    """The text of --dry-run; exit code 3 where data is missing, because the run would stop there."""
    screen.say(dump_yaml(spec))
    screen.console.print(plan_table(stages, store))
    for line in stale_lines(stages, store):
        screen.say(line)
    if not data.missing:
        screen.say("Nothing was written. Run the same command without --dry-run to do this.")
        return 0
    screen.say("Missing, to be mended before this can run (rows of missing data are EXPECTED_ROWS):")
    for message in data.missing:
        screen.say(f"  {message}")
    screen.say("Edit the keys named above, or give them on the command line: KEY VALUE.")
    return DataError.exit_code


def _conclude(every: Sequence[Stage], store: Store, cover: Cover, statuses: dict[str, str], screen: Screen) -> None:
    """Print the table and where the report lies, if the report is finished."""
    report = store.find(every[-1])
    if report is None:
        screen.say("Finished what --stages asked for; without --stages the same command makes the report.")
        return
    data = collect([(stage, store.need(stage)) for stage in every[:-1]], cover, statuses)
    screen.console.print(console_table(data))
    for sentence in verdict(data):
        screen.say(sentence)
    screen.say(f"Report: {publish_report(report, store.root)}")
