"""The core's whole pipeline on images: a pretext task, features, clusters, N_cf, a probe, the report."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cfimage.modality import IMAGE
from cfvideo.core.ablation import Request, ablate
from cfvideo.core.cli import run
from cfvideo.core.errors import ConfigError
from cfvideo.core.network_file import FILE_NAME, load_network
from cfvideo.core.tensors import load_header
from tests.cfimage.pictures import encoded, smooth
from tests.source_tree import ROOT

pytest.importorskip("faiss", reason="k-means searches with FAISS: pip install faiss-cpu")

CIFAR = ROOT.parent / "shared" / "data" / "cifar10_jpeg_25k.tar.gz"
CONFIG = """
NAME: images
MODALITY: image
OUTPUT_DIR: {out}
D_PRE: {{FORMAT: imagenet, PATH: {data}/train}}
D_TAR:
  T: {{FORMAT: imagenet, TRAIN: {data}/train, TEST: {data}/val}}
N_PRE: &net
  ARCH: resnet
  WIDTHS: [8, 8, 8, 16]
  CLIP: {{SHORT_EDGE_PX: 32, CROP_PX: 32, CROP_AREA: [0.5, 1.0], CELL_PX: 10, PATCH_PX: 8, PERMUTATIONS: 20}}
  SOLVER: {{MAX_SAMPLES: 128, BATCH_SIZE: 16, BASE_LR: 0.05, BASE_BATCH_SIZE: 16, CHECKPOINT_SAMPLES: 64}}
N_CF: *net
EXTRACT: {{NUM_CLIPS: 1, BATCH_SIZE: 16}}
CLUSTER: {{NUM_CLUSTERS: 6, NUM_ITERATIONS: 4}}
PROBE: {{NUM_CLIPS: 1, STRENGTHS: [1.0]}}
SYSTEM: {{DEVICE: cpu, THREADS: 1}}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures of 3 classes to learn from, 15 to be judged by; one of the 60 is cut short."""
    folder = tmp_path_factory.mktemp("images")
    for split, count in (("train", 20), ("val", 5)):
        for label in range(3):
            for number in range(count):
                file = folder / split / f"class {label}" / f"{number:02d}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                content = encoded(smooth(48, 36 + number, 2.0 * label + 0.1 * number), "JPEG", quality=90)
                cut = split == "train" and (label, number) == (1, 7)
                file.write_bytes(content[:600] if cut else content)
    return folder


def go(data: Path, out: Path, *overrides: str, stages: str = "") -> None:
    config = out.with_suffix(".yaml")
    config.write_text(CONFIG.format(out=out, data=data))
    assert run(IMAGE, files=[config], overrides=overrides, stages=stages, dry_run=False, command="test") == 0


def manifests(out: Path, name: str) -> list[tuple[Path, Mapping[str, Any]]]:
    """(folder, manifest) of every finished stage of a kind."""
    found = [(file.parent, json.loads(file.read_text())) for file in sorted(out.rglob("manifest.json"))]
    return [(folder, manifest) for folder, manifest in found if manifest["name"] == name]


@pytest.mark.parametrize(("task", "classes"), [("rotnet", 4), ("jigsaw", 20)])
def test_from_a_pretext_task_to_a_report(data: Path, tmp_path: Path, task: str, classes: int) -> None:
    out = tmp_path / "out"
    go(data, out, "N_PRE.TASK", task)
    ((folder, n_pre),) = manifests(out, "pretrain")
    assert (n_pre["facts"]["num_classes"], n_pre["facts"]["label_accuracy"]) == (classes, None)
    header = load_header(folder / FILE_NAME)
    assert (header["architecture"]["task"], header["view"]["task"]) == (task, task)
    assert load_network(folder / FILE_NAME, IMAGE).fc.out_features == classes
    ((_, n_cf),) = manifests(out, "train_cf")
    assert n_cf["facts"]["num_rows"] == 59
    for _, extracted in manifests(out, "extract"):
        assert extracted["facts"]["dims"] == {"res5": 16}
        assert set(extracted["facts"]["decoders"]) == {"pillow"}
    probes = manifests(out, "probe")
    assert {probe["role"] for _, probe in probes} == {f"seed 0: {name} on T" for name in ("untrained", "n_pre", "n_cf")}
    with (folder / "failures.csv").open(newline="") as file:
        assert [(line["path"], line["status"]) for line in csv.DictReader(file)] == [("class 1/07.jpg", "undecodable")]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/") > 6  # the gallery of clusters shows pictures


@pytest.mark.parametrize("task", ["rotnet", "jigsaw"])
def test_fine_tuning_sees_whole_pictures_whatever_the_network_learned_by(data: Path, tmp_path: Path, task: str) -> None:
    go(data, tmp_path / "out", "N_PRE.TASK", task, "FINETUNE.TARGETS", "[T]", "FINETUNE.SOLVER.MAX_SAMPLES", "16",
       "FINETUNE.SOLVER.BATCH_SIZE", "16", stages="pretrain,finetune")
    ((folder, _),) = manifests(tmp_path / "out", "finetune")
    header = load_header(folder / FILE_NAME)
    assert "task" not in header["view"]
    assert "task" not in header["architecture"]


def test_voc_is_judged_by_svms_on_all_layers_in_one_pass(data: Path, tmp_path: Path) -> None:
    """Class 2's images of the test split are too difficult to judge: they count neither way, but for other classes."""
    voc = tmp_path / "VOC2007"
    lists, pictures = voc / "ImageSets" / "Main", voc / "JPEGImages"
    lists.mkdir(parents=True)
    pictures.mkdir()
    for split, folder in (("trainval", "train"), ("test", "val")):
        files = sorted((data / folder).rglob("*.jpg"))
        for number, file in enumerate(files):
            shutil.copy(file, pictures / f"{split}{number}.jpg")
        (lists / f"{split}.txt").write_text("".join(f"{split}{number}\n" for number in range(len(files))))
        for label in range(3):
            present = 0 if (split, label) == ("test", 2) else 1
            (lists / f"c{label}_{split}.txt").write_text("".join(
                f"{split}{number} {present if file.parent.name == f'class {label}' else -1}\n"
                for number, file in enumerate(files)))
    go(data, tmp_path / "out", "D_TAR.T.FORMAT", "voc", "D_TAR.T.TRAIN", str(lists / "trainval.txt"), "D_TAR.T.TEST",
       str(lists / "test.txt"), "PROBE.METHODS", "[svm]", "PROBE.LAYERS", "[res3.grid, res5]", "PROBE.SVM.COSTS",
       "[1.0]")
    facts = [manifest["facts"] for _, manifest in manifests(tmp_path / "out", "probe")]
    assert len(facts) == 3
    for found in facts:
        assert found["dims"] == {"res3.grid": 8 * 16 * 16, "res5": 16}
        assert (found["num_train_rows"], found["num_test_rows"]) == (59, 15)


@pytest.mark.slow
def test_every_layer_of_every_network_is_on_one_page(data: Path, tmp_path: Path) -> None:
    """Figure 4, of grids as the config probes grids; N_cf for every K."""
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG.format(out=tmp_path, data=data))
    words = ["N_PRE.TASK", "rotnet", "PROBE.LAYERS", "[res5.grid]", "BASELINES", "[n_pre_2x]", "PROBE.SOLVER", "sgd",
             "PROBE.SGD.EPOCHS", "1", "PROBE.SGD.LEARNING_RATES", "[0.1]", "N_CF.SOLVER.MAX_SAMPLES", "64"]
    request = Request("layers", [config], "test", words, clusters=["4", "6"])
    assert ablate(IMAGE, request) == 0
    page = (tmp_path / "ablations" / "layers" / "report.html").read_text(encoding="utf-8")
    (alt,) = re.findall(r"Bar chart over layer, grids of averages\. ([^\"]*)", page)
    drawn = {name: layers.split(", ") for name, _, layers in (part.partition(": ") for part in alt.split("; "))}
    assert drawn.keys() == {"untrained", "N_pre", "N_pre 2x", "N_cf k4", "N_cf k6"}
    for layers in drawn.values():
        assert [text.split(" at ")[1].rstrip(".") for text in layers] == ["conv1", "res2", "res3", "res4", "res5"]


def test_labels_are_a_task_too(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path / "out")
    ((folder, n_pre),) = manifests(tmp_path / "out", "pretrain")
    assert n_pre["facts"]["num_classes"] == 3
    assert "task" not in load_header(folder / FILE_NAME)["view"]


@pytest.mark.parametrize(("overrides", "message"), [
    (("MODALITY", "video", "N_PRE.TASK", "rotnet"), "N_PRE.TASK: pretext tasks are for images"),
    (("N_CF.TASK", "rotnet"), "N_cf learns cluster ids"),
    (("N_PRE.TASK", "jigsaw", "N_PRE.CLIP.CELL_PX", "11"), "CELL_PX 11: 3 x 3 cells do not fit into .*EDGE_PX 32"),
    (("N_PRE.TASK", "jigsaw", "N_PRE.CLIP.PATCH_PX", "12"), "PATCH_PX 12 does not fit into N_PRE.CLIP.CELL_PX 10"),
    (("N_PRE.CLIP.CROP_AREA", "[0.5]"), "CROP_AREA"), (("N_PRE.CLIP.CROP_AREA", "[0.9, 0.5]"), "two numbers above 0"),
    (("N_PRE.CLIP.PERMUTATIONS", "2001"), "PERMUTATIONS"), (("DATA.DECODER", "pyav"), "'pyav' decodes no images"),
    (("N_PRE.ARCH", "r2plus1d_18"), "r2plus1d_18")])
def test_what_cannot_be(data: Path, tmp_path: Path, overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        go(data, tmp_path / "out", *overrides)


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR.exists(), reason=f"the CIFAR-10 JPEGs are not at {CIFAR}")
def test_rotations_of_real_pictures_can_be_told_apart(tmp_path: Path) -> None:
    """800 CIFAR-10 images, 16 epochs: a tiny network tells turns apart better than chance (0.25)."""
    with tarfile.open(CIFAR) as tar:
        members = [member for member in tar if member.name.endswith(".jpg")
                   and int(Path(member.name).stem) < 90]
        tar.extractall(tmp_path, members=members, filter="data")
    root = tmp_path / "cifar10_jpeg_25k"
    for folder in list(root.iterdir()):
        for split, low, high in (("train", 0, 80), ("val", 80, 90)):
            (tmp_path / split / folder.name).mkdir(parents=True)
            for file in folder.iterdir():
                if low <= int(file.stem) < high:
                    file.rename(tmp_path / split / folder.name / file.name)
    go(tmp_path, tmp_path / "out", "N_PRE.TASK", "rotnet", "N_PRE.SOLVER.MAX_SAMPLES", "12800",
       "N_PRE.SOLVER.BATCH_SIZE", "64", "N_PRE.WIDTHS", "[16, 16, 32, 32]", "N_PRE.CLIP.CROP_AREA", "[]",
       "N_PRE.CLIP.PAD_PX", "4")
    ((folder, _),) = manifests(tmp_path / "out", "pretrain")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert sum(line["accuracy"] for line in lines[-10:]) / 10 > 0.35
