"""Keys that contradict each other: refused with the keys, their values, where they stand, and a way out that works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfvideo.core.config import check, load_run_spec
from cfvideo.core.errors import ConfigError
from cfvideo.core.specs import RunSpec, SourceSpec

D_PRE = ["D_PRE.PATH", "x"]
TARGET = ["D_TAR.A", "{TRAIN: x, TEST: y}"]
FINISHED = ["N_PRE.WEIGHTS", "w"]
ROTNET = ["MODALITY", "image", "N_PRE.TASK", "rotnet"]
NOISE = ["D_PRE.LABELS.NOISE", "0.5"]
SMALL = ["N_CF.ARCH", "r2plus1d"]


@pytest.mark.parametrize(("words", "says", "mend"), [
    (["N_CF.CLIP.CROP_PX", "129"], "N_CF.CLIP.CROP_PX 129 does not fit into N_CF.CLIP.SHORT_EDGE_PX 128",
     ["N_CF.CLIP.SHORT_EDGE_PX", "129"]),
    (["N_PRE.CLIP.SHORT_EDGE_PX", "64"], "N_PRE.CLIP.CROP_PX 112 does not fit into N_PRE.CLIP.SHORT_EDGE_PX 64",
     ["N_PRE.CLIP.CROP_PX", "64"]),
    ([*SMALL, "N_CF.BLOCKS", "[1, 1]"], "N_CF.BLOCKS [1, 1] has 2 numbers, and N_CF.ARCH r2plus1d takes 4",
     ["N_CF.BLOCKS", "[1, 1, 2, 2]"]),
    ([*SMALL, "N_CF.WIDTHS", "[8, 8, 8, 8, 8]"], "N_CF.WIDTHS [8, 8, 8, 8, 8] has 5 numbers",
     ["N_CF.WIDTHS", "[8, 8, 8, 8]"]),
    (["N_PRE.BLOCKS", "[2, 2, 2, 2]"], "N_PRE.ARCH r2plus1d_34 fixes its own blocks, so N_PRE.BLOCKS [2, 2, 2, 2]",
     ["N_PRE.ARCH", "r2plus1d"]),
    (["N_PRE.ARCH", "r2plus1d_18", "N_PRE.WIDTHS", "[8, 8, 8, 8]"], "N_PRE.ARCH r2plus1d_18 fixes its own widths",
     ["N_PRE.WIDTHS", "[64, 128, 256, 512]"]),
    (["N_PRE.SOLVER.WARMUP_SAMPLES", "490_000_001"], "N_PRE.SOLVER.WARMUP_SAMPLES 490,000,001 is more than the whole",
     ["N_PRE.SOLVER.MAX_SAMPLES", "490_000_001"]),
    (["N_CF.SOLVER.MAX_SAMPLES", "767"], "N_CF.SOLVER.BATCH_SIZE 768 is more than the whole training",
     ["N_CF.SOLVER.BATCH_SIZE", "767"]),
    (["SEEDS", "[]"], "SEEDS is empty", ["SEEDS", "[0]"]),
    (["SEEDS", "[1, 2, 1]"], "SEEDS [1, 2, 1] names a seed twice", ["SEEDS", "[1, 2]"]),
    (["PROBE.LAYERS", "[]"], "PROBE.LAYERS [] is empty or names a layer twice", ["PROBE.LAYERS", "[res4, res5]"]),
    (["PROBE.LAYERS", "[res4, res4]"], "PROBE.LAYERS ['res4', 'res4'] is empty or names",
     ["PROBE.LAYERS", "[res4]"]),
    (["PROBE.STRENGTHS", "[]"], "PROBE.STRENGTHS is empty", ["PROBE.STRENGTHS", "[1.0]"]),
    (["PROBE.SGD.LEARNING_RATES", "[]"], "PROBE.SGD.LEARNING_RATES is empty", ["PROBE.SGD.LEARNING_RATES", "[0.01]"]),
    (["PROBE.METHODS", "[low_shot]"], "PROBE.METHODS ['low_shot'] begins with low_shot",
     ["PROBE.METHODS", "[svm, low_shot]"]),
    (["PROBE.CLIP_SCORES", "softmax", "PROBE.SOLVER", "ridge"], "PROBE.CLIP_SCORES softmax averages probabilities",
     ["PROBE.SOLVER", "sgd"]),
    (["PROBE.CLIP_SCORES", "softmax", "PROBE.METHODS", "[knn]"], "PROBE.CLIP_SCORES softmax averages probabilities",
     ["PROBE.CLIP_SCORES", "features"]),
    (["D_PRE.PATH", ""], "D_PRE.PATH is empty", ["D_PRE.PATH", "data/my_videos"]),
    (["D_CF.ROOT", "x"], "D_CF.PATH is empty, which makes D_cf the same as D_pre, so D_CF.ROOT would be ignored",
     ["D_CF.PATH", "y"]),
    (["D_TAR.A.TRAIN", "x"], "D_TAR.A.TEST is empty: a target needs both splits", ["D_TAR.A.TEST", "y"]),
    (["D_TAR.A.TEST", "x"], "D_TAR.A.TRAIN is empty", ["D_TAR.A.TRAIN", "y"]),
    (["D_TAR.A", "{TRAIN: x, TEST: y, METHODS: [low_shot, svm]}"],
     "D_TAR.A.METHODS ['low_shot', 'svm'] begins with low_shot", ["D_TAR.A.METHODS", "[svm, low_shot]"]),
    ([*TARGET, "FINETUNE.TARGETS", "[A, A]"], "FINETUNE.TARGETS ['A', 'A'] names a target twice",
     ["FINETUNE.TARGETS", "[A]"]),
    (["FINETUNE.SOLVER.MAX_SAMPLES", "31"], "FINETUNE.SOLVER.BATCH_SIZE 32 is more than the whole training",
     ["FINETUNE.SOLVER.BATCH_SIZE", "31"]),
    (["FINETUNE.SOLVER.MICRO_BATCH_SIZE", "33"], "FINETUNE.SOLVER.MICRO_BATCH_SIZE 33 is more than FINETUNE.SOLVER.BA",
     ["FINETUNE.SOLVER.BATCH_SIZE", "33"]),
    ([*FINISHED, "BASELINES", "[n_pre_2x]"], "BASELINES n_pre_2x trains N_pre for twice as long, and N_PRE.WEIGHTS w",
     ["BASELINES", "[distillation]"]),
    ([*FINISHED, "BASELINES", "[n_pre_2x]"], "BASELINES n_pre_2x trains N_pre for twice", ["N_PRE.WEIGHTS", "''"]),
    ([*FINISHED, *NOISE], "D_PRE.LABELS.NOISE 0.5 makes labels wrong that nobody learns, because of N_PRE.WEIGHTS w",
     ["N_PRE.WEIGHTS", "''"]),
    ([*ROTNET, *NOISE], "D_PRE.LABELS.NOISE 0.5 makes labels wrong that nobody learns, because of N_PRE.TASK rotnet",
     ["N_PRE.TASK", "labels"]),
    ([*ROTNET, *NOISE, "D_CF.PATH", "y", "BASELINES", "[prototype]"], "D_PRE.LABELS.NOISE 0.5 makes labels wrong",
     ["D_PRE.LABELS.NOISE", "0"]),
    (["D_TAR.A", "{TRAIN: x, TEST: y, SQUEEZE: true}"], "D_TAR.A.SQUEEZE: a protocol of images; the probes of videos "
     "see cropped clips: leave it out", ["MODALITY", "image"]),
    (["D_TAR.A", "{}"], "D_TAR.A.TRAIN and D_TAR.A.TEST are empty", ["D_TAR.A", "{TRAIN: x, TEST: y}"]),
])
def test_a_contradiction_is_refused_and_its_way_out_works(words: list[str], says: str, mend: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_run_spec([], [*D_PRE, *words])
    assert str(caught.value).startswith(says)
    load_run_spec([], [*D_PRE, *words, *mend])


def test_a_contradiction_names_the_places_of_both_keys() -> None:
    with pytest.raises(ConfigError) as caught:
        load_run_spec([], [*D_PRE, "N_CF.CLIP.CROP_PX", "64", "N_CF.CLIP.SHORT_EDGE_PX", "32"])
    assert str(caught.value).endswith("N_CF.CLIP.CROP_PX is set at command line. "
                                      "N_CF.CLIP.SHORT_EDGE_PX is set at command line")


def test_check_takes_a_spec_from_anywhere() -> None:
    spec = RunSpec(d_pre=SourceSpec(path="x"))
    check(spec)
    with pytest.raises(ConfigError, match="SEEDS"):
        check(replace(spec, seeds=(1, 1)))


@pytest.mark.parametrize("words", [
    [],  # no target: the probe is left out
    ["N_PRE.CLIP.CROP_PX", "128"],
    ["N_PRE.SOLVER.MAX_SAMPLES", "768", "N_PRE.SOLVER.WARMUP_SAMPLES", "768"],
    # Somebody learns the wrong labels: a baseline, the clusters, a further N_pre.
    [*FINISHED, *NOISE, "BASELINES", "[distillation]"],
    [*ROTNET, *NOISE, "BASELINES", "[prototype]"],
    [*ROTNET, *NOISE, "CLUSTER.METHOD", "per_label"],
    [*ROTNET, *NOISE, "MORE_N_PRE.B.ARCH", "resnet18"],
    ["D_CF.MIN_ROWS_PER_LABEL", "3", "D_PRE.MIN_ROWS_PER_LABEL", "3", "D_CF.PATH", "x"],
])
def test_what_is_odd_but_means_something_is_allowed(words: list[str]) -> None:
    load_run_spec([], [*D_PRE, *words])
