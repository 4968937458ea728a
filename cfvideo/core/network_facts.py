"""What a network file or a sidecar says of its network, held against the keys of a config: strangers write files, too.

Whatever passes has the types, ranges and words that a config may have, so that building the network and cutting its
samples can go wrong in no other way than with a config. Whether the tensors are that network's is `matching`'s affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfvideo.core.config.schema import Key, schema_of
from cfvideo.core.config.settings import Setting
from cfvideo.core.config.values import convert
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.specs import GEOMETRY, ClipSpec, NetworkSpec

_NETWORK = {key.name.lower(): key for key in schema_of(NetworkSpec).keys.values() if "." not in key.name}
_TASK = {"task": _NETWORK["task"]}
_ARCHITECTURE = {name: _NETWORK[name] for name in ("arch", "blocks", "widths", "midplanes")} | _TASK | {
    "bn_eps": Key("bn_eps", float, False, 1e-5, "epsilon of its batch norms", low=1e-12, high=1.0)}
_VIEW = {key.name.lower(): key for key in schema_of(ClipSpec).keys.values()} | _TASK | {
    "mean": Key("mean", float, True, (), "of red, green and blue in [0, 1]", low=-255.0, high=255.0),
    "std": Key("std", float, True, (), "deviation of red, green and blue in [0, 1]", low=1e-6, high=255.0)}
_TOP = {"num_classes": Key("num_classes", int, False, 0, "outputs of its head", low=0, high=2**31 - 1)}
_LENGTHS = {"mean": (3,), "std": (3,), "crop_area": (0, 2)}
_SHOWN = 80


def check_facts(path: Path, told: Mapping[str, Any]) -> None:
    """Refuses `architecture`, `view`, `num_classes` and `class_names` that no network of this program can have.

    Raises:
        IntegrityError: with the file, the key, the value and what is allowed.
    """
    _check(path, "", {"num_classes": told.get("num_classes", 0)}, _TOP, ())
    class_names_of(path, told)
    _check(path, "architecture.", told["architecture"], _ARCHITECTURE, ("arch",))
    view = told["view"]
    _check(path, "view.", view, _VIEW, GEOMETRY["video"])
    if view["crop_px"] > view["short_edge_px"]:
        raise IntegrityError(f"{path}: view.crop_px {view['crop_px']} does not fit into view.short_edge_px "
                             f"{view['short_edge_px']}")
    for name, lengths in _LENGTHS.items():
        if len(view.get(name, [None] * lengths[0])) not in lengths:
            raise IntegrityError(f"{path}: view.{name} {_shown(view[name])} is no list of "
                                 f"{' or '.join(map(str, lengths))} numbers")


def class_names_of(path: Path, told: Mapping[str, Any]) -> tuple[str, ...]:
    """What the classes of a network are called, in order, by its header or sidecar; nothing where it does not say.

    Raises:
        IntegrityError: they are not one name per class, each its own.
    """
    names, num_classes = told.get("class_names", []), told.get("num_classes", 0)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise IntegrityError(f"{path}: class_names is no list of names; leave it out where classes have none")
    if names and not len(set(names)) == len(names) == num_classes:
        raise IntegrityError(f"{path}: {len(names)} class_names, {len(set(names))} of them different, for "
                             f"{num_classes} classes; each class needs a name of its own, or none has one")
    return tuple(names)


def _check(path: Path, group: str, values: Any, keys: Mapping[str, Key], needed: tuple[str, ...]) -> None:
    if not isinstance(values, dict):
        raise IntegrityError(f"{path}: {group.rstrip('.')} {_shown(values)} is no table of keys and values")
    missing = [f"{group}{name}" for name in needed if name not in values]
    if missing:
        raise IntegrityError(f"{path}: {', '.join(missing)} missing")
    for name, value in values.items():
        if name not in keys:
            raise IntegrityError(f"{path}: {group}{name[:_SHOWN]} is no key of this version; it has {', '.join(keys)}")
        held = tuple(value) if isinstance(value, list) else value
        try:
            convert(keys[name], Setting(f"{group}{name}", held, str(path), _shown(value)))
        except ConfigError as error:
            raise IntegrityError(str(error)) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
