"""Hashtags like a social site's: several per video, often wrong, ambiguous, or about nothing that can be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cfvideo.demo_data.motions import MOTIONS

# One tag is used for two motions: the coarse, polysemous label space that N_pre has to learn from.
TAG_OF: dict[str, str] = {
    "bounce": "jump", "drop": "jump",
    "orbit": "roll", "spin": "roll",
    "pan": "travel", "zoom": "travel",
    "shake": "dance", "wave": "dance",
}
VISUAL_TAGS: tuple[str, ...] = tuple(sorted(set(TAG_OF.values())))
NON_VISUAL_TAGS: tuple[str, ...] = ("fun", "love")


@dataclass(frozen=True)
class TagNoise:
    """How unreliable the uploaders are. The chances of one tag; what they leave over is the right tag.

    wrong: a visual tag of some other motions.
    non_visual: a tag that says nothing about the picture.
    num_tags: tags per video before repeated ones are merged.
    """

    wrong: float = 0.32
    non_visual: float = 0.13
    num_tags: int = 3

    def __post_init__(self) -> None:
        if min(self.wrong, self.non_visual) < 0 or self.wrong + self.non_visual > 1 or self.num_tags < 1:
            raise ValueError(f"shares below 0, above 1 in sum, or no tag at all: {self}")


def draw_tags(motion: str, noise: TagNoise, rng: np.random.Generator) -> tuple[str, ...]:
    """Tags of one video, 1 to `noise.num_tags` different ones, in the order they were drawn.

    Raises:
        ValueError: `motion` is unknown.
    """
    if motion not in MOTIONS:
        raise ValueError(f"unknown motion {motion!r}; allowed: {', '.join(MOTIONS)}")
    drawn = (_draw_tag(TAG_OF[motion], noise, rng) for _ in range(noise.num_tags))
    return tuple(dict.fromkeys(drawn))


def _draw_tag(right: str, noise: TagNoise, rng: np.random.Generator) -> str:
    kind = rng.uniform()
    if kind < noise.wrong:
        return str(rng.choice([tag for tag in VISUAL_TAGS if tag != right]))
    if kind < noise.wrong + noise.non_visual:
        return str(rng.choice(NON_VISUAL_TAGS))
    return right
