"""The paper's numbers stand beside a run in the paper's setting, and beside no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfvideo.core.config import load_run_spec
from cfvideo.core.paper_numbers import reference
from cfvideo.core.specs import RunSpec
from tests.source_tree import ROOT

CLASSES = {"KINETICS": 400, "SPORTS1M": 487}


def _video(*overrides: str) -> RunSpec:
    return load_run_spec([ROOT / "configs/ig_verb.yaml"], overrides)


def _images(tmp_path: Path, task: str, *overrides: str, k: int = 16000) -> RunSpec:
    path = tmp_path / "images.yaml"
    path.write_text("MODALITY: image\nD_PRE: {PATH: x, FORMAT: kinetics}\n"
                    f"N_PRE: {{ARCH: resnet50, TASK: {task}, CLIP: {{SHORT_EDGE_PX: 255}}}}\n"
                    f"N_CF: {{ARCH: resnet50}}\nCLUSTER: {{NUM_CLUSTERS: {k}}}\n")
    return load_run_spec([path], overrides)


@pytest.mark.parametrize(("network", "values"), [
    ("n_pre", (0.688, 0.529)), ("n_pre_2x", (0.692, 0.531)), ("distillation", (0.636, 0.484)),
    ("prototype", (0.703, 0.551)), ("n_cf", (0.715, 0.572)), ("untrained", None), ("regression", None),
    ("n_cf_round2", None)])
def test_table_5(network: str, values: tuple[float, float] | None) -> None:
    found = reference(_video(), network, CLASSES)
    assert found == (pytest.approx(dict(zip(CLASSES, values, strict=True))) if values else {})


def test_every_k_of_table_5() -> None:
    found = {k: reference(_video("CLUSTER.NUM_CLUSTERS", str(k)), "n_cf", {"STHSTH_V1": 174, "KINETICS": 400})
             for k in (400, 800, 1600, 3200, 6400, 500)}
    assert [100 * values["STHSTH_V1"] for k, values in found.items() if k != 500] == pytest.approx(
        [20.2, 20.0, 20.6, 19.3, 19.7])
    assert found[500] == {}


@pytest.mark.parametrize("overrides", [
    ("N_CF.ARCH", "r2plus1d_18"), ("N_CF.CLIP.NUM_FRAMES", "8"), ("N_PRE.CLIP.FRAME_STRIDE", "2"),
    ("D_CF.PATH", "elsewhere"), ("D_PRE.LABELS.TOP", "10"), ("D_PRE.LABELS.NOISE", "0.5"),
    ("N_PRE.MIDPLANES", "torchvision"), ("CLUSTER.METHOD", "per_label"), ("PROBE.METHODS", "[knn]")], ids="".join)
def test_another_setting_has_no_reference(overrides: tuple[str, ...]) -> None:
    assert reference(_video(*overrides), "n_cf", CLASSES) == {}


def test_a_target_needs_the_papers_name_and_its_classes() -> None:
    assert reference(_video(), "n_cf", {"KINETICS": 8, "MOTIONS": 400}) == {}
    assert set(reference(_video(), "n_cf", {"kinetics-400": 400})) == {"kinetics-400"}


def test_self_supervised_images(tmp_path: Path) -> None:
    targets = {"IMAGENET": 1000, "VOC07": 20, "PLACES205": 205}
    rotnet = _images(tmp_path, "rotnet")
    assert reference(rotnet, "n_cf", targets) == pytest.approx({"IMAGENET": 0.561, "PLACES205": 0.448})
    assert reference(_images(tmp_path, "jigsaw", k=4000), "n_cf", targets)["IMAGENET"] == pytest.approx(0.516)
    svm = _images(tmp_path, "rotnet", "PROBE.METHODS", "[svm]")
    assert reference(svm, "n_cf", targets) == pytest.approx({"VOC07": 0.709})
    assert reference(_images(tmp_path, "labels", k=15000), "n_cf", {"INATURALIST": 8142}) == pytest.approx(
        {"INATURALIST": 0.497})


def test_multi_task_needs_both_tasks(tmp_path: Path) -> None:
    both = _images(tmp_path, "jigsaw", "MORE_N_PRE.ROT.TASK", "rotnet", "MORE_N_PRE.ROT.ARCH", "resnet50",
                   "MORE_N_PRE.ROT.CLIP.SHORT_EDGE_PX", "255")
    assert reference(both, "n_cf_multi_task", {"IMAGENET": 1000}) == pytest.approx({"IMAGENET": 0.570})
    assert reference(both, "n_pre_ROT", {"IMAGENET": 1000}) == pytest.approx({"IMAGENET": 0.489})
    assert reference(both, "n_cf_ROT", {"IMAGENET": 1000}) == pytest.approx({"IMAGENET": 0.561})
    same = _images(tmp_path, "jigsaw", "MORE_N_PRE.ROT.TASK", "jigsaw", "MORE_N_PRE.ROT.ARCH", "resnet50",
                   "MORE_N_PRE.ROT.CLIP.SHORT_EDGE_PX", "255")
    assert reference(same, "n_cf_multi_task", {"IMAGENET": 1000}) == {}
