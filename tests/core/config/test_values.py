"""Unknown keys, wrong types, values out of range: refused with key, value, what is allowed, and the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvideo.core.config import load_run_spec
from cfvideo.core.config.scalars import plain, reads_as_text
from cfvideo.core.config.schema import Key, schema_of
from cfvideo.core.config.values import allowed
from cfvideo.core.errors import ConfigError
from cfvideo.core.specs import RunSpec

SOLVER = "N_PRE.SOLVER"


def refusal(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_run_spec([], ["D_PRE.PATH", "x", *words])
    return str(caught.value)


@pytest.mark.parametrize(("key", "nearest"), [
    ("N_PRE.CLIP.NUM_FRAME", "N_PRE.CLIP.NUM_FRAMES"), ("N_PREE.CLIP.NUM_FRAMES", "N_PRE.CLIP.NUM_FRAMES"),
    ("n_pre.clip.num_frames", "N_PRE.CLIP.NUM_FRAMES"), ("NUM_CLUSTERS", "CLUSTER.NUM_CLUSTERS"),
    ("CLUSTER.K", "CLUSTER.INIT"), ("N_CF.SOLVER.LR", "N_CF.SOLVER.BASE_LR"), ("D_TAR.MINE.TRIAN", "D_TAR.MINE.TRAIN"),
    ("OUTPUT", "OUTPUT_DIR"), ("LR", "N_PRE.SOLVER.BASE_LR or N_CF.SOLVER.BASE_LR or FINETUNE.SOLVER.BASE_LR"),
])
def test_an_unknown_key_names_the_nearest(key: str, nearest: str) -> None:
    message = refusal(key, "5")
    assert message.startswith(f"command line: unknown key {key}; ")
    if key != "CLUSTER.K":  # too short to be like anything: the answer may be any key, or the list of all
        assert message.endswith(f"did you mean {nearest}?")


def test_a_key_like_no_other_points_to_the_list() -> None:
    assert refusal("zzz", "5") == "command line: unknown key zzz; --help-config lists every key"


def test_a_key_of_a_megabyte_is_answered_shortly() -> None:
    assert len(refusal("A" * 1_000_000, "5")) < 300


@pytest.mark.parametrize(("key", "value", "says"), [
    ("N_PRE.CLIP.NUM_FRAMES", "0", "a whole number from 1 to 512"),
    ("N_PRE.CLIP.NUM_FRAMES", "513", "a whole number from 1 to 512"),
    ("N_PRE.CLIP.NUM_FRAMES", "8.5", "a whole number from 1 to 512"),
    ("N_PRE.CLIP.NUM_FRAMES", "true", "a whole number from 1 to 512"),
    ("N_PRE.CLIP.NUM_FRAMES", "null", "a whole number from 1 to 512 (an empty value or null is none"),
    ("N_PRE.CLIP.NUM_FRAMES", "[8]", "a whole number from 1 to 512 (one value, not a list)"),
    ("N_PRE.CLIP.NUM_FRAMES", "{}", "a whole number from 1 to 512"),
    (f"{SOLVER}.MAX_SAMPLES", "490e6", "a whole number, 1 or more (write 490000000)"),
    (f"{SOLVER}.MAX_SAMPLES", "9223372036854775808", "within 64 bits"),
    (f"{SOLVER}.MOMENTUM", "1.5", "a number from 0 to 1"),
    (f"{SOLVER}.MOMENTUM", "-0.1", "a number from 0 to 1"),
    (f"{SOLVER}.BASE_LR", "1e999", "a number, 0 or more"),
    (f"{SOLVER}.BASE_LR", "fast", "a number, 0 or more (this is text)"),
    (f"{SOLVER}.BASE_LR", "'0.1'", "a number, 0 or more (this is text)"),
    (f"{SOLVER}.BASE_LR", "false", "a number, 0 or more"),
    (f"{SOLVER}.SCHEDULE", "poly", "one of halving, step, cosine, constant"),
    (f"{SOLVER}.SCHEDULE", "HALVING", "one of halving, step, cosine, constant"),
    (f"{SOLVER}.NESTEROV", "1", "true or false"),
    (f"{SOLVER}.NESTEROV", "'yes'", "true or false (this is text)"),
    ("NAME", "off", "text (without quotes YAML reads true or false here: quote it)"),
    ("NAME", "No", "text (without quotes YAML reads true or false here: quote it)"),
    ("NAME", "12", "text (without quotes YAML reads a number here: quote it)"),
    ("NAME", "~", "text (an empty value or null is none of these"),
    ("NAME", "a" * 5000, "at most 4,096 characters and no NUL"),
    ("SEEDS", "3", "a list of whole numbers, 0 or more (write a list: [3])"),
    ("SEEDS", "(3, 4)", "a list of whole numbers, 0 or more (write a list: [3, 4])"),
    ("SEEDS", "null", "a list of whole numbers, 0 or more"),
    ("SEEDS", "[3, -4]", "a list of whole numbers, 0 or more (not -4)"),
    ("SEEDS", "[3, 4.5]", "a list of whole numbers, 0 or more"),
    ("SEEDS", "[3, null]", "a list of whole numbers, 0 or more"),
    ("PROBE.STRENGTHS", "[1.0, 0.0]", "a list of numbers, 1e-12 or more (not 0.0)"),
    ("N_PRE.WIDTHS", "[8, 8, eight, 8]", "a list of whole numbers from 1 to 65,536 (this is text)"),
])
def test_a_refused_value_is_named_with_what_is_allowed(key: str, value: str, says: str) -> None:
    message = refusal(key, value)
    assert message.startswith(f"command line: {key}: {value[:70]}")
    assert f"is not allowed; allowed: {says}" in message or f"({says})" in message
    assert len(message) < 600


@pytest.mark.parametrize(("key", "value"), [
    ("N_PRE.CLIP.NUM_FRAMES", "1"), ("N_PRE.CLIP.NUM_FRAMES", "512"), (f"{SOLVER}.MOMENTUM", "0"),
    (f"{SOLVER}.MOMENTUM", "1"), ("PROBE.STRENGTHS", "[1e-12]"), (f"{SOLVER}.CHECKPOINT_SAMPLES", f"{2**63 - 1}"),
    ("NAME", "a" * 4096),
])
def test_limits_themselves_are_allowed(key: str, value: str) -> None:
    load_run_spec([], ["D_PRE.PATH", "x", key, value])


@pytest.mark.parametrize(("key", "value", "says"), [
    ("CLUSTER", "5", "it is a group of keys, such as CLUSTER.METHOD"),
    ("CLUSTER", "", "an empty value is not allowed; it is a group of keys, such as CLUSTER.METHOD"),
    ("D_TAR", "x", "such as D_TAR.<NAME>.FORMAT"),
    ("D_TAR.TRAIN", "x", "a name of your own is missing: D_TAR.<NAME>.TRAIN"),
    ("D_TAR.MINE", "x", "such as D_TAR.MINE.FORMAT"),
    ("D_TAR.my-own.TRAIN", "x", "the name 'my-own' is not allowed; allowed: up to 64 of A-Z a-z 0-9 _"),
    ("D_TAR..TRAIN", "x", "the name '' is not allowed"),
    ("D_TAR._BASE_.TRAIN", "x", "the name '_BASE_' is not allowed"),
    (f"D_TAR.{'x' * 65}.TRAIN", "x", "up to 64"),
    ("NAME.FIRST", "x", "NAME has no keys below it, such as NAME.FIRST; allowed: text"),
    ("NAME", r'"a\0b"', r"NAME: 'a\x00b' is not allowed; allowed: text (at most 4,096 characters and no NUL)"),
    ("SEEDS", "[[1]]", "a list holds plain values, not a list"),
    ("N_PRE.CLIP.NUM_FRAMES", "010", "readers of YAML disagree"),
    ("N_PRE.CLIP.NUM_FRAMES", "9" * 41, "a number of 41 characters"),
    ("N_PRE.SOLVER.BASE_LR", ".nan", "write a finite decimal number"),
])
def test_keys_and_values_that_do_not_belong_together(key: str, value: str, says: str) -> None:
    assert says in refusal(key, value)


def test_a_message_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("# a comment\nN_PRE:\n  CLIP:\n    NUM_FRAMES: 0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"run\.yaml:4: N_PRE\.CLIP\.NUM_FRAMES: 0 is not allowed"):
        load_run_spec([path])


def test_the_line_is_that_of_the_key_even_where_an_alias_stands(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("N_PRE: {CLIP: {NUM_FRAMES: &n 8}}\nCLUSTER:\n  INIT: *n\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"run\.yaml:3: CLUSTER\.INIT: 8 is not allowed"):
        load_run_spec([path])


def test_a_wrong_value_is_refused_even_where_it_would_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("CLUSTER: {NUM_CLUSTERS: many}", encoding="utf-8")
    with pytest.raises(ConfigError, match="NUM_CLUSTERS: many"):
        load_run_spec([path], ["D_PRE.PATH", "x", "CLUSTER.NUM_CLUSTERS", "5"])


def test_every_default_is_one_that_its_key_takes() -> None:
    for key in schema_of(RunSpec).keys.values():
        values = key.default if isinstance(key.default, tuple) else (key.default,)
        for value in values:
            assert type(value) is key.kind, key.name
            assert not key.choices or value in key.choices, key.name
            assert isinstance(value, str) or (key.low or 0) <= value <= (key.high or float("inf")), key.name


@pytest.mark.parametrize(("text", "value"), [
    ("1e-4", 1e-4), ("1E5", 1e5), ("1.", 1.0), (".5", 0.5), ("-3", -3), ("+1_000", 1000), ("0", 0), ("", None),
    ("Off", False), ("YES", True), ("y", "y"), ("1_", "1_"), ("_1", "_1"), ("1e", "1e"), ("2026-11-23", "2026-11-23"),
    ("tRuE", "tRuE"), ("null", None), ("1.2.3", "1.2.3"), ("1_000.5", 1000.5), ("٣", "٣"), ("1\n", "1\n"),
])
def test_plain_scalars(text: str, value: object) -> None:
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@pytest.mark.parametrize("text", ["010", "0x1F", "0o17", "0b11", "1:30", "-1:30:10.5", ".inf", "-.INF", ".NaN", "00",
                                  "1" * 41, "1e" + "1" * 40])
def test_spellings_that_yaml_readers_take_differently_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"readers of YAML|characters"):
        plain(text)
    assert not reads_as_text(text)


@given(st.text("0123456789.eE+-_:xXobinfa~", max_size=12))
def test_every_plain_scalar_is_read_or_refused(text: str) -> None:
    try:
        value = plain(text)
    except ValueError:
        return
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        assert value == float(text.replace("_", ""))


@pytest.mark.parametrize(("low", "high", "says"), [
    (None, None, "a number"), (None, 2.0, "a number, at most 2"),
    (0.0, None, "a number, 0 or more"), (0.5, 1.0, "a number from 0.5 to 1"),
    (1, 4096, "a number from 1 to 4,096"),
])
def test_limits_in_words(low: float | None, high: float | None, says: str) -> None:
    assert allowed(Key("K", float, False, 1.0, "doc", low, high)) == says
