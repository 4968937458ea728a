"""load_run_spec, flatten, dump_yaml: merging, overriding, round trips, and the list of all keys."""

from __future__ import annotations

import ast
import json
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.config import dump_yaml, flatten, load_run_spec
from cfvideo.core.config.schema import Key, Schema, schema_of
from cfvideo.core.config.tree import command_line, merge
from cfvideo.core.errors import ConfigError
from cfvideo.core.specs import ClipSpec, NetworkSpec, RunSpec, SourceSpec, TargetSpec

ROOT = Path(__file__).parents[3]
D_PRE = ["D_PRE.PATH", "data/x"]


def write(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_gives_the_defaults() -> None:
    assert load_run_spec([], D_PRE) == RunSpec(d_pre=SourceSpec(path="data/x"))


def test_a_file_sets_nested_keys_and_leaves_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, "D_PRE: {PATH: data/x}\nN_PRE:\n  ARCH: r2plus1d\n  WIDTHS: [8, 16, 24, 32]\n"
                           "  CLIP: {NUM_FRAMES: 8}\n")
    network = NetworkSpec(arch="r2plus1d", widths=(8, 16, 24, 32), clip=ClipSpec(num_frames=8))
    assert load_run_spec([path]) == RunSpec(d_pre=SourceSpec(path="data/x"), n_pre=network)


def test_later_files_and_then_the_command_line_hold(tmp_path: Path) -> None:
    first = write(tmp_path, "D_PRE: {PATH: a}\nCLUSTER: {NUM_CLUSTERS: 5, NUM_ITERATIONS: 5}\nSEEDS: [5]", "a.yaml")
    second = write(tmp_path, "CLUSTER: {NUM_CLUSTERS: 6, NUM_ITERATIONS: 6}", "b.yaml")
    spec = load_run_spec([first, second], ["CLUSTER.NUM_CLUSTERS", "7", "CLUSTER.NUM_CLUSTERS", "8"])
    assert (spec.seeds, spec.cluster.num_iterations, spec.cluster.num_clusters) == ((5,), 6, 8)


def test_bases_come_before_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path, "D_PRE: {PATH: a}\nCLUSTER: {NUM_CLUSTERS: 5, NUM_ITERATIONS: 5, INIT: random}", "a.yaml")
    write(tmp_path, "_BASE_: [../a.yaml]\nCLUSTER: {NUM_CLUSTERS: 6, NUM_ITERATIONS: 6}", "deep/b.yaml")
    outer = write(tmp_path, "CLUSTER: {NUM_CLUSTERS: 7}\n_BASE_: deep/b.yaml")
    cluster = load_run_spec([outer]).cluster
    assert (cluster.init, cluster.num_iterations, cluster.num_clusters) == ("random", 6, 7)


def test_targets_carry_names_of_the_users_own_and_one_key_can_be_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, "D_PRE: {PATH: a}\nD_TAR:\n  KINETICS: {TRAIN: k/train, TEST: k/val}\n"
                           "  my_2nd: {FORMAT: sports1m, TRAIN: t, TEST: u}\n")
    spec = load_run_spec([path], ["D_TAR.KINETICS.TEST", "k/test", "D_TAR.X.TRAIN", "x", "D_TAR.X.TEST", "y"])
    assert spec.d_tar == {"KINETICS": TargetSpec(train="k/train", test="k/test"),
                          "my_2nd": TargetSpec(format="sports1m", train="t", test="u"),
                          "X": TargetSpec(train="x", test="y")}


def test_a_second_file_overrides_one_key_of_a_target(tmp_path: Path) -> None:
    first = write(tmp_path, "D_PRE: {PATH: a}\nD_TAR: {K: {TRAIN: a, TEST: b}}", "a.yaml")
    second = write(tmp_path, "D_TAR: {K: {TEST: c}}", "b.yaml")
    assert load_run_spec([first, second]).d_tar == {"K": TargetSpec(train="a", test="c")}


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    path = write(tmp_path, "D_PRE: {PATH: a}\nN_PRE:\n  CLIP: &clip {NUM_FRAMES: 8, SHORT_EDGE_PX: 64, CROP_PX: 64}\n"
                           "N_CF:\n  CLIP: {<<: *clip, NUM_FRAMES: 4}\nEXTRACT: &e {NUM_CLIPS: 3}\nPROBE: *e\n")
    spec = load_run_spec([path])
    assert spec.n_pre.clip == ClipSpec(num_frames=8, short_edge_px=64, crop_px=64)
    assert spec.n_cf.clip == ClipSpec(num_frames=4, short_edge_px=64, crop_px=64)
    assert (spec.extract.num_clips, spec.probe.num_clips) == (3, 3)


@pytest.mark.parametrize(("key", "text", "expected"), [
    ("N_PRE.SOLVER.BASE_LR", "1", 1.0), ("N_PRE.SOLVER.BASE_LR", "1e-4", 1e-4), ("N_PRE.SOLVER.BASE_LR", ".5", 0.5),
    ("N_PRE.SOLVER.MAX_SAMPLES", "490_000_000", 490_000_000), ("N_PRE.CLIP.FLIP", "no", False),
    ("N_PRE.CLIP.FLIP", "True", True), ("SEEDS", "[3, 1]", [3, 1]), ("PROBE.STRENGTHS", "[1, 0.1]", [1.0, 0.1]),
    ("NAME", "a: b #1", "a: b #1"), ("NAME", "", ""), ("NAME", "'off'", "off"), ("NAME", '"5"', "5"),
    ("NAME", "2026-11-23", "2026-11-23"), ("OUTPUT_DIR", "*x", "*x"), ("NAME", "bad \udcff", "bad \udcff"),
])
def test_values_of_the_command_line(key: str, text: str, expected: object) -> None:
    value = flatten(load_run_spec([], [*D_PRE, key, text]))[key]
    assert value == expected
    assert type(value) is type(expected)


def test_a_group_can_be_given_on_the_command_line() -> None:
    assert load_run_spec([], [*D_PRE, "CLUSTER", "{NUM_CLUSTERS: 5, INIT: random}"]).cluster.num_clusters == 5


def test_floats_are_floats_whatever_was_written() -> None:
    spec = load_run_spec([], [*D_PRE, "N_PRE.SOLVER.WEIGHT_DECAY", "0", "PROBE.STRENGTHS", "[1]"])
    assert type(spec.n_pre.solver.weight_decay) is float
    assert type(spec.probe.strengths[0]) is float


def test_specs_are_frozen() -> None:
    spec = load_run_spec([], D_PRE)
    with pytest.raises(FrozenInstanceError):
        spec.cluster.num_cluster = 5  # type: ignore[attr-defined]


def test_loading_twice_shares_nothing() -> None:
    load_run_spec([], [*D_PRE, "D_TAR.A.TRAIN", "a", "D_TAR.A.TEST", "b", "SEEDS", "[4]"])
    assert load_run_spec([], D_PRE) == RunSpec(d_pre=SourceSpec(path="data/x"))


def test_flatten_names_every_field_once_and_is_json() -> None:
    spec = replace(RunSpec(), d_tar={"A": TargetSpec()})
    flat = flatten(spec)
    assert len(flat) == count_leaves(spec)
    assert json.loads(json.dumps(flat)) == flat
    assert flat["N_PRE.BLOCKS"] == [1, 1, 1, 1]
    assert flat["D_TAR.A.FORMAT"] == "kinetics"


def count_leaves(spec: Any) -> int:
    if isinstance(spec, dict):
        return sum(count_leaves(value) for value in spec.values())
    return sum(count_leaves(getattr(spec, item.name)) for item in fields(spec)) if is_dataclass(spec) else 1


def test_flatten_of_a_part_continues_its_prefix() -> None:
    spec = RunSpec()
    whole = flatten(spec)
    assert flatten(spec.n_pre.clip, "N_PRE.CLIP") == {key: whole[key] for key in whole if key.startswith("N_PRE.CLIP.")}
    assert set(flatten(spec.n_pre.clip)) == {field.name.upper() for field in fields(ClipSpec)}


def test_flatten_leaves_neutral_fields_out() -> None:
    flat = flatten(replace(RunSpec(), d_tar={"A": TargetSpec()}), neutral=False)
    assert {"OUTPUT_DIR", "D_PRE.PATH", "D_TAR.A.TRAIN", "SYSTEM.DEVICE", "EXTRACT.SHARD_ROWS"}.isdisjoint(flat)
    assert {"N_PRE.CLIP.NUM_FRAMES", "EXTRACT.BATCH_SIZE", "SEEDS"} <= set(flat)


@pytest.mark.parametrize("wrong", [RunSpec, {"A": 1}, 5])
def test_flatten_refuses_what_is_no_spec(wrong: object) -> None:
    with pytest.raises(TypeError, match="dataclass"):
        flatten(wrong)


HARD = ("off", "null", "~", "1e-3", "010", "0x1F", "1:30", ".inf", "2026-11-23", "a: b", "a #b", "- a", "*a", "&a",
        "!!int 5", "{a}", "[a]", "é", "\x85", "\u2028", "a\nb", " a ", "\t", "<<", "=", "'", '"', "%a", "\ud800",
        "\ufeff", "5", "")
TEXT = st.sampled_from(HARD) | st.text(st.characters(exclude_characters="\0"), max_size=30)
RATE = st.floats(0.0, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("text", HARD)
def test_text_that_looks_like_yaml_survives_a_dump(tmp_path: Path, text: str) -> None:
    spec = RunSpec(name=text, d_pre=SourceSpec(path=f"{text} "))
    assert load_run_spec([write(tmp_path, dump_yaml(spec))]) == spec


@settings(max_examples=40, deadline=None)
@given(texts=st.tuples(TEXT, TEXT, TEXT), rates=st.tuples(RATE, RATE), flag=st.booleans(),
       seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4, unique=True),
       targets=st.dictionaries(st.from_regex(r"[A-Za-z0-9_]{1,12}|ON|010|null", fullmatch=True),
                               st.text("ab off/.", min_size=1, max_size=8), max_size=3))
def test_dump_loads_back_to_an_equal_spec(tmp_path_factory: pytest.TempPathFactory, texts: tuple[str, str, str],
                                          rates: tuple[float, float], flag: bool, seeds: list[int],
                                          targets: dict[str, str]) -> None:
    base = RunSpec(name=texts[0], output_dir=texts[1], seeds=tuple(seeds), d_pre=SourceSpec(path=texts[2] or "x"),
                   d_tar={name: TargetSpec(train=path, test=path) for name, path in targets.items()})
    solver = replace(base.n_cf.solver, base_lr=rates[0], weight_decay=rates[1], nesterov=flag)
    spec = replace(base, n_cf=replace(base.n_cf, solver=solver))
    path = write(tmp_path_factory.getbasetemp(), dump_yaml(spec), "dump.yaml")
    loaded = load_run_spec([path])
    assert loaded == spec
    assert dump_yaml(loaded) == dump_yaml(spec)


def test_the_dump_can_be_read_by_people() -> None:
    text = dump_yaml(replace(RunSpec(), name="word " * 50 + "é"))
    assert f"\nNAME: {'word ' * 50}é\nMODALITY: video\nOUTPUT_DIR: runs/default\n" in f"\n{text}"
    assert "\n  CLIP:\n    NUM_FRAMES: 32\n" in text
    assert "\nSEEDS: [0]\n" in text


def test_the_merged_tree_is_frozen() -> None:
    tree = merge(schema_of(RunSpec), [])
    with pytest.raises(AttributeError, match="immutable"):
        tree["CLUSTER"].NUM_CLUSTERS = 5


def test_a_list_of_texts_is_read_as_a_list_on_the_command_line() -> None:
    schema = Schema({"TAGS": Key("TAGS", str, True, (), "no such knob yet")}, {}, ())
    assert merge(schema, command_line(schema, ["TAGS", "[a b, 'off']"])) == {"TAGS": ("a b", "off")}


def test_every_key_is_a_decision() -> None:
    """A knob that comes or goes changes this file too: `keys.txt` is the list, in the order of specs/."""
    listed = (Path(__file__).parent / "keys.txt").read_text(encoding="utf-8").split()
    assert list(schema_of(RunSpec).keys) == listed


def test_only_the_config_tree_imports_cfgnode() -> None:
    sources = [path for folder in ("cfvideo", "cfimage", "tools") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in sources if "CfgNode" in imported(path)] == ["tree.py"]


def imported(path: Path) -> set[str]:
    statements = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {alias.name for item in statements if isinstance(item, (ast.Import, ast.ImportFrom)) for alias in item.names}


@pytest.mark.parametrize(("words", "message"), [
    (["NAME"], "NAME has no value"),
    ([*D_PRE, "NAME"], "NAME has no value"),
    (["CLUSTER.NUM_CLUSTERS=5", "SEEDS"], "write KEY VALUE with a space"),
    (["CLUSTER.NUM_CLUSTERS=5"], "write KEY VALUE with a space"),
    (["_BASE_", "a.yaml"], "_BASE_ belongs into a file"),
    (["SEEDS", "[1, 2"], r"command line: SEEDS \[1, 2: cannot be read as YAML"),
    (["SEEDS", "!!python/name:os.system"], "the tag .* is refused"),
])
def test_a_wrong_command_line_says_what_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_run_spec([], words)
