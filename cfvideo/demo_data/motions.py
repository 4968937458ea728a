"""The verbs of the demo: how a digit moves. A motion is the class, its variant (direction or speed) the finer class.

Positions are in half canvas widths from the centre (-1 left or top edge, 1 right or bottom edge), angles in radians
(positive turns clockwise, because y points down), scales relative to the digit's natural size. Time runs from 0 (first
frame) to 1 (last frame).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Motion -> its two variants, a direction or a speed. The order is the label order of the fine target.
VARIANTS: dict[str, tuple[str, str]] = {
    "bounce": ("slow", "fast"),
    "drop": ("down", "up"),
    "orbit": ("clockwise", "anticlockwise"),
    "pan": ("left", "right"),
    "shake": ("sideways", "updown"),
    "spin": ("clockwise", "anticlockwise"),
    "wave": ("slow", "fast"),
    "zoom": ("in", "out"),
}
MOTIONS: tuple[str, ...] = tuple(VARIANTS)


@dataclass(frozen=True)
class Path:
    """Where a digit is in each of T frames: x, y, scale and angle, each float64 [T]."""

    x: Floats
    y: Floats
    scale: Floats
    angle: Floats


def _still(time: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """A digit that rests somewhere near the centre, of a random size and slant: what all motions start from."""
    ones = np.ones_like(time)
    return {"x": ones * rng.uniform(-0.15, 0.15), "y": ones * rng.uniform(-0.15, 0.15),
            "scale": ones * rng.uniform(0.9, 1.15), "angle": ones * rng.uniform(-0.15, 0.15)}


def _pan(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    rest["x"] += (1 if second else -1) * 1.1 * pace * (time - 0.5)


def _drop(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    rest["y"] += (-1 if second else 1) * 1.2 * pace * (time ** 2 - 0.5)


def _zoom(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    rest["scale"] *= np.exp((-1 if second else 1) * 1.0 * pace * (time - 0.5))


def _spin(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    start = rng.uniform(-np.pi, np.pi)
    rest["angle"] += start + (-1 if second else 1) * 1.5 * np.pi * pace * time


def _bounce(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    hops = (3.2 if second else 1.6) * pace
    rest["y"] += 0.35 - 0.7 * np.abs(np.sin(np.pi * (hops * time + rng.uniform())))


def _shake(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    rest["y" if second else "x"] += 0.3 * pace * rng.choice((-1.0, 1.0), len(time)) * rng.uniform(0.5, 1, len(time))


def _orbit(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    phase = rng.uniform(-np.pi, np.pi) + (-1 if second else 1) * 1.8 * np.pi * pace * time
    rest["x"] += 0.4 * np.cos(phase)
    rest["y"] += 0.4 * np.sin(phase)


def _wave(rest: dict[str, Floats], time: Floats, second: bool, pace: float, rng: np.random.Generator) -> None:
    swings = (2.8 if second else 1.2) * pace
    rest["angle"] += 0.8 * np.sin(2 * np.pi * (swings * time + rng.uniform()))


_MOVES: dict[str, Callable[[dict[str, Floats], Floats, bool, float, np.random.Generator], None]] = {
    "bounce": _bounce, "drop": _drop, "orbit": _orbit, "pan": _pan,
    "shake": _shake, "spin": _spin, "wave": _wave, "zoom": _zoom,
}


def path_of(motion: str, variant: str, num_frames: int, rng: np.random.Generator) -> Path:
    """Draw one path of `num_frames` frames; place, size, pace (+-20 %) and phase are chance.

    Raises:
        ValueError: `motion` or `variant` is none of VARIANTS.
    """
    if variant not in VARIANTS.get(motion, ()):
        raise ValueError(f"unknown motion {motion!r}, {variant!r}; allowed: {VARIANTS}")
    time = np.linspace(0.0, 1.0, num_frames)
    place = _still(time, rng)
    pace = rng.uniform(0.8, 1.2)
    _MOVES[motion](place, time, variant == VARIANTS[motion][1], pace, rng)
    return Path(**place)
