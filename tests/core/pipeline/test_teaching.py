"""Which N_pre can be distilled: clips, labels and tasks that do not fit are refused before anything runs."""

from __future__ import annotations

import dataclasses
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cfvideo.core.ablation import Request, ablate
from cfvideo.core.cli import run
from cfvideo.core.errors import ConfigError
from cfvideo.core.index import Index
from cfvideo.core.network_file import write_network
from cfvideo.core.recipes import view
from cfvideo.core.records import Modality
from cfvideo.core.specs import NetworkSpec
from tests.core.test_cli import CONFIG
from tests.toy_modality import TOY, ToyNetwork

ASKED = ("BASELINES", "[distillation]")
LEFT_OUT = "distillation: N_pre would be fed its student's samples, but N_PRE.CLIP.NUM_FRAMES is 8"


def plan(folder: Path, *overrides: str, modality: Modality = TOY) -> int:
    (folder / "toy.yaml").write_text(CONFIG.format(out=folder / "out"))
    return run(modality, files=[folder / "toy.yaml"], overrides=overrides, stages="", dry_run=True, command="toy")


def theirs(folder: Path, num_classes: int = 3, architecture: dict[str, Any] | None = None, *,
           changes: dict[str, Any] | None = None, **more: Any) -> str:
    """A finished network's file, of the toy config's usual view but for `changes`."""
    path = folder / f"{len(list(folder.iterdir()))}.safetensors"  # what was read of a file is remembered
    write_network(path, ToyNetwork(num_classes).state_dict(), num_classes=num_classes,
                  architecture={"arch": "r2plus1d", **(architecture or {})},
                  view={**view(NetworkSpec()), **(changes or {})}, **more)
    return str(path)


def _renamed(source: Modality, path: str, names: list[str]) -> Modality:
    """As `source`, but the data set at `path` has labels of other names."""

    def read_index(**options: Any) -> Index:
        index: Index = source.read_index(**options)
        return index if options["path"].name != path else dataclasses.replace(index, label_names=tuple(names))

    return dataclasses.replace(source, read_index=read_index)


@pytest.mark.parametrize(("overrides", "said"), [
    (("N_PRE.CLIP.NUM_FRAMES", "8"), "N_PRE.CLIP.NUM_FRAMES is 8 and N_CF.CLIP.NUM_FRAMES 32; make them agree, or "
                                     "leave distillation out of BASELINES"),
    (("N_CF.CLIP.FRAME_STRIDE", "2", "N_CF.CLIP.CROP_PX", "96"),
     "N_PRE.CLIP.FRAME_STRIDE is 1 and N_CF.CLIP.FRAME_STRIDE 2, N_PRE.CLIP.CROP_PX is 112 and N_CF.CLIP.CROP_PX 96"),
    (("N_PRE.CLIP.SHORT_EDGE_PX", "256"), "N_PRE.CLIP.SHORT_EDGE_PX is 256 and N_CF.CLIP.SHORT_EDGE_PX 128")])
def test_samples_that_cannot_serve_both(tmp_path: Path, overrides: tuple[str, ...], said: str) -> None:
    assert plan(tmp_path, *overrides) == 0
    with pytest.raises(ConfigError, match=f"BASELINES distillation: N_pre would be fed its student's .*{said}"):
        plan(tmp_path, *overrides, *ASKED)


def test_what_only_augments_may_differ(tmp_path: Path) -> None:
    assert plan(tmp_path, "N_PRE.CLIP.FLIP", "false", *ASKED) == 0


def test_frames_are_nothing_to_images(tmp_path: Path) -> None:
    assert plan(tmp_path, "N_PRE.CLIP.NUM_FRAMES", "1", "MODALITY", "image", *ASKED) == 0


def test_an_imported_teachers_own_view_is_what_counts(tmp_path: Path) -> None:
    assert plan(tmp_path, "N_PRE.WEIGHTS", theirs(tmp_path), "N_PRE.CLIP.CROP_PX", "16", *ASKED) == 0
    with pytest.raises(ConfigError, match=r"N_PRE.WEIGHTS's CROP_PX is 64 and N_CF.CLIP.CROP_PX 112"):
        plan(tmp_path, "N_PRE.WEIGHTS", theirs(tmp_path, changes={"crop_px": 64}), *ASKED)


@pytest.mark.parametrize(("more", "said"), [
    ({"num_classes": 4}, r"N_pre tells 4 classes apart \(N_PRE.WEIGHTS\) and D_cf has 3 labels"),
    ({"class_names": ["a", "x", "c"]},
     "N_pre's 3 classes are not D_cf's 3 labels: number 1 is 'x' of N_pre's and 'b' of D_cf's"),
    ({"num_classes": 2, "class_names": ["a", "b"]},
     "N_pre's 2 classes are not D_cf's 3 labels: number 2 is none of N_pre's and 'c' of D_cf's"),
    ({"architecture": {"task": "rotnet"}}, "pretext task rotnet, whose outputs say nothing")])
def test_an_imported_teacher_of_other_labels(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=f"BASELINES distillation: .*{said}"):
        plan(tmp_path, "N_PRE.WEIGHTS", theirs(tmp_path, **more), *ASKED)


def test_an_imported_teacher_of_the_same_labels(tmp_path: Path) -> None:
    assert plan(tmp_path, "N_PRE.WEIGHTS", theirs(tmp_path, class_names=["a", "b", "c"]), *ASKED) == 0


def test_a_teacher_of_d_pre_must_know_d_cfs_labels(tmp_path: Path) -> None:
    """As many labels, but others: their numbers would mean something else."""
    changed = partial(plan, tmp_path, "D_CF.PATH", "'48'", *ASKED)
    assert changed() == 0
    with pytest.raises(ConfigError, match="number 0 is 'a' of N_pre's and 'b' of D_cf's"):
        changed(modality=_renamed(TOY, "48", ["b", "a", "c"]))


def test_data_that_is_not_here_yet_does_not_stop_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(tmp_path, "D_CF.PATH", "not here", *ASKED) == 3
    assert "D_CF.PATH: not here" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["baselines", "label_noise"])
def test_ablations_leave_out_a_distillation_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                           name: str) -> None:
    """The plan says so; one that the config itself asks for is refused."""
    assert _ablate(tmp_path, name, dry_run=True) == 0
    said = capsys.readouterr().out
    assert re.search(f"^Left out: {LEFT_OUT}", said, re.MULTILINE)
    assert "distillation" not in said[said.index("KEY VALUE"):said.index("Left out")]
    with pytest.raises(ConfigError, match="BASELINES distillation"):
        _ablate(tmp_path, name, *ASKED, dry_run=True)


@pytest.mark.slow
def test_the_page_says_what_was_left_out(tmp_path: Path) -> None:
    assert _ablate(tmp_path, "label_noise", dry_run=False) == 0
    page = (tmp_path / "out/ablations/label_noise/report.html").read_text()
    assert "left out" in page
    assert LEFT_OUT in page.replace("&#39;", "'")


def _ablate(folder: Path, name: str, *overrides: str, dry_run: bool) -> int:
    pytest.importorskip("faiss", reason="k-means searches with FAISS: pip install faiss-cpu")
    (folder / "toy.yaml").write_text(CONFIG.format(out=folder / "out"))
    small = ("N_PRE.SOLVER.MAX_SAMPLES", "32", "N_CF.SOLVER.MAX_SAMPLES", "32", "CLUSTER.NUM_CLUSTERS", "3",
             "N_PRE.CLIP.NUM_FRAMES", "8", "PROBE.NUM_CLIPS", "1", "EXTRACT.NUM_CLIPS", "1")
    return ablate(TOY, Request(name, [folder / "toy.yaml"], "toy", [*small, *overrides], clusters=["3"], values=["50"],
                               dry_run=dry_run))
