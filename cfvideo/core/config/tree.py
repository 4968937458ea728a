"""Settings -> one frozen fvcore CfgNode that holds every key. The only importer of fvcore's CfgNode.

CfgNode merges; what it would let pass (a null for a number, any value of the right type) or refuse without need (an int
for a float, new names under D_TAR) is dealt with before a value reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fvcore.common.config import CfgNode

from cfvideo.core.config.schema import NAME, USER_NAME, Key, Schema
from cfvideo.core.config.settings import BASE_KEY, Setting, parse_value
from cfvideo.core.config.values import allowed, convert
from cfvideo.core.errors import ConfigError

COMMAND_LINE = "command line"


class _Tree(CfgNode):  # type: ignore[misc]  # fvcore is untyped
    """Takes values as they are: fvcore's own reading would make 12 of the text '12'."""

    @classmethod
    def _decode_cfg_value(cls, value: Any) -> Any:
        return value


def merge(schema: Schema, settings: Sequence[Setting]) -> Mapping[str, Any]:
    """All keys of `schema` with their defaults, overridden by `settings` in their order; nested, frozen.

    Raises:
        ConfigError: an unknown key, or a value that its key does not take.
    """
    tree = _Tree(nest({name: {} for name in schema.opens} | _defaults(schema, "")))
    for setting in settings:
        key = find(schema, setting)
        _add_names(tree, schema, setting.key)
        if key:
            tree.merge_from_list([setting.key, convert(key, setting)])
    tree.freeze()
    return tree


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"A.B": 1} -> {"A": {"B": 1}}."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *groups, last = key.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        node[last] = value
    return tree


def command_line(schema: Schema, words: Sequence[str]) -> list[Setting]:
    """The settings of KEY VALUE KEY VALUE ... as typed behind a command.

    Raises:
        ConfigError: a key without a value, or a value that is not YAML.
    """
    for name in words[::2]:
        if "=" in name:
            raise ConfigError(f"{COMMAND_LINE}: {name[:100]}: write KEY VALUE with a space between them")
        if name == BASE_KEY:
            raise ConfigError(f"{COMMAND_LINE}: {BASE_KEY} belongs into a file; give the other file to --cfg first")
    if len(words) % 2:
        raise ConfigError(f"{COMMAND_LINE}: {words[-1][:100]} has no value: give pairs, KEY VALUE KEY VALUE ...")
    found: list[Setting] = []
    for name, text in zip(words[::2], words[1::2], strict=True):
        key = schema.keys.get(schema.pattern(name))
        found += parse_value(name, text, COMMAND_LINE, is_text=key is not None and key.kind is str and not key.many)
    return found


def find(schema: Schema, setting: Setting) -> Key | None:
    """The key that `setting` sets; None where it is a group with nothing in it.

    Raises:
        ConfigError: there is no such key; the message names the nearest.
    """
    pattern = schema.pattern(setting.key)
    _check_name(schema, setting)
    if pattern in schema.keys:
        return schema.keys[pattern]
    if pattern in schema.groups:
        if isinstance(setting.value, dict):
            return None
        raise ConfigError(f"{setting.where}: {setting.key}: {setting.text or 'an empty value'} is not allowed; "
                          f"{_group_hint(schema, pattern, setting.key)}")
    words = pattern.split(".")
    for parent in (".".join(words[:count]) for count in range(1, len(words))):
        if parent in schema.keys:
            raise ConfigError(f"{setting.where}: {parent} has no keys below it, such as {setting.key[:100]}; allowed: "
                              f"{allowed(schema.keys[parent])}")
    near = schema.nearest(setting.key)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; --help-config lists every key"
    raise ConfigError(f"{setting.where}: unknown key {setting.key[:100]}{hint}")


def _defaults(schema: Schema, below: str) -> dict[str, Any]:
    """Defaults by key, cut to what lies below a group; user-named groups stay out unless `below` is one."""
    keys = {name[len(below):]: key.default for name, key in schema.keys.items() if name.startswith(below)}
    return {name: default for name, default in keys.items() if NAME not in name}


def _add_names(tree: Any, schema: Schema, key: str) -> None:
    """Makes room for a name of the user's own, with the defaults of its group."""
    for group in schema.opens:
        if key.startswith(f"{group}."):
            node = tree
            for word in group.split("."):
                node = node[word]
            name = key[len(group) + 1:].partition(".")[0]
            node.setdefault(name, _Tree(nest(_defaults(schema, f"{group}.{NAME}."))))


def _check_name(schema: Schema, setting: Setting) -> None:
    for group in schema.opens:
        name = setting.key[len(group) + 1:].partition(".")[0]
        if setting.key.startswith(f"{group}.") and not USER_NAME.fullmatch(name):
            raise ConfigError(f"{setting.where}: {setting.key[:100]}: the name {name[:40]!r} is not allowed; allowed: "
                              "up to 64 of A-Z a-z 0-9 _")


def _group_hint(schema: Schema, pattern: str, key: str) -> str:
    if f"{pattern}.{key.rpartition('.')[2]}" in schema.keys:  # D_TAR.TRAIN, where D_TAR.<NAME>.TRAIN was meant
        return f"a name of your own is missing: {pattern}.{key.rpartition('.')[2]}"
    example = next(name for name in schema.keys if name.startswith(f"{pattern}."))
    return f"it is a group of keys, such as {key}{example[len(pattern):]}: leave it out or give some of them"
