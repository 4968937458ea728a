"""tools/ablate.py: its command line, its help, and a plan for videos that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfvideo.core.ablation import ABLATIONS
from tests.source_tree import ROOT
from tools.ablate import is_key, main, parse


def test_pairs_may_follow_any_flag() -> None:
    given = parse(["num_labels", "--cfg", "a.yaml", "b.yaml", "--values", "2", "all", "CLUSTER.NUM_CLUSTERS", "4"])
    assert (given.name, given.cfg, given.values) == ("num_labels", [Path("a.yaml"), Path("b.yaml")], ["2", "all"])
    assert given.overrides == ["CLUSTER.NUM_CLUSTERS", "4"]
    given = parse(["label_nature", "--lists", "verbs.txt", "NOUNS.txt", "--cfg", "a.yaml", "NAME", "x", "--dry-run"])
    assert (given.lists, given.overrides, given.dry_run) == (["verbs.txt", "NOUNS.txt"], ["NAME", "x"], True)
    assert parse(["layers", "--cfg", "a.yaml", "--values", "res4", "conv1.grid"]).values == ["res4", "conv1.grid"]


@pytest.mark.parametrize(("word", "key"), [
    ("NAME", True), ("D_TAR.mine.TRAIN", True), ("CLUSTER.NUM_CLUSTERS", True), ("all", False), ("256", False),
    ("VERBS.txt", False), ("res5", False), ("lists/VERBS", False), ("", False)])
def test_what_begins_the_pairs(word: str, key: bool) -> None:
    assert is_key(word) is key


def test_help_names_every_ablation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert [name for name in ABLATIONS if f"  {name} " not in said] == []


def test_a_plan_for_videos_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["num_clusters", "--cfg", str(ROOT / "configs/ig_verb.yaml"), "--seeds", "0,1", "--dry-run",
                 "OUTPUT_DIR", str(out)]) == 3
    said = " ".join(capsys.readouterr().out.split())
    for label in ("k400", "k800", "k1600", "k3200", "k6400", "seeds 0, 1"):
        assert label in said
    assert "D_PRE.PATH" in said
    assert not out.exists()


@pytest.mark.parametrize(("arguments", "said"), [
    (["nonsense", "--cfg", str(ROOT / "configs/demo.yaml")], "unknown ablation nonsense"), (["layers"], "--cfg"),
    (["layers", "--cfg", str(ROOT / "configs/demo.yaml"), "--seeds", "0;1"], "--seeds 0;1"),
    (["layers", "--cfg", "absent.yaml"], "absent.yaml")])
def test_a_wrong_command_says_the_way_out(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
