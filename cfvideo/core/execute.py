"""Run the stages of a pipeline in order, re-using what is finished."""

from __future__ import annotations

import errno
import importlib.metadata
import platform
import textwrap
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from cfvideo.core.distributed import current, from_first, gathered
from cfvideo.core.durable import write_bytes
from cfvideo.core.errors import ConfigError, Interrupted
from cfvideo.core.failures import check_ceiling
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.pipeline import STAGE_NAMES
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Artefact, Stage
from cfvideo.core.store import Store, run_stage

REPORT_FILE = "report.html"
_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "faiss-cpu", "faiss-gpu", "av", "decord",
             "torchcodec", "nvidia-dali-cuda130", "pillow", "pyarrow")
_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def versions() -> dict[str, str]:
    """Versions of Python and of every installed package that can change a result."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def select(stages: Sequence[Stage], names: Collection[str], store: Store) -> list[Stage]:
    """The stages of the kinds that --stages names (all kinds where it is empty) and that can run now.

    A stage whose inputs are neither finished nor selected waits for a later call: `--stages pretrain,extract` extracts
    what N_pre's features are needed for, and N_cf's later. An error says what is needed where nothing can run.
    """
    unknown = sorted(set(names) - set(STAGE_NAMES))
    if unknown:
        raise ConfigError(f"--stages: unknown {', '.join(unknown)}; allowed: {', '.join(STAGE_NAMES)}")
    chosen: list[Stage] = []
    waiting: list[tuple[Stage, Stage]] = []
    here: set[str] = set()
    for stage in stages:
        if names and stage.name not in names:
            continue
        lacking = [given for given in stage.inputs.values() if given.fingerprint not in here and not store.find(given)]
        if lacking and not store.find(stage):
            waiting.append((stage, lacking[0]))
        else:
            chosen.append(stage)
            here.add(stage.fingerprint)
    if not chosen and waiting:
        stage, given = waiting[0]
        raise ConfigError(f"--stages: {stage.name} ({stage.role}) needs {given.name} ({given.role}), which is not "
                          f"finished; add {given.name} to --stages")
    return chosen


def check_same_plan(stages: Sequence[Stage]) -> None:
    """All processes must mean to make the same stages, or they would wait for each other's for ever.

    Raises:
        ConfigError: on every process, where any plans other stages than the first one does, with what differs.
    """
    plans = gathered([stage.fingerprint for stage in stages])
    other = next((rank for rank, plan in enumerate(plans) if plan != plans[0]), None)
    if other is None:
        return
    pairs = enumerate(zip(plans[0], plans[other], strict=False))
    place = next((place for place, (mine, theirs) in pairs if mine != theirs), min(map(len, (plans[0], plans[other]))))
    described = gathered(_described(stages[place]) if place < len(stages) else {})
    first, theirs = described[0], described[other]
    keys = sorted({*first, *theirs}) if first.get("stage") == theirs.get("stage") else ["stage"]
    differing = [f"{key} {_short(first.get(key))} in the first process, {_short(theirs.get(key))} in process {other}"
                 for key in keys if first.get(key) != theirs.get(key)]
    raise ConfigError(f"the processes plan different work, from stage {place + 1} on ({first.get('stage')}): "
                      f"{'; '.join(differing)}. Give all processes the same config and this program in one version, "
                      "set SYSTEM.THREADS where machines have different numbers of cores, and SYSTEM.DEVICE and "
                      "DATA.DECODER where only some have a GPU or a decoder")


def _described(stage: Stage) -> dict[str, object]:
    """What a stage's fingerprint is made of, but for its inputs."""
    return {"stage": f"{stage.name} {stage.role}", "version of the stage": stage.version, **stage.keys}


def _short(value: object) -> str:
    return textwrap.shorten(str(value), 80)


def execute(stages: Sequence[Stage], store: Store, *, screen: Screen, stop: StopRequest,
            statuses: dict[str, str], max_bad_share: float) -> None:
    """Make every stage that is not finished; `statuses` learns fingerprint -> run | reused.

    Raises TooManyBadSamples also for a finished stage, where `max_bad_share` is lower now than when it was made.
    """
    for number, stage in enumerate(stages, start=1):
        head = f"[{number}/{len(stages)}] {stage.name} {stage.role}"
        if from_first(store.find(stage) is not None if current().is_first else None):
            found = store.need(stage)
            if "num_bad_rows" in found.facts:
                check_ceiling(found.facts["num_bad_rows"], found.facts["num_rows"], max_bad_share=max_bad_share,
                              where=f"{stage.name} {stage.role}", last=f"see {found.folder / 'failures.csv'}")
            statuses[stage.fingerprint] = "reused"
            screen.say(f"{head}: re-used")
            continue
        statuses[stage.fingerprint] = "run"
        screen.say(f"{head}: {'resuming' if store.partial(stage).exists() else 'running'}")
        artefact = _run(stage, store, screen=screen, stop=stop)
        screen.say(f"  done in {artefact.manifest['seconds']:.1f} s {_summary(artefact.facts)}".rstrip())
        stop.check()


def _run(stage: Stage, store: Store, *, screen: Screen, stop: StopRequest) -> Artefact:
    try:
        return run_stage(stage, store, screen=screen, stop=stop, clock=time.monotonic, versions=versions())
    except OSError as error:
        if error.errno not in _DISK_TROUBLE:
            raise
        raise Interrupted(f"OUTPUT_DIR: {error.strerror} while writing {error.filename or store.partial(stage)}; "
                          "finished work is kept: make room and run the same command again") from error


def _summary(facts: Mapping[str, object]) -> str:
    """The few facts worth a glance, where a stage has them."""
    shown = []
    for key, text in (("label_accuracy", "labels remembered"), ("top1", "top-1")):
        if isinstance(value := facts.get(key), float):
            shown.append(f"{text} {100 * value:.1f} %")
    if facts.get("num_bad_rows"):
        shown.append(f"{facts['num_bad_rows']} undecodable rows, see failures.csv")
    return f"({', '.join(shown)})" if shown else ""


def publish_report(artefact: Artefact, root: Path) -> Path:
    """Copy the page to where people look for it: OUTPUT_DIR/report.html."""
    target = root / REPORT_FILE
    write_bytes(target, artefact.file(REPORT_FILE).read_bytes())
    return target
