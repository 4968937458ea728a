"""What an ablation is: variants of a config, and how they are drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cfvideo.core.datasets import DataSets
from cfvideo.core.errors import ConfigError
from cfvideo.core.pipeline.clusters import why_no_prototypes
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.teaching import why_no_teacher
from cfvideo.core.report.layout import Axis
from cfvideo.core.specs import RunSpec

ALL = "all"


@dataclass(frozen=True)
class Variant:
    """at: its label on each axis, which becomes part of its networks' names: {"p": "p50", "k": "k400"}. overrides: KEY
    VALUE KEY VALUE ... on the base config."""

    at: Mapping[str, str]
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ablation:
    """title: of the page. expectation: what the paper found. legend: what the labels mean. axis: of its figure.
    left_out: what it would compare elsewhere but cannot here, and why; "": nothing."""

    title: str
    expectation: str
    variants: Sequence[Variant]
    axis: Axis | None = None
    legend: str = ""
    left_out: str = ""


@dataclass(frozen=True)
class Base:
    """What an ablation is made from.

    context: the base config and its data. values, clusters, lists: what the command line gave for the ablation's own
    axis, for K beside it, and as label lists. data_under: the data sets under some overrides.
    """

    context: Context
    data_under: Callable[[Sequence[str]], DataSets]
    values: Sequence[str] = ()
    clusters: Sequence[str] = ()
    lists: Sequence[Path] = field(default=())

    @property
    def spec(self) -> RunSpec:
        return self.context.spec

    @property
    def no_distillation(self) -> str:
        """Why an ablation that would add distillation leaves it out; "" where it can have it."""
        why = why_no_teacher(self.context)
        return why and f"distillation: {why}"

    @property
    def no_prototypes(self) -> str:
        """The same of prototypes; they mean nothing to a network that learned no labels (paper, appendix D)."""
        why = "N_pre learns no labels" if self.spec.n_pre.task != "labels" else why_no_prototypes(self.context)
        return why and f"prototype: {why}"


def whole_numbers(words: Sequence[str], flag: str, *, example: str, low: int = 1) -> list[int]:
    """The numbers of a list on the command line, each once, rising. example: of what may stand behind the flag.

    Raises:
        ConfigError: a word is no whole number of at least `low`.
    """
    for word in words:
        if not re.fullmatch(r"[0-9]{1,15}", word) or int(word) < low:
            raise ConfigError(f"{flag} {word}: give whole numbers of at least {low}, such as {flag} {example}")
    return sorted({int(word) for word in words})


def with_baselines(spec: RunSpec, *more: str, without: Sequence[str] = ()) -> tuple[str, str]:
    """The override that adds baselines to the config's own."""
    wanted = [name for name in dict.fromkeys([*spec.baselines, *more]) if name not in without]
    return "BASELINES", f"[{', '.join(wanted)}]"


def quoted(text: str) -> str:
    """Text as a YAML value, whatever it looks like: a file may be called 60."""
    return "'" + text.replace("'", "''") + "'"


def numbered(name: str, form: str, text: str, scale: str, places: Mapping[str, float]) -> Axis:
    """An axis of numbers, each written as it is under its place; bars stand side by side."""
    marks = [(label, (float(rank) if form == "bars" else value, f"{value:g}"))
             for rank, (label, value) in enumerate(places.items())]
    return Axis(name, form, text, scale, dict(marks))
