"""YAML text -> node tree, refusing what no config needs. Nothing is built from the tree here.

Refused while reading, so that a hostile file is never read to its end: tags, too many values, deep nesting. Refused
too: several documents, and whatever is not YAML.
"""

from __future__ import annotations

from typing import Any

import yaml

from cfvideo.core.errors import ConfigError

# About fifty times what the largest config holds.
MAX_NODES = 5_000
MAX_DEPTH = 16


def compose(text: str, shown: str, *, has_lines: bool = True) -> yaml.Node | None:
    """The node tree of `text`, None where it is empty; `shown` is how messages call it, with a line if it `has_lines`.

    Aliases are shared nodes, so the tree is small whatever they expand to, and may contain itself.

    Raises:
        ConfigError: not YAML, or YAML that is refused here.
    """
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if has_lines and error.problem_mark else ""
        why = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{shown}{line}: cannot be read as YAML: {why[:300]}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter: "\U00110000" and the like
        raise ConfigError(f"{shown}: cannot be read as YAML: {' '.join(str(error).split())[:300]}") from error


def kind_of(node: yaml.Node) -> str:
    """The node's kind as a message calls it."""
    if isinstance(node, yaml.MappingNode):
        return "mapping"
    return "list" if isinstance(node, yaml.SequenceNode) else "value"


def written(node: yaml.Node) -> str:
    """The node as the user wrote it, shortened to one line."""
    if isinstance(node, yaml.ScalarNode):
        text = repr(node.value) if node.style else str(node.value)
    elif isinstance(node, yaml.SequenceNode):
        items = [written(item) if isinstance(item, yaml.ScalarNode) else kind_of(item) for item in node.value[:9]]
        text = "[" + ", ".join([*items, "..."] if node.value[9:] else items) + "]"
    else:
        text = "{...}" if node.value else "{}"
    return text if len(text) <= 80 else f"{text[:77]}..."


class _Loader(yaml.SafeLoader):
    """Counts nodes as it composes them."""

    _nodes = _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # yaml-stubs leave it out
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES} values", problem_mark=event.start_mark)
        if self._depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH}", problem_mark=event.start_mark)
        if tag := getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(problem=f"the tag {tag[:60]} is refused, a config holds plain values only",
                                       problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node
