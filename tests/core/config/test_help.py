"""--help-config: every key once, with the dataclasses' own defaults, limits and words."""

from __future__ import annotations

import pytest

from cfvideo.core.config import help_text
from cfvideo.core.config.schema import schema_of
from cfvideo.core.errors import ConfigError
from cfvideo.core.specs import RunSpec


def test_every_key_stands_in_the_help_once_with_its_meaning() -> None:
    text = help_text()
    heads = [line.split("  ")[0] for line in text.splitlines() if line and line[0] not in " #"]
    assert heads == list(schema_of(RunSpec).keys)
    words = " ".join(text.split())
    for key in schema_of(RunSpec).keys.values():
        assert " ".join(key.doc.split()) in words


def test_an_entry_says_type_default_limits_and_choices() -> None:
    text = help_text("N_PRE")
    assert "\nN_PRE.CLIP.NUM_FRAMES  int, default 32, allowed: a whole number from 1 to 512\n    videos: " in text
    assert "\nN_PRE.WIDTHS  list of int, default [64, 128, 256, 512], allowed: a list of whole numbers from 1" in text
    assert '\nN_PRE.SOLVER.SCHEDULE  str, default "halving", allowed: one of halving, step, cosine, constant\n' in text
    assert "\nN_PRE.CLIP.FLIP  bool, default true, allowed: true or false\n" in text


@pytest.mark.parametrize(("prefix", "start"), [
    ("CLUSTER", "# CLUSTER: Pseudo-labels of D_cf: clusters of its features.\nCLUSTER.METHOD  str"),
    ("N_CF.SOLVER.BASE_LR", "# N_CF.SOLVER: "),
    ("D_TAR", "# D_TAR: target tasks, by a name of your own"),
    ("D_TAR.KINETICS.TRAIN", "# D_TAR: target tasks, by a name of your own"),
    ("NAME", 'NAME  str, default "run"'),
])
def test_a_prefix_narrows_the_help(prefix: str, start: str) -> None:
    text = help_text(prefix)
    assert text.startswith(start)
    assert text.count("\n    ") < help_text().count("\n    ") / 3


def test_a_prefix_is_whole_words() -> None:
    assert "D_PRE.PATH" not in help_text("DATA")
    with pytest.raises(ConfigError, match="near it: N_PRE"):
        help_text("N_P")


@pytest.mark.parametrize(("prefix", "near"), [("N_PRE.CLPI", "N_PRE.CLIP"), ("n_cf", "N_CF"), ("zzz", "D_PRE, D_CF, ")])
def test_an_unknown_prefix_names_what_is_near(prefix: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"{prefix}; near it: {near}"):
        help_text(prefix)


def test_no_line_is_too_long_for_a_screen() -> None:
    assert max(len(line) for line in help_text().splitlines()) <= 130
