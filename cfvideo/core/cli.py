"""One run, from config files to the last line on the screen; the modality is the caller's choice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from cfvideo.core.config import dump_yaml, load_run_spec
from cfvideo.core.datasets import open_datasets
from cfvideo.core.device import pick_device, resolved_threads
from cfvideo.core.distributed import current, joined
from cfvideo.core.errors import ConfigError
from cfvideo.core.execute import publish_report
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.job import Job, carry_out, describe, facts_of, machine
from cfvideo.core.pipeline import Pipeline
from cfvideo.core.records import Modality
from cfvideo.core.screen import Screen
from cfvideo.core.specs import RunSpec
from cfvideo.core.stages.report import Cover
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
    cover = Cover(title=spec.name, command=command, config_yaml=dump_yaml(spec), facts=facts_of(data),
                  machine=machine(), expectation=EXPECTATIONS[spec.modality])
    pipeline = Pipeline(spec, modality, data, pick_device(spec.system.device), cover)
    store = Store(Path(spec.output_dir))
    job = Job(spec, pipeline.study, [data], partial(publish_report, root=store.root),
              [name for name in stages.split(",") if name])
    if not dry_run:
        carry_out(job, store, screen, stop)
        return 0
    screen.say(dump_yaml(spec))
    code = describe(job, store, screen)
    if code == 0:
        screen.say("Nothing was written. Run the same command without --dry-run to do this.")
    return code
