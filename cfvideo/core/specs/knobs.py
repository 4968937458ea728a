"""How a key is declared: default, meaning, unit, range; a group of keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

# What a stage's result cannot depend on carries this mark and stays out of its fingerprint.
NEUTRAL = "neutral"


def knob(default: Any, doc: str, *, low: float | None = None, high: float | None = None,
         choices: tuple[str, ...] = (), neutral: bool = False) -> Any:
    """One key: its default, its meaning, its closed range or its allowed words."""
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices, NEUTRAL: neutral}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def node(spec: type) -> Any:
    """A group of keys."""
    return field(default_factory=spec)
