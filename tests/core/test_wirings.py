"""Baselines, several N_pre, imported networks and label spaces, run end to end over the toy modality."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from cfvideo.core.cli import run
from cfvideo.core.errors import ConfigError, DataError
from cfvideo.core.tensors import load_header, load_tensors
from tests.core.test_cli import CONFIG
from tests.toy_modality import TOY


def _go(folder: Path, *overrides: str, stages: str = "", dry_run: bool = False) -> int:
    folder.mkdir(exist_ok=True)
    (folder / "toy.yaml").write_text(CONFIG.format(out=folder / "out"))
    return run(TOY, files=[folder / "toy.yaml"], overrides=overrides, stages=stages, dry_run=dry_run, command="toy")


def _headers(folder: Path, stage: str) -> list[dict[str, object]]:
    return [load_header(path) for path in sorted((folder / "out/stages" / stage).glob("*/weights.safetensors"))]


def test_the_baselines_are_trained_and_stand_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _go(tmp_path, "BASELINES", "[n_pre_2x, distillation, regression, prototype]") == 0
    said = capsys.readouterr().out
    table = said[said.index("linear probe"):]
    rows = re.findall(r"│\s*(untrained|N_pre 2x|N_pre|distillation|regression|prototype|N_cf)\s", table)
    assert rows == ["untrained", "N_pre", "N_pre 2x", "distillation", "regression", "prototype", "N_cf"]
    assert "in brackets: difference to the network's own N_pre" in table  # too many networks for lines of their own
    trained = _headers(tmp_path, "train_cf")
    assert sorted(header["num_classes"] for header in trained) == [3, 3, 6, 6]
    assert [header["class_names"] for header in _headers(tmp_path, "pretrain")] == 2 * [["a", "b", "c"]]
    assert sorted(header["class_names"] for header in trained) == [
        ["a", "b", "c"], [f"cluster {own}" for own in range(3)], [f"cluster {own}" for own in range(6)],
        [f"number {place} of the feature" for place in range(6)]]


def test_twice_as_long_is_the_same_network_on_the_same_order(tmp_path: Path) -> None:
    """Half of N_pre 2x's budget is N_pre's: the plan says twice the samples, and one run re-uses the other's N_pre."""
    _go(tmp_path, stages="pretrain")
    _go(tmp_path, "BASELINES", "[n_pre_2x]", stages="pretrain")
    assert len(_headers(tmp_path, "pretrain")) == 2
    lines = {len(path.read_text().splitlines()) for path in (tmp_path / "out/stages/pretrain").glob("*/metrics.jsonl")}
    assert lines == {10, 20}


def test_several_n_pre_give_one_n_cf_each_and_one_with_all_heads(tmp_path: Path,
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert _go(tmp_path, "MORE_N_PRE.OTHER.SOLVER.MAX_SAMPLES", "96", "MORE_N_PRE.OTHER.SOLVER.BATCH_SIZE", "16",
               "MORE_N_PRE.OTHER.CLIP.NUM_FRAMES", "8") == 0
    said = capsys.readouterr().out
    for row in ("N_pre OTHER", "N_cf OTHER", "N_cf multi task"):
        assert row in said
    assert sorted(header["num_classes"] for header in _headers(tmp_path, "train_cf")) == [6, 6, 12]


def test_an_imported_network_stands_in_for_n_pre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _go(tmp_path / "theirs", stages="pretrain")
    (theirs,) = (tmp_path / "theirs/out/stages/pretrain").glob("*/weights.safetensors")
    capsys.readouterr()
    assert _go(tmp_path / "ours", "N_PRE.WEIGHTS", str(theirs.parent)) == 0
    (ours,) = (tmp_path / "ours/out/stages/pretrain").glob("*/weights.safetensors")
    assert ours.read_bytes() == theirs.read_bytes()
    assert "pretrain seed 0: n_pre, imported" in capsys.readouterr().out


def test_what_stands_for_imported_weights_is_their_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, rate in (("a", "0.1"), ("b", "0.2")):
        _go(tmp_path / name, "N_PRE.SOLVER.BASE_LR", rate, stages="pretrain")
    files = [next((tmp_path / name / "out/stages/pretrain").glob("*/weights.safetensors")) for name in "ab"]
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(files[0].read_bytes())
    _go(tmp_path / "c", "N_PRE.WEIGHTS", str(files[0]), stages="pretrain")
    capsys.readouterr()
    _go(tmp_path / "c", "N_PRE.WEIGHTS", str(copy), stages="pretrain")
    assert "re-used" in capsys.readouterr().out
    _go(tmp_path / "c", "N_PRE.WEIGHTS", str(files[1]), stages="pretrain")
    assert "re-used" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"not a network"])
def test_weights_that_are_none_are_refused_before_anything_runs(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"N_PRE.WEIGHTS: .*tools/import_weights.py"):
        _go(tmp_path, "N_PRE.WEIGHTS", str(path))


@pytest.mark.parametrize(("overrides", "said"), [
    (("N_CF.WEIGHTS", "x"), "N_CF.WEIGHTS is set, but N_cf is trained from scratch"),
    (("N_CF.TASK", "rotnet"), "N_CF.TASK rotnet: N_cf learns cluster ids"),
    (("N_PRE.TASK", "rotnet", "BASELINES", "[distillation]"), "leave distillation out"),
    (("MORE_N_PRE.2x.ARCH", "r2plus1d_18"), "choose another"),
    (("N_PRE.SOLVER.MICRO_BATCH_SIZE", "17"), "is more than N_PRE.SOLVER.BATCH_SIZE 16")])
def test_contradictions_are_refused_with_the_way_out(tmp_path: Path, overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _go(tmp_path, *overrides)


def test_the_label_space_and_its_noise_reach_n_pre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _go(tmp_path, "D_PRE.LABELS.TOP", "2", "D_PRE.LABELS.MAX_ROWS", "30", "D_PRE.LABELS.NOISE", "0.5",
        stages="pretrain")
    assert "D_PRE.LABELS: leaves 30 rows, 2 labels" in capsys.readouterr().out
    assert _headers(tmp_path, "pretrain")[0]["num_classes"] == 2
    _go(tmp_path, "D_PRE.LABELS.TOP", "2", "D_PRE.LABELS.MAX_ROWS", "30", stages="pretrain", dry_run=True)
    assert "because LABELS.NOISE 0.5 -> 0.0 changed" in capsys.readouterr().out


def test_fine_tuning_starts_from_the_judged_network_and_is_scored_by_its_own_classes(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solver = ("FINETUNE.SOLVER.MAX_SAMPLES", "45", "FINETUNE.SOLVER.BATCH_SIZE", "9", "FINETUNE.SOLVER.BASE_LR", "0")
    assert _go(tmp_path, "FINETUNE.TARGETS", "[T]", *solver) == 0
    said = capsys.readouterr().out
    assert "score seed 0: n_cf fine-tuned on T: running" in said
    tuned = [load_tensors(path)[0] for path in (tmp_path / "out/stages/finetune").glob("*/weights.safetensors")]
    judged = [load_tensors(path)[0] for stage in ("untrained", "pretrain", "train_cf")
              for path in (tmp_path / "out/stages" / stage).glob("*/weights.safetensors")]
    # At rate 0 nothing but running statistics moves: each has the trunk that it started from, and a head of its own.
    assert len(tuned) == 3
    for network in tuned:
        assert sum(torch.equal(network["body.0.weight"], other["body.0.weight"]) for other in judged) == 1
        assert network["fc.weight"].shape == (3, 6)
    assert [header["class_names"] for header in _headers(tmp_path, "finetune")] == 3 * [["a", "b", "c"]]


def test_a_target_that_is_none_cannot_be_fine_tuned_on(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="FINETUNE.TARGETS names KINETICS, which is no target; D_TAR has T"):
        _go(tmp_path, "FINETUNE.TARGETS", "[KINETICS]")


def test_a_compiled_network_and_other_layouts_train(tmp_path: Path) -> None:
    assert _go(tmp_path, "N_PRE.SOLVER.MEMORY_FORMAT", "channels_last", "N_PRE.SOLVER.CLIP_GRADIENT", "1.0",
               stages="pretrain") == 0


@pytest.mark.slow
def test_a_compiled_step_trains_the_same_network(tmp_path: Path) -> None:
    states = []
    for name, value in (("plain", "false"), ("compiled", "true")):
        assert _go(tmp_path / name, "N_PRE.SOLVER.COMPILE", value, stages="pretrain") == 0
        states.append(load_tensors(next((tmp_path / name / "out/stages/pretrain").glob("*/weights.safetensors")))[0])
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-3, atol=1e-4, msg=key)
