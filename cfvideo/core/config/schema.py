"""The keys of a config, read off the dataclasses of specs/.

A field `num_frames` of the dataclass in the field `clip` is the key `CLIP.NUM_FRAMES`. Where users choose names
themselves (field metadata "open") the key carries the pattern <NAME>: `D_TAR.<NAME>.TRAIN`.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from cfvideo.core.specs import NEUTRAL

NAME = "<NAME>"
USER_NAME = re.compile(r"(?!_BASE_\Z)[A-Za-z0-9_]{1,64}")
Value = bool | int | float | str | tuple[bool | int | float | str, ...]


@dataclass(frozen=True)
class Key:
    """One knob. `kind` is bool, int, float or str; `many` says that the value is a tuple of them."""

    name: str
    kind: type
    many: bool
    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    neutral: bool = False


@dataclass(frozen=True)
class Schema:
    """keys: every knob by its key or pattern; groups: what keys are grouped under, with a line on each;
    opens: the groups whose members the user names."""

    keys: dict[str, Key]
    groups: dict[str, str]
    opens: tuple[str, ...]

    def pattern(self, key: str) -> str:
        """`key` with a user's own name replaced by <NAME>."""
        for group in self.opens:
            if key.startswith(f"{group}."):
                _, *rest = key[len(group) + 1:].split(".")
                return ".".join((group, NAME, *rest))
        return key

    def nearest(self, key: str) -> list[str]:
        """Up to three known keys that the user may have meant by `key`, in the user's own names."""
        wanted = key[:100].upper()
        scores = {name: _likeness(wanted, name) for name in (*self.keys, *self.groups)}
        best = max(scores.values())
        return [_restore(name, key) for name, score in scores.items() if score >= max(best - 0.05, 1.0)][:3]


@functools.cache
def schema_of(spec: type) -> Schema:
    """The schema of a dataclass such as RunSpec."""
    keys = {entry.name: entry for entry in _walk(spec, "") if isinstance(entry, Key)}
    groups = dict(entry for entry in _walk(spec, "") if not isinstance(entry, Key))
    opens = tuple(group[:-len(NAME) - 1] for group in groups if group.endswith(NAME))
    return Schema(keys, groups, opens)


def _walk(spec: type, prefix: str) -> Iterator[Key | tuple[str, str]]:
    hints = get_type_hints(spec)
    for item in fields(spec):
        name = prefix + item.name.upper()
        if "open" in item.metadata:
            yield name, item.metadata["doc"]
            yield from _group(item.metadata["open"], f"{name}.{NAME}")
        elif is_dataclass(hints[item.name]):
            yield from _group(hints[item.name], name)
        else:
            yield _key(item, name, hints[item.name])


def _group(spec: type, name: str) -> Iterator[Key | tuple[str, str]]:
    yield name, (spec.__doc__ or "").split("\n")[0]
    yield from _walk(spec, f"{name}.")


def _key(item: Field[Any], name: str, hint: Any) -> Key:
    if item.default is MISSING or "doc" not in item.metadata:
        raise TypeError(f"{name}: a knob needs a default and a doc: use specs.knob")
    many = get_origin(hint) is tuple
    meta = item.metadata
    return Key(name, get_args(hint)[0] if many else hint, many, item.default, meta["doc"], meta.get("low"),
               meta.get("high"), meta.get("choices", ()), meta.get(NEUTRAL, False))


def _likeness(wanted: str, name: str) -> float:
    """0 ... 3: how alike the whole keys are, how alike their ends, and how many words the ends share."""
    ends = wanted.rpartition(".")[2], name.rpartition(".")[2]
    words, known = (set(end.split("_")) for end in ends)
    alike = sum(difflib.SequenceMatcher(None, *pair).ratio() for pair in ((wanted, name), ends))
    return alike + len(words & known) / len(words | known)


def _restore(name: str, key: str) -> str:
    """Puts the user's own name back into a pattern that came out of `nearest`."""
    group, found, _ = name.partition(f".{NAME}")
    words = key[len(group) + 1:].split(".")
    own = key.upper().startswith(f"{group}.") and USER_NAME.fullmatch(words[0])
    return name.replace(NAME, words[0]) if found and own else name
