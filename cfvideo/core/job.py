"""A study, from its plan to the last line on the screen: what a run and an ablation have in common."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from cfvideo.core.datasets import DataSets
from cfvideo.core.distributed import current, first_only, from_first
from cfvideo.core.errors import DataError
from cfvideo.core.execute import check_same_plan, execute, select, versions
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.lock import check_writable, output_lock
from cfvideo.core.pipeline.study import Study
from cfvideo.core.plan import plan_table, stale_lines, time_line
from cfvideo.core.report.console import console_table, red_box
from cfvideo.core.report.low_shot import warning
from cfvideo.core.report.verdict import verdict
from cfvideo.core.screen import Screen
from cfvideo.core.specs import RunSpec
from cfvideo.core.stage import Artefact, Stage
from cfvideo.core.stages.report import collect
from cfvideo.core.store import Store

_MOST_WARNINGS = 8


@dataclass(frozen=True)
class Job:
    """spec: the run's config, an ablation's base. data: the data sets of every run in it. names: the kinds of stages
    that are wanted, empty: all. publish: puts the report where people look for it, and says where that is."""

    spec: RunSpec
    study: Study
    data: Sequence[DataSets]
    publish: Callable[[Artefact], Path]
    names: Sequence[str] = ()

    @property
    def missing(self) -> list[str]:
        return list(dict.fromkeys(message for data in self.data for message in data.missing))


def describe(job: Job, store: Store, screen: Screen) -> int:
    """The plan; exit code 3 where data is missing, because the job would stop there.

    Raises:
        ConfigError: OUTPUT_DIR cannot be made or written.
    """
    check_writable(store.root)
    stages = select(job.study.stages(), job.names, store)
    screen.console.print(plan_table(stages, store))
    if line := time_line(stages, store):
        screen.say(line)
    for line in stale_lines(stages, store):
        screen.say(line)
    if not job.missing:
        return 0
    screen.say("Missing, to be mended before this can run (rows of missing data are EXPECTED_ROWS):")
    for message in job.missing:
        screen.say(f"  {message}")
    if job.spec.data.how:
        screen.say(f"How to get it: {job.spec.data.how}")
    screen.say("Edit the keys named above, or give them on the command line: KEY VALUE.")
    return DataError.exit_code


def carry_out(job: Job, store: Store, screen: Screen, stop: StopRequest, *, is_described: bool = False) -> None:
    """Make every stage that is not finished, and say what was found out. is_described: the plan was shown."""
    if job.missing:
        how = [f"How to get it: {job.spec.data.how}"] if job.spec.data.how else []
        raise DataError("\n".join([*job.missing, *how]))
    for data in job.data:
        _check_same(data)
    every = job.study.stages()
    check_same_plan(every)
    with output_lock(store.root) if current().is_first else nullcontext():
        stop.at_once = False
        with first_only() as mine:
            if mine:
                for data in job.data:
                    data.save(store.root / "indexes")
        chosen = select(every, job.names, store)
        if current().is_first and not is_described:
            _warn(stale_lines(chosen, store), screen)
        execute(chosen, store, screen=screen, stop=stop, statuses=job.study.statuses,
                max_bad_share=job.spec.data.max_bad_share)
        if current().is_first:
            _conclude(every, job, store, screen)


def _warn(lines: Sequence[str], screen: Screen) -> None:
    """What is made anew although something of the kind is there: seen before it is paid for."""
    for line in lines[:_MOST_WARNINGS]:
        screen.say(line)
    if len(lines) > _MOST_WARNINGS:
        screen.say(f"and {len(lines) - _MOST_WARNINGS} more; --dry-run lists all")


def _check_same(data: DataSets) -> None:
    """All processes must have listed the same files, or rows would mean different things on each."""
    mine = {name: index.content_hash for name, index in data.indexes().items()}
    differing = [name for name, digest in mine.items() if digest != from_first(mine)[name]]
    if differing:
        raise DataError(f"{', '.join(differing)}: process {current().rank} lists other files than the first process; "
                        "freeze the list with tools/build_index.py and use FORMAT index")


def command_line(tool: str, arguments: Sequence[str]) -> str:
    """What the page says was typed. A dry run plans the page of the run itself."""
    return shlex.join(["python", tool, *(word for word in arguments if word != "--dry-run")])


def facts_of(data: DataSets) -> dict[str, str]:
    """What the report says of the data."""
    return {name: f"{index.num_rows:,} rows, {len(index.label_names)} labels, sha256 {index.content_hash[:16]}"
            for name, index in data.indexes().items()}


def machine() -> dict[str, str]:
    """What the report says of the machine."""
    return {"threads": str(torch.get_num_threads())} | versions()


def _conclude(every: Sequence[Stage], job: Job, store: Store, screen: Screen) -> None:
    """Print the table and where the report lies, if the report is finished."""
    report = store.find(every[-1])
    if report is None:
        screen.say("Finished what --stages asked for; without --stages the same command makes the report.")
        return
    study = job.study
    data = collect([(stage, store.need(stage)) for stage in study.work], study.page, study.statuses)
    screen.console.print(console_table(data))
    if words := warning(data):
        screen.console.print(red_box(words))
    for sentence in verdict(data):
        screen.say(sentence)
    screen.say(f"Report: {job.publish(report)}")
