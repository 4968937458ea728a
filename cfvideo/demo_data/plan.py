"""What a demo data set consists of: how many videos, what moves in each, and where it goes.

Everything here follows from (seed, size, noise) alone, before a single frame is drawn, so an interrupted run can be
completed by any number of processes. Video i of split s draws its chances from default_rng([seed, s, i, purpose]).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfvideo.demo_data.motions import MOTIONS, VARIANTS
from cfvideo.demo_data.weak_tags import TagNoise, draw_tags

# (motion, variant); a fine label is a position in this list.
Action = tuple[str, str]
FINE_LABELS: tuple[Action, ...] = tuple((motion, variant) for motion in MOTIONS for variant in VARIANTS[motion])
PRE, MOTIONS_TRAIN, MOTIONS_VAL, FINE_TRAIN, FINE_TEST = range(5)
# Separate purposes, so that changing one ingredient leaves the others as they were.
PLANNING, DIGITS, RENDERING = range(3)
# Share of the fine target's videos in which two digits move, each in its own way: these have two labels.
TWO_ACTIONS_SHARE = 0.1


@dataclass(frozen=True)
class Size:
    """Numbers of videos; `per_class` counts for each of 8 motions, `per_label` for each of 16 motion variants."""

    num_pre: int
    train_per_class: int
    val_per_class: int
    train_per_label: int
    test_per_label: int
    edge_px: int = 48
    num_frames: int = 20


SIZES: dict[str, Size] = {
    "demo": Size(num_pre=1200, train_per_class=40, val_per_class=60, train_per_label=24, test_per_label=30),
    "large": Size(num_pre=1600, train_per_class=60, val_per_class=120, train_per_label=36, test_per_label=60),
    "small": Size(num_pre=96, train_per_class=6, val_per_class=6, train_per_label=3, test_per_label=3),
}


@dataclass(frozen=True)
class Video:
    """One video to be: its place below the data set (POSIX), what moves in it, and the key of its random numbers."""

    path: str
    actions: tuple[Action, ...]
    key: tuple[int, int, int]
    tags: tuple[str, ...] = ()

    @property
    def split(self) -> int:
        return self.key[1]

    def rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([*self.key, purpose])

    def digit_rows(self, num_digits: int) -> NDArray[np.int64]:
        """Which of `num_digits` pictures moves in each action."""
        return self.rng(DIGITS).integers(num_digits, size=len(self.actions))


def plan(size: Size, seed: int, noise: TagNoise) -> list[Video]:
    """Every video of the data set, split by split."""
    return [*_pre(size.num_pre, seed, noise),
            *_motions("train", MOTIONS_TRAIN, size.train_per_class, seed),
            *_motions("val", MOTIONS_VAL, size.val_per_class, seed),
            *_fine("train", FINE_TRAIN, size.train_per_label, seed),
            *_fine("test", FINE_TEST, size.test_per_label, seed)]


def _pre(count: int, seed: int, noise: TagNoise) -> Iterator[Video]:
    """The tagged collection: each motion as often as chance has it."""
    for i in range(count):
        rng = np.random.default_rng([seed, PRE, i, PLANNING])
        action = FINE_LABELS[int(rng.integers(len(FINE_LABELS)))]
        yield Video(f"d_pre/videos/{i:06d}.mp4", (action,), (seed, PRE, i), draw_tags(action[0], noise, rng))


def _motions(name: str, split: int, per_class: int, seed: int) -> Iterator[Video]:
    """The target of 8 balanced classes, each with both its variants."""
    for i in range(per_class * len(MOTIONS)):
        motion = MOTIONS[i % len(MOTIONS)]
        variant = VARIANTS[motion][i // len(MOTIONS) % 2]
        yield Video(f"motions/{name}/{motion}/{i:06d}.mp4", ((motion, variant),), (seed, split, i))


def _fine(name: str, split: int, per_label: int, seed: int) -> Iterator[Video]:
    """The target of 16 balanced labels; some videos show a second action and carry both labels."""
    for i in range(per_label * len(FINE_LABELS)):
        rng = np.random.default_rng([seed, split, i, PLANNING])
        actions = [FINE_LABELS[i % len(FINE_LABELS)]]
        if rng.uniform() < TWO_ACTIONS_SHARE:
            actions.append(FINE_LABELS[(i + int(rng.integers(1, len(FINE_LABELS)))) % len(FINE_LABELS)])
        yield Video(f"fine/videos/{name}_{i:06d}.mp4", tuple(actions), (seed, split, i))
