"""What one unquoted word of a config means, where YAML's readers disagree.

PyYAML takes `1e-4` for text, `010` for eight and `1:30` for ninety. A knob must not depend on that: decimal numbers are
numbers however they are written, and spellings on which readers differ are refused.
"""

from __future__ import annotations

import re

Scalar = bool | int | float | str | None

_NULLS = ("", "~", "null", "Null", "NULL")
_TRUE = ("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_WORDS: dict[str, bool | None] = {**dict.fromkeys(_NULLS), **dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
_WHOLE = r"(?:0|[1-9](?:_?[0-9])*)"
_INT = re.compile(rf"[-+]?{_WHOLE}")
_FLOAT = re.compile(rf"[-+]?(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
# Octal, hexadecimal, binary, base 60, infinities, not-a-number.
_DISPUTED = re.compile(r"[-+]?(?:0[0-9_]+|0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+"
                       r"|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\.(?:inf|nan))", re.IGNORECASE)
# Longer digit strings are no knob's value, and converting them takes quadratic time.
_MAX_DIGITS = 40


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises:
        ValueError: YAML readers disagree about `text`, or it is a number too long for any knob.
    """
    if text in _WORDS:
        return _WORDS[text]
    is_int = _INT.fullmatch(text)
    if (is_int or _FLOAT.fullmatch(text)) and len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters")
    if is_int:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _DISPUTED.fullmatch(text):
        raise ValueError("readers of YAML disagree about it: write a finite decimal number, or quote it if it is text")
    return text


def reads_as_text(text: str) -> bool:
    """Whether `text` stays itself when it stands unquoted."""
    try:
        return plain(text) == text
    except ValueError:
        return False
