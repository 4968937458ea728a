"""Each motion does what its name says, and nothing but its seed decides how."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.demo_data.motions import MOTIONS, VARIANTS, Path, path_of


def draw(motion: str, variant: str, seed: int = 3) -> Path:
    return path_of(motion, variant, 20, np.random.default_rng(seed))


@pytest.mark.parametrize(("motion", "variant", "attribute", "sign"), [
    ("pan", "left", "x", -1), ("pan", "right", "x", 1), ("drop", "down", "y", 1), ("drop", "up", "y", -1),
    ("zoom", "in", "scale", 1), ("zoom", "out", "scale", -1), ("spin", "clockwise", "angle", 1),
    ("spin", "anticlockwise", "angle", -1)])
def test_steady_motions_go_one_way_and_move_nothing_else(motion: str, variant: str, attribute: str, sign: int) -> None:
    for seed in range(20):
        path = draw(motion, variant, seed)
        assert np.all(np.diff(getattr(path, attribute)) * sign > 0)
        for other in {"x", "y", "scale", "angle"} - {attribute}:
            assert np.ptp(getattr(path, other)) == 0


@pytest.mark.parametrize(("variant", "sign"), [("clockwise", 1), ("anticlockwise", -1)])
def test_an_orbit_is_a_circle_turned_the_named_way(variant: str, sign: int) -> None:
    path = draw("orbit", variant)
    steps = np.diff(path.x) + 1j * np.diff(path.y)
    assert np.allclose(np.abs(steps), np.abs(steps[0]))
    assert np.all(np.angle(steps[1:] / steps[:-1]) * sign > 0)  # y points down, so clockwise is positive


@pytest.mark.parametrize(("motion", "attribute"), [("bounce", "y"), ("wave", "angle")])
def test_fast_variants_turn_round_more_often(motion: str, attribute: str) -> None:
    def turns(variant: str) -> float:
        courses = [getattr(draw(motion, variant, seed), attribute) for seed in range(30)]
        return float(np.mean([np.count_nonzero(np.diff(np.sign(np.diff(course)))) for course in courses]))

    assert turns("fast") > 1.5 * turns("slow")


@pytest.mark.parametrize(("variant", "moving", "still"), [("sideways", "x", "y"), ("updown", "y", "x")])
def test_shaking_is_irregular_and_along_one_axis(variant: str, moving: str, still: str) -> None:
    path = draw("shake", variant)
    assert np.ptp(getattr(path, still)) == 0
    assert np.ptp(getattr(path, moving)) > 0.3


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_seed_decides_and_chance_varies(motion: str) -> None:
    variant = VARIANTS[motion][0]
    one, same, other = draw(motion, variant, 1), draw(motion, variant, 1), draw(motion, variant, 2)
    assert np.array_equal(one.x, same.x)
    assert np.array_equal(one.angle, same.angle)
    assert not np.array_equal(one.x, other.x)


@pytest.mark.parametrize(("motion", "variant"), [("fly", "left"), ("pan", "up")])
def test_an_unknown_motion_is_named(motion: str, variant: str) -> None:
    with pytest.raises(ValueError, match=f"{motion}.*{variant}"):
        draw(motion, variant)
