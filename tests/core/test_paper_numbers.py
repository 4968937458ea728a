"""The paper's numbers stand beside a run in the paper's setting, and beside no other."""

from __future__ import annotations

import pytest

from cfvideo.core.config import load_run_spec
from cfvideo.core.paper_numbers import reference
from cfvideo.core.specs import RunSpec
from tests.source_tree import ROOT

CLASSES = {"KINETICS": 400, "SPORTS1M": 487}


def _video(*overrides: str) -> RunSpec:
    return load_run_spec([ROOT / "configs/ig_verb.yaml"], overrides)


def _images(name: str, *overrides: str) -> RunSpec:
    return load_run_spec([ROOT / f"configs/{name}.yaml"], overrides)


def _target(name: str) -> tuple[str, ...]:
    """Another target of the video config."""
    return f"D_TAR.{name}.TRAIN", "x", f"D_TAR.{name}.TEST", "y"


@pytest.mark.parametrize(("network", "values"), [
    ("n_pre", (0.688, 0.529)), ("n_pre_2x", (0.692, 0.531)), ("distillation", (0.636, 0.484)),
    ("prototype", (0.703, 0.551)), ("n_cf", (0.715, 0.572)), ("untrained", None), ("regression", None),
    ("n_cf_round2", None)])
def test_table_5(network: str, values: tuple[float, float] | None) -> None:
    found = reference(_video(), network, CLASSES)
    assert found == (pytest.approx(dict(zip(CLASSES, values, strict=True))) if values else {})


def test_every_k_of_table_5() -> None:
    found = {k: reference(_video("CLUSTER.NUM_CLUSTERS", str(k), *_target("STHSTH_V1")), "n_cf", {"STHSTH_V1": 174})
             for k in (400, 800, 1600, 3200, 6400, 500)}
    assert [100 * values["STHSTH_V1"] for k, values in found.items() if k != 500] == pytest.approx(
        [20.2, 20.0, 20.6, 19.3, 19.7])
    assert found[500] == {}


@pytest.mark.parametrize("overrides", [
    ("N_CF.ARCH", "r2plus1d_18"), ("N_CF.CLIP.NUM_FRAMES", "8"), ("N_PRE.CLIP.FRAME_STRIDE", "2"),
    ("D_CF.PATH", "elsewhere"), ("D_PRE.LABELS.TOP", "10"), ("D_PRE.LABELS.NOISE", "0.5"),
    ("N_PRE.MIDPLANES", "torchvision"), ("CLUSTER.METHOD", "per_label"), ("PROBE.METHODS", "[knn]"),
    ("PROBE.LAYERS", "[res2]"), ("PROBE.LAYERS", "[res4, res5]"), ("D_PRE.FORMAT", "kinetics")], ids="".join)
def test_another_setting_has_no_reference(overrides: tuple[str, ...]) -> None:
    assert reference(_video(*overrides), "n_cf", CLASSES) == {}


@pytest.mark.parametrize("format", ["index", "tar"])
def test_weak_labels_may_lie_in_an_index_or_in_shards(format: str) -> None:
    assert set(reference(_video("D_PRE.FORMAT", format), "n_cf", CLASSES)) == set(CLASSES)


def test_a_target_needs_the_papers_name_and_its_classes() -> None:
    spec = _video(*_target("MOTIONS"), *_target("KINETICS_400"))
    assert reference(spec, "n_cf", {"KINETICS": 8, "MOTIONS": 400}) == {}
    assert set(reference(spec, "n_cf", {"KINETICS_400": 400})) == {"KINETICS_400"}


def test_a_target_needs_the_papers_yardstick_whoever_asks_for_it() -> None:
    own = _video("D_TAR.KINETICS.METHODS", "[knn]")
    assert set(reference(own, "n_cf", CLASSES)) == {"SPORTS1M"}
    back = _video("PROBE.METHODS", "[knn]", "D_TAR.KINETICS.METHODS", "[linear, knn]")
    assert set(reference(back, "n_cf", CLASSES)) == {"KINETICS"}


def test_self_supervised_images() -> None:
    targets = {"IMAGENET": 1000, "VOC07": 20, "PLACES205": 205}
    assert reference(_images("rotnet"), "n_cf", targets) == pytest.approx(
        {"IMAGENET": 0.561, "VOC07": 0.709, "PLACES205": 0.448})
    assert reference(_images("rotnet", "D_TAR.VOC07.METHODS", "[]"), "n_cf", {"VOC07": 20}) == {}
    fewer = _images("jigsaw", "CLUSTER.NUM_CLUSTERS", "4000")
    assert reference(fewer, "n_cf", targets)["IMAGENET"] == pytest.approx(0.516)
    assert reference(_images("rotnet", "PROBE.LAYERS", "[res5.grid]"), "n_cf", targets) == {}


def test_weak_labels_of_images_have_a_table_and_clean_ones_have_none() -> None:
    targets = {"IMAGENET": 1000, "INATURALIST": 8142}
    assert reference(_images("ig_imagenet_1b"), "n_cf", targets) == pytest.approx(
        {"IMAGENET": 0.765, "INATURALIST": 0.497})
    for network in ("n_pre", "distillation", "n_cf"):
        clean = _images("imagenet_noise", "D_PRE.LABELS.NOISE", "0", "CLUSTER.NUM_CLUSTERS", "15000")
        assert reference(clean, network, targets) == {}


def test_multi_task_needs_both_tasks() -> None:
    both = _images("jigsaw_rotnet")
    assert reference(both, "n_cf_multi_task", {"IMAGENET": 1000}) == pytest.approx({"IMAGENET": 0.570})
    assert reference(both, "n_pre_ROTNET", {"IMAGENET": 1000}) == pytest.approx({"IMAGENET": 0.489})
    assert reference(both, "n_cf_ROTNET", {"IMAGENET": 1000}) == pytest.approx({"IMAGENET": 0.561})
    same = _images("jigsaw_rotnet", "MORE_N_PRE.ROTNET.TASK", "jigsaw")
    assert reference(same, "n_cf_multi_task", {"IMAGENET": 1000}) == {}
