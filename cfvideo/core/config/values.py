"""One setting against its key: type, range and choices. CfgNode itself checks types only, and those loosely."""

from __future__ import annotations

import math
from typing import NoReturn

from cfvideo.core.config.schema import Key, Value
from cfvideo.core.config.settings import Setting
from cfvideo.core.errors import ConfigError

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_PLURALS = {bool: "true or false", int: "whole numbers", float: "numbers", str: "texts"}
_INT_LIMIT = 2**63
_MAX_TEXT = 4_096  # the longest path


def convert(key: Key, setting: Setting) -> Value:
    """The value of `setting` as `key` holds it: ints become floats where floats are held, lists become tuples.

    Raises:
        ConfigError: naming the key, the value, what is allowed and where it was written.
    """
    if not key.many:
        return _one(key, setting, setting.value)
    if not isinstance(setting.value, tuple):
        _refuse(key, setting, "" if setting.value in (None, {}) else f"write a list: [{setting.text.strip('()')}]")
    return tuple(_one(key, setting, value) for value in setting.value)


def allowed(key: Key) -> str:
    """What a key takes, in words."""
    if key.choices:
        return f"one of {', '.join(key.choices)}"
    return (f"a list of {_PLURALS[key.kind]}" if key.many else _KINDS[key.kind]) + _limits(key)


def _limits(key: Key) -> str:
    low, high = (None if limit is None else f"{limit:,}".removesuffix(".0") for limit in (key.low, key.high))
    if low and high:
        return f" from {low} to {high}"
    return f", {low} or more" if low else f", at most {high}" if high else ""


def _one(key: Key, setting: Setting, value: object) -> bool | int | float | str:
    if key.kind is float and type(value) is int and abs(value) < _INT_LIMIT:
        value = float(value)
    if type(value) is not key.kind or not isinstance(value, (bool, int, float, str)):
        _refuse(key, setting, _hint(key, value))
    if isinstance(value, str):
        _check_text(key, setting, value)
    else:
        _check_number(key, setting, value)
    return value


def _check_text(key: Key, setting: Setting, value: str) -> None:
    if key.choices and value not in key.choices:
        _refuse(key, setting, f"not {value[:60]!r}" if key.many else "")
    if "\0" in value or len(value) > _MAX_TEXT:
        _refuse(key, setting, f"at most {_MAX_TEXT:,} characters and no NUL")


def _check_number(key: Key, setting: Setting, value: float) -> None:
    too_low = key.low is not None and value < key.low
    too_high = key.high is not None and value > key.high
    if too_low or too_high or not math.isfinite(value):
        _refuse(key, setting, f"not {value}" if key.many else "")
    if key.kind is int and abs(value) >= _INT_LIMIT:
        _refuse(key, setting, "within 64 bits")


def _hint(key: Key, value: object) -> str:
    """The way out of the usual mistakes."""
    if value is None:
        return "an empty value or null is none of these: leave the line out to keep the default"
    if key.kind is str and isinstance(value, (bool, int, float)):
        return f"without quotes YAML reads {'true or false' if isinstance(value, bool) else 'a number'} here: quote it"
    if key.kind is int and isinstance(value, float) and value.is_integer() and abs(value) < _INT_LIMIT:
        return f"write {int(value)}"
    if key.kind in (int, float, bool) and isinstance(value, str):
        return "this is text"
    return "one value, not a list" if isinstance(value, tuple) else ""


def _refuse(key: Key, setting: Setting, hint: str) -> NoReturn:
    raise ConfigError(f"{setting.where}: {setting.key}: {setting.text or 'an empty value'} is not allowed; allowed: "
                      f"{allowed(key)}{f' ({hint})' if hint else ''}. It means: {key.doc}")
