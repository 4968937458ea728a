"""A node tree -> settings: whole key, value and where it was written. Knows YAML, knows no key.

Anchors, aliases and merge keys (<<) work. Refused: duplicate keys, aliases that expand beyond MAX_NODES or lead back to
themselves, lists of anything but plain values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from cfvideo.core.config.scalars import Scalar, plain
from cfvideo.core.config.yaml_nodes import MAX_DEPTH, MAX_NODES, compose, kind_of, written
from cfvideo.core.errors import ConfigError

BASE_KEY = "_BASE_"
_Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


@dataclass(frozen=True)
class Setting:
    """One key's value; {} stands for an empty mapping. `where` is 'file:line' or 'command line', `text` the value as
    it was written."""

    key: str
    value: Scalar | tuple[Scalar, ...] | dict[str, None]
    where: str
    text: str


def parse_file(text: str, shown: str) -> list[Setting]:
    """The settings of one file; `shown` is how messages call it.

    Raises:
        ConfigError: not YAML, or YAML that is refused here.
    """
    node = compose(text, shown)
    if node is None or (not node.value and not isinstance(node, yaml.SequenceNode)):  # only comments, ---, {}
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{shown}:{node.start_mark.line + 1}: a config is a mapping, 'KEY: value' on each line, and "
                          f"this is a {kind_of(node)}: {written(node)}")
    return list(_Walk(shown).settings("", node, node))


def parse_value(key: str, text: str, shown: str, *, is_text: bool) -> list[Setting]:
    """The settings in one value of the command line. With `is_text` ' #' and ': ' mean themselves and need no quotes.

    Raises:
        ConfigError: as `parse_file`.
    """
    if is_text and not text.startswith(("'", '"')):
        node: yaml.Node | None = yaml.ScalarNode("", text, style=None if text else "'")
    else:
        node = compose(text, f"{shown}: {key} {text[:80]}", has_lines=False)
    node = yaml.ScalarNode("", "") if node is None else node
    return list(_Walk(shown, has_lines=False).settings(key, node, node))


class _Walk:
    """One walk over a node tree whose aliases may lead anywhere."""

    def __init__(self, shown: str, *, has_lines: bool = True) -> None:
        self._shown, self._has_lines, self._nodes = shown, has_lines, 0

    def settings(self, key: str, node: yaml.Node, at: yaml.Node, depth: int = 0) -> Iterator[Setting]:
        """Every setting below `node`, whose key stands `at`."""
        self._count(node, depth)
        if isinstance(node, yaml.MappingNode) and node.value:
            for name, (name_node, value) in self._pairs(node, key, depth).items():
                yield from self.settings(f"{key}.{name}" if key else name, value, name_node, depth + 1)
        else:
            yield Setting(key, self._value(node, key), self._where(at), written(node))

    def _value(self, node: yaml.Node, key: str) -> Scalar | tuple[Scalar, ...] | dict[str, None]:
        if isinstance(node, yaml.MappingNode):
            return {}
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._element(item, key) for item in node.value)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        raise TypeError(f"a node that YAML has not: {node}")

    def _element(self, node: yaml.Node, key: str) -> Scalar:
        self._count(node)
        if not isinstance(node, yaml.ScalarNode):
            raise ConfigError(f"{self._where(node)}: {key}: a list holds plain values, not a {kind_of(node)}")
        return self._scalar(node, key)

    def _scalar(self, node: yaml.ScalarNode, key: str) -> Scalar:
        try:
            return str(node.value) if node.style else plain(node.value)
        except ValueError as error:
            raise ConfigError(f"{self._where(node)}: {key}: {written(node)} is refused: {error}") from error

    def _pairs(self, node: yaml.MappingNode, key: str, depth: int) -> _Pairs:
        """A mapping's own keys, and those that << brings in where it does not have them itself."""
        own: _Pairs = {}
        for name_node, value in node.value:
            name = self._name(name_node, key)
            if name in own:
                raise ConfigError(f"{self._where(name_node)}: {_join(key, name)} is given twice, first at "
                                  f"{self._where(own[name][0])}: keep one")
            own[name] = (name_node, value)
        merge = own.pop("<<", None)
        return {**self._merged(merge[1], own, key, depth), **own} if merge else own

    def _merged(self, node: yaml.Node, own: _Pairs, key: str, depth: int) -> _Pairs:
        found: _Pairs = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            self._count(source, depth)
            if not isinstance(source, yaml.MappingNode):
                raise ConfigError(f"{self._where(source)}: {_join(key, '<<')} takes a mapping, not {written(source)}")
            for name, pair in self._pairs(source, key, depth + 1).items():
                self._refuse_two_groups(_join(key, name), own.get(name), pair)
                found.setdefault(name, pair)
        return found

    def _refuse_two_groups(self, key: str, own: tuple[yaml.Node, yaml.Node] | None,
                           merged: tuple[yaml.Node, yaml.Node]) -> None:
        """YAML's << would drop the merged group whole, which nobody means."""
        if own and isinstance(own[1], yaml.MappingNode) and isinstance(merged[1], yaml.MappingNode):
            raise ConfigError(f"{self._where(own[0])}: << does not reach into {key}, which is given here and at "
                              f"{self._where(merged[0])}: put an anchor on that one and << into this one")

    def _name(self, node: yaml.Node, key: str) -> str:
        self._count(node)
        name = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if not name or "." in name or not name.isprintable():
            raise ConfigError(f"{self._where(node)}: {_join(key, written(node))} cannot be a key: in a file a key is "
                              "one word, and each '.' of the whole key is one level of indentation")
        if name == BASE_KEY and key:
            raise ConfigError(f"{self._where(node)}: {BASE_KEY} belongs to the top of a file, not into {key}")
        return name

    def _count(self, node: yaml.Node, depth: int = 0) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ConfigError(f"{self._where(node)}: more than {MAX_NODES} values once aliases are followed: refused")
        if depth > MAX_DEPTH:
            raise ConfigError(f"{self._where(node)}: nested deeper than {MAX_DEPTH}, or an alias leads back to itself")

    def _where(self, node: yaml.Node) -> str:
        return f"{self._shown}:{node.start_mark.line + 1}" if self._has_lines else self._shown


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
