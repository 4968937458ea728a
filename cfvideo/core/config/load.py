"""Config files and KEY VALUE overrides -> RunSpec, and back. The dataclasses of specs/ are the schema.

The way of a value: `files` reads YAML (`yaml_nodes`, `settings`, `scalars` say what is refused), `schema` knows the
keys, `values` checks type, range and choices, `tree` merges, `checks` looks at keys together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from cfvideo.core.config.checks import check
from cfvideo.core.config.files import read_settings
from cfvideo.core.config.scalars import reads_as_text
from cfvideo.core.config.schema import schema_of
from cfvideo.core.config.tree import command_line, merge, nest
from cfvideo.core.specs import NEUTRAL, RunSpec

Json = bool | int | float | str | list[bool | int | float | str]
_Spec = TypeVar("_Spec")
_LONG_LINE = 10_000


def load_run_spec(files: Sequence[Path], overrides: Sequence[str] = ()) -> RunSpec:
    """The run that `files` describe, later ones over earlier ones, and KEY VALUE KEY VALUE ... over them all.

    Raises:
        ConfigError: naming the key, the value, what is allowed and where it was written.
    """
    schema = schema_of(RunSpec)
    settings = [setting for file in files for setting in read_settings(Path(file))]
    settings += command_line(schema, overrides)
    spec = _build(RunSpec, merge(schema, settings))
    check(spec, {setting.key: setting.where for setting in settings})
    return spec


def flatten(spec: object, prefix: str = "", *, neutral: bool = True) -> dict[str, Json]:
    """A spec, whole or part, as {"N_PRE.CLIP.NUM_FRAMES": 32, ...}, tuples as lists.

    Args:
        spec: any dataclass of specs/.
        prefix: what its keys begin with, such as N_PRE.CLIP.
        neutral: False leaves out the keys that cannot change a result.
    """
    return dict(_flatten(spec, prefix, neutral))


def dump_yaml(spec: RunSpec) -> str:
    """The whole config as YAML; loading it gives an equal spec."""
    return yaml.dump(nest(flatten(spec)), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_LONG_LINE)


def _build(spec: type[_Spec], values: Mapping[str, Any]) -> _Spec:
    hints = get_type_hints(spec)
    found: dict[str, Any] = {}
    for item in fields(spec):  # type: ignore[arg-type]  # every spec is a dataclass
        value = values[item.name.upper()]
        if "open" in item.metadata:
            found[item.name] = {name: _build(item.metadata["open"], inner) for name, inner in value.items()}
        else:
            found[item.name] = _build(hints[item.name], value) if is_dataclass(hints[item.name]) else value
    return spec(**found)


def _flatten(spec: object, prefix: str, neutral: bool) -> Iterator[tuple[str, Json]]:
    if not is_dataclass(spec) or isinstance(spec, type):
        raise TypeError(f"a spec is an instance of a dataclass, not {spec!r}")
    for item in fields(spec):
        value = getattr(spec, item.name)
        name = f"{prefix}.{item.name.upper()}" if prefix else item.name.upper()
        if isinstance(value, Mapping):
            for own, member in value.items():
                yield from _flatten(member, f"{name}.{own}", neutral)
        elif is_dataclass(value):
            yield from _flatten(value, name, neutral)
        elif neutral or not item.metadata.get(NEUTRAL):
            yield name, list(value) if isinstance(value, tuple) else value


class _Dumper(yaml.SafeDumper):
    """Lists on one line; text quoted wherever `scalars.plain` would not take it for text."""


def _represent_list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if not text.isprintable() or not reads_as_text(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)
