"""Hostile and broken YAML, and `_BASE_`: refused with file and line, before much of it is read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core.config import load_run_spec
from cfvideo.core.config.files import MAX_BYTES, MAX_FILES, config_root, files_and_pairs, read_settings
from cfvideo.core.config.settings import Setting, parse_file
from cfvideo.core.config.yaml_nodes import MAX_DEPTH, MAX_NODES
from cfvideo.core.errors import ConfigError

D_PRE = ["D_PRE.PATH", "x"]
LETTERS = "abcdefghi"
# Nine levels of nine aliases: 9^9 values from a few hundred bytes.
LIST_BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
                                    for a, b in zip(LETTERS, LETTERS[1:], strict=False))
MAPPING_BOMB = "a: &a {X: 1}\n" + "".join(f"{b}: &{b} {{{', '.join(f'K{i}: *{a}' for i in range(9))}}}\n"
                                          for a, b in zip(LETTERS, LETTERS[1:], strict=False))
MERGE_BOMB = "a: &a {X: 1}\n" + "".join(f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n"
                                        for a, b in zip(LETTERS, LETTERS[1:], strict=False))


@pytest.mark.parametrize(("words", "files", "pairs"), [
    ("", "", ""), ("a.yaml", "a.yaml", ""), ("a.yaml b.yml NAME x", "a.yaml b.yml", "NAME x"),
    ("a.yaml NAME b.yaml", "a.yaml", "NAME b.yaml"), ("a.cfg b.yaml name x", "a.cfg b.yaml", "name x")])
def test_pairs_begin_behind_the_last_file(words: str, files: str, pairs: str) -> None:
    assert files_and_pairs(words.split()) == ([Path(word) for word in files.split()], pairs.split())


def refusal(path: Path, text: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_run_spec([path], D_PRE)
    message = str(caught.value)
    assert path.name in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize(("text", "says"), [
    ("NAME: a\nSEEDS: [1]\nNAME: b", "run.yaml:3: NAME is given twice, first at"),
    ("N_PRE:\n  CLIP: {FLIP: no,\n    FLIP: yes}", "run.yaml:3: N_PRE.CLIP.FLIP is given twice"),
    ("NAME: !!python/object/apply:os.system [echo]", "run.yaml:1: cannot be read as YAML: the tag"),
    ("SEEDS:\n - !!int 5", "run.yaml:2: cannot be read as YAML: the tag"),
    ("NAME: ! x", "the tag ! is refused"),
    ("- a\n- b", "run.yaml:1: a config is a mapping"),
    ("just text", "run.yaml:1: a config is a mapping"),
    ("[]", "run.yaml:1: a config is a mapping"),
    ("[1, 2", "run.yaml:1: cannot be read as YAML"),
    ("NAME: a\n---\nNAME: b", "run.yaml:2: cannot be read as YAML: expected a single document"),
    ("NAME: *nowhere", "found undefined alias"),
    ("NAME: a\n\tSEEDS: [1]", "run.yaml:2: cannot be read as YAML"),
    ('NAME: "\\U00110000"', "run.yaml: cannot be read as YAML"),
    ('NAME: "\\UFFFFFFFF"', "run.yaml: cannot be read as YAML"),
    (f"%YAML {'9' * 5000}.1\n---\nNAME: a", "run.yaml: cannot be read as YAML"),
    ("NAME: \x07", "run.yaml: cannot be read as YAML"),
    (b"NAME: \xff", "run.yaml: cannot be read: 'utf-8' codec"),
    (b"NAME: \0", "run.yaml: cannot be read as YAML"),
    ("? [a, b]\n: 5", "[a, b] cannot be a key"),
    ("N_PRE.CLIP.NUM_FRAMES: 8", "each '.' of the whole key is one level of indentation"),
    ('"NA\\e[31mME": 8', "cannot be a key"),
    ('"": 8', "cannot be a key"),
    ("NAME: {{x}}", "cannot be a key"),
    ("N_PRE: {_BASE_: a.yaml}", "_BASE_ belongs to the top of a file"),
    ("N_PRE: {<<: 5}", "run.yaml:1: N_PRE.<< takes a mapping, not 5"),
    ("N_PRE: &a {CLIP: {FLIP: no}}\nN_CF: {<<: *a, CLIP: {CROP_PX: 8}}", "run.yaml:2: << does not reach into N_CF"),
    ("N_PRE: &a {CLIP: *a}", "or an alias leads back to itself"),
    ("N_PRE: &a {<<: *a}", "or an alias leads back to itself"),
    ("SEEDS: &a [*a]", "a list holds plain values, not a list"),
    (LIST_BOMB, "a list holds plain values"),
    (MAPPING_BOMB, f"more than {MAX_NODES} values once aliases are followed"),
    (MERGE_BOMB, f"more than {MAX_NODES} values once aliases are followed"),
    ("SEEDS: [" + "1," * (MAX_NODES + 1) + "1]", f"run.yaml:1: cannot be read as YAML: more than {MAX_NODES} values"),
    ("[" * MAX_BYTES, f"nested deeper than {MAX_DEPTH}"),
    ("- " * (MAX_BYTES // 2), f"nested deeper than {MAX_DEPTH}"),
    ("#" * (MAX_BYTES + 1), f"over {MAX_BYTES:,} bytes"),
])
def test_yaml_that_no_config_needs_is_refused(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert says in refusal(tmp_path / "run.yaml", text)


SCRAPS = ["N_PRE", "CLIP", "NUM_FRAMES", "D_TAR", "SEEDS", "NAME", "_BASE_", "run.yaml", ": ", ":\n", "\n", "\n  ",
          "- ", "8", "a", "[", "]", "{", "}", ", ", "&a ", "*a", "<<", "!x ", "'", '"', "|", ">", "? ", "#", "~", "%",
          "\t", "---\n", "\0"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(SCRAPS), max_size=25).map("".join) | st.binary(max_size=60))
def test_any_bytes_load_or_are_refused(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz" / "run.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with contextlib.suppress(ConfigError):
        load_run_spec([path], D_PRE)


def test_no_tag_runs_anything(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    refusal(tmp_path / "run.yaml", f"NAME: !!python/object/apply:pathlib.Path.touch\n  - {canary}")
    refusal(tmp_path / "run.yaml", f"NAME: !!python/object/apply:os.system ['touch {canary}']")
    assert not canary.exists()


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 2**30)  # a hole: 100 GiB that take no space
    with pytest.raises(ConfigError, match="over .* bytes"):
        load_run_spec([path], D_PRE)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--cfg: .*none\.yaml is missing"):
        load_run_spec([tmp_path / "none.yaml"], D_PRE)
    with pytest.raises(ConfigError, match="is not a file"):
        load_run_spec([tmp_path], D_PRE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a Unix matter")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="is not a file"):
        load_run_spec([tmp_path / "pipe.yaml"], D_PRE)


@pytest.mark.parametrize("text", ["", "# comment\n", "---\n", "\ufeffNAME: run\r\n", "{}", "D_TAR: {}", "CLUSTER: {}"])
def test_files_that_set_nothing_are_configs_too(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text, encoding="utf-8", newline="")
    assert load_run_spec([tmp_path / "run.yaml"], D_PRE) == load_run_spec([], D_PRE)


def test_a_setting_keeps_its_place_and_its_spelling() -> None:
    assert parse_file("A:\n  B: 1_0\nC: ['x', 2]\nON: off", "f") == [
        Setting("A.B", 10, "f:2", "1_0"), Setting("C", ("x", 2), "f:3", "['x', 2]"), Setting("ON", False, "f:4", "off")]


def test_merge_keys_give_way_to_a_mappings_own_keys_and_to_earlier_ones() -> None:
    text = "A: &a {X: 1, Y: 1}\nB: &b {X: 2, Z: 2}\nC: {<<: [*a, *b], Y: 3}"
    assert {item.key: item.value for item in parse_file(text, "f") if item.key[0] == "C"} == {
        "C.X": 1, "C.Y": 3, "C.Z": 2}


@pytest.mark.parametrize(("text", "says"), [
    ("_BASE_: run.yaml", "run.yaml:1: _BASE_: 'run.yaml' goes round in a circle: run.yaml -> run.yaml"),
    ("_BASE_: other.yaml", "goes round in a circle: run.yaml -> other.yaml -> run.yaml"),
    ("_BASE_: ./none.yaml", "run.yaml:1: "),
    ("_BASE_: ../../out.yaml", "lies outside the config root"),
    ("_BASE_: /etc/passwd", "lies outside the config root"),
    ("_BASE_: link.yaml", "lies outside the config root"),
    ("_BASE_: https://example.com/a.yaml", "is missing"),
    ("_BASE_: 5", "_BASE_: 5 is not allowed; allowed: the path of a config file"),
    ("_BASE_: ", "_BASE_:  is not allowed; allowed: the path of a config file"),
    ("_BASE_: [a.yaml, '']", "allowed: the path of a config file"),
    ("_BASE_: {A: other.yaml}", "allowed: the path of a config file"),
    ('_BASE_: "a\\0b"', "is no usable path"),
])
def test_bases_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    folder = tmp_path / "configs" / "video"
    folder.mkdir(parents=True)
    (tmp_path / "out.yaml").write_text("NAME: out", encoding="utf-8")
    (folder / "link.yaml").symlink_to(tmp_path / "out.yaml")
    (folder / "other.yaml").write_text("_BASE_: run.yaml", encoding="utf-8")
    assert says in refusal(folder / "run.yaml", text)


def test_a_base_may_lie_anywhere_below_configs_but_else_only_below_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "configs" / "video"
    folder.mkdir(parents=True)
    (tmp_path / "configs" / "base.yaml").write_text("NAME: base", encoding="utf-8")
    (folder / "run.yaml").write_text("_BASE_: ../base.yaml", encoding="utf-8")
    assert load_run_spec([folder / "run.yaml"], D_PRE).name == "base"
    assert config_root(folder / "run.yaml") == tmp_path / "configs"
    (tmp_path / "configs").rename(tmp_path / "experiments")
    with pytest.raises(ConfigError, match="outside the config root"):
        load_run_spec([tmp_path / "experiments" / "video" / "run.yaml"], D_PRE)


def test_two_bases_may_share_a_base_but_not_without_end(tmp_path: Path) -> None:
    (tmp_path / "0.yaml").write_text("NAME: shared", encoding="utf-8")
    for level in range(1, 40):
        below = f"{level - 1}.yaml"
        (tmp_path / f"{level}.yaml").write_text(f"_BASE_: [{below}, {below}]", encoding="utf-8")
    assert {item.value for item in read_settings(tmp_path / "2.yaml")} == {"shared"}
    with pytest.raises(ConfigError, match=f"more than {MAX_FILES} _BASE_ files"):
        read_settings(tmp_path / "39.yaml")


def test_a_wrong_value_in_a_base_is_laid_to_the_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("\nSEEDS: 5", encoding="utf-8")
    (tmp_path / "run.yaml").write_text("_BASE_: base.yaml", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"base\.yaml:2: SEEDS: 5"):
        load_run_spec([tmp_path / "run.yaml"], D_PRE)
