"""Numbers and names as a reader meets them."""

from __future__ import annotations

import pytest

from cfvideo.core.report import text
from cfvideo.core.report.numbers import Comparison, Summary


@pytest.mark.parametrize(("raw", "shown"), [
    ("plain é 視頻.mp4", "plain é 視頻.mp4"),
    ("bad\udcff\udc80", "bad\\xff\\x80"),
    ("\ud800", "\\ud800"),
    ("a\nb\tc\x00\x1b[31m", "a\\nb\\tc\\x00\\x1b[31m"),
    ("evil\u202e4pm.exe", "evil\\u202e4pm.exe"),
])
def test_misleading_characters_are_shown(raw: str, shown: str) -> None:
    assert text.visible(raw) == shown
    assert text.visible(raw).encode("utf-8")


def test_kept_characters_stay() -> None:
    assert text.visible("a:\n\tb\r", keep="\n\t") == "a:\n\tb\\r"


@pytest.mark.parametrize(("fraction", "shown"), [
    (0.03, "+3.0"), (-0.0125, "−1.2"), (0.0004, "+0.04"), (-0.0004, "−0.04"), (0.0, "0.0"), (1e-12, "0.0"),
    (0.0005, "+0.1"),
])
def test_points(fraction: float, shown: str) -> None:
    assert text.points(fraction) == shown


def test_seeds_that_lost_or_tied_are_named() -> None:
    comparison = Comparison("n_cf", "n_pre", "t", Summary({0: 0.1, 3: -0.2, 4: -0.1, 5: 0.0}), ())
    assert text.seeds_won_text(comparison) == "N_cf beat N_pre on 1 of 4 seeds (lost: seeds 3, 4; equal: seed 5)"


@pytest.mark.parametrize(("name", "shown"), [("untrained", "untrained"), ("n_pre", "N_pre"), ("n_pre_2x", "N_pre 2x"),
                                             ("n_", "N_"), ("distilled", "distilled")])
def test_network_names(name: str, shown: str) -> None:
    assert text.network_text(name) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(None, ""), (0.04, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"),
                                                (245.4, "4 min 05 s"), (3599.7, "1 h 00 min"), (12_040, "3 h 20 min")])
def test_durations(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown
