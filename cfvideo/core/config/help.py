"""The text of --help-config: every key with its type, default, allowed values and meaning."""

from __future__ import annotations

import json
import textwrap

from cfvideo.core.config.schema import NAME, Key, Schema, schema_of
from cfvideo.core.config.values import allowed
from cfvideo.core.errors import ConfigError
from cfvideo.core.specs import RunSpec

_WIDTH = 110


def help_text(prefix: str = "") -> str:
    """Every key that is or lies below `prefix`: all of them where it is empty.

    Raises:
        ConfigError: no key is called so; the message names the nearest.
    """
    schema = schema_of(RunSpec)
    wanted = schema.pattern(prefix.strip("."))
    keys = [key for name, key in schema.keys.items() if not wanted or f"{name}.".startswith(f"{wanted}.")]
    if not keys:
        near = schema.nearest(prefix) or [name for name in schema.groups if "." not in name]
        raise ConfigError(f"no key or group of keys is called {prefix[:100]}; near it: {', '.join(near)}")
    blocks: list[str] = []
    shown = ""
    for key in keys:
        group = key.name.rpartition(".")[0]
        if group != shown:
            blocks += [_heading(parent, schema.groups[parent]) for parent in _opened(group, schema)]
            shown = group
        blocks.append(_entry(key))
    return "\n".join(blocks).lstrip("\n") + "\n"


def _opened(group: str, schema: Schema) -> list[str]:
    """The group to announce, and before it the one that only holds names of the user's own."""
    parent = group.removesuffix(f".{NAME}")
    return [name for name in dict.fromkeys((parent, group)) if name in schema.groups]


def _heading(group: str, doc: str) -> str:
    return "\n" + textwrap.fill(f"# {group}: {doc}", _WIDTH, subsequent_indent="# ")


def _entry(key: Key) -> str:
    kind = f"list of {key.kind.__name__}" if key.many else key.kind.__name__
    default = json.dumps(key.default, ensure_ascii=False)
    meaning = textwrap.fill(key.doc, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    head = textwrap.fill(f"{key.name}  {kind}, default {default}, allowed: {allowed(key)}", _WIDTH,
                         subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return f"{head}\n{meaning}"
