"""tools/evaluate.py on encoded videos gives what plain loops give, from the weights alone."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression

from cfvideo.core.network_file import save_network, write_network
from cfvideo.core.pseudo_labels import cluster_names
from cfvideo.core.records import Reading
from cfvideo.core.row_status import INDEX_HASH
from cfvideo.data.batches import eval_batches
from cfvideo.data.formats import read_index
from cfvideo.modality import build_network
from tests.source_tree import ROOT
from tests.synthetic import Recipe, write_video
from tools.evaluate import main

Evaluate = Callable[..., tuple[int, str]]

CLIPS = 3
VIEW = {"num_frames": 4, "frame_stride": 2, "short_edge_px": 16, "crop_px": 16, "flip": False}
ARCHITECTURE = {"arch": "r2plus1d", "blocks": [1, 1, 1, 1], "widths": [4, 4, 8, 8], "midplanes": "caffe2"}
CLASSES = ("drop", "rise", "spin")
ELEMENTS = ("water", "air", "fire")
KEYS = ("PROBE.NUM_CLIPS", str(CLIPS), "SYSTEM.DEVICE", "cpu", "SYSTEM.THREADS", "1", "EXTRACT.BATCH_SIZE", "8",
        "EXTRACT.SHARD_ROWS", "8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Kinetics-style folder of two splits, a Sports1M-style pair of lists over the same videos, and a network."""
    folder = tmp_path_factory.mktemp("data")
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for split, count in (("train", 6), ("test", 5)):
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                path = folder / split / name / f"{number}.mp4"
                write_video(path, Recipe(size=(24, 16), num_frames=12, first_number=9000 * label + 11 * number
                                         + 500 * (split == "test")))
                also = f",{(label + 1) % 3}" if number % 3 == 0 else ""
                lines[split].append(f"{split}/{name}/{number}.mp4 {label}{also}")
    for split, own in lines.items():
        (folder / f"{split}.txt").write_text("\n".join(own) + "\n")
    for name in CLASSES[:2]:
        shutil.copytree(folder / "test" / name, folder / "two" / name)
    (folder / "labels.txt").write_text("\n".join(CLASSES) + "\n")
    network = build_network(num_classes=3, **ARCHITECTURE)
    network.initialise(torch.Generator().manual_seed(1))
    save_network(folder, network, architecture=ARCHITECTURE, num_classes=3, view=VIEW)
    return folder


def _arguments(folder: Path, out: Path, *more: str) -> list[str]:
    return ["--weights", str(folder / "weights.safetensors"), "--out", str(out), *more, *KEYS]


@pytest.fixture
def evaluate(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The command in this process: starting a new one each time would take most of the time."""

    def run(out: Path, *more: str) -> tuple[int, str]:
        code = main(_arguments(folder, out, *more))
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def _results(out: Path) -> dict:
    return json.loads((out / "evaluation.json").read_text())


def _network(folder: Path) -> torch.nn.Module:
    network = build_network(num_classes=3, **ARCHITECTURE)
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return network.eval()


@pytest.fixture(scope="module")
def elements(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test videos below other names, whose alphabetical order is another, one class left out in `some`; weights
    that name their classes."""
    elements = tmp_path_factory.mktemp("elements")
    for old, new in zip(CLASSES, ELEMENTS, strict=True):
        for place in ("all", "some") if old != "rise" else ("all", "more"):
            shutil.copytree(folder / "test" / old, elements / place / new)
    shutil.copytree(folder / "test/drop", elements / "more/wood")
    (elements / "numbers.txt").write_text("".join(f"all/{name}/{number}.mp4 {label}\n" for number in range(5)
                                                  for label, name in enumerate(sorted(ELEMENTS))))
    (elements / "names.txt").write_text("\n".join(sorted(ELEMENTS)))
    save_network(elements, _network(folder), architecture=ARCHITECTURE, num_classes=3, view=VIEW,
                 class_names=ELEMENTS)
    trunk = {**_network(folder).state_dict(), "fc.weight": torch.zeros(0, 8), "fc.bias": torch.zeros(0)}
    write_network(elements / "some/weights.safetensors", trunk, architecture=ARCHITECTURE, num_classes=0, view=VIEW)
    (elements / "clusters").mkdir()
    save_network(elements / "clusters", _network(folder), architecture=ARCHITECTURE, num_classes=3, view=VIEW,
                 class_names=cluster_names([3])[0])
    return elements


def _clips(form: str, path: Path, names: Sequence[str] | None = None) -> tuple[list[torch.Tensor], list[list[int]]]:
    """Per video its clips [V, 3, T, H, W] and its labels, one video at a time."""
    index = read_index(format=form, path=path, label_names=names)
    clips = [next(iter(eval_batches(index, np.array([row]), view=VIEW, num_views=CLIPS, batch_rows=1,
                                    reading=Reading(decoder="pyav")))).data for row in range(index.num_rows)]
    return clips, [index.labels_of(row).tolist() for row in range(index.num_rows)]


@pytest.mark.parametrize(("form", "name"), [("kinetics", "test"), ("sports1m", "test.txt")])
def test_the_networks_own_classes_score_as_in_a_plain_loop(evaluate: Evaluate, folder: Path, tmp_path: Path,
                                                                form: str, name: str) -> None:
    code, said = evaluate(tmp_path, "--data", f"{form}:{folder / name}")
    assert code == 0, said
    assert "do not name their classes" in said
    network, right = _network(folder), []
    guesses = np.zeros((3, 3), int)
    for clips, labels in zip(*_clips(form, folder / name), strict=True):
        with torch.no_grad():
            guess = int(network(clips).softmax(dim=1).mean(dim=0).argmax())
        right.append(guess in labels)
        guesses[guess if guess in labels else labels[0], guess] += 1
    results = _results(tmp_path)
    assert 0 < results["top1"] < 1
    assert results["top1"] == np.mean(right)
    assert (results["top5"], results["num_test_rows"]) == (1.0, 15)
    table = json.loads((tmp_path / "confusion.json").read_text())
    assert table["classes"] == list(CLASSES)
    assert sorted(table["rows"]) == [[true, guess, guesses[true, guess]] for true in range(3) for guess in range(3)
                                     if guesses[true, guess]]


@pytest.mark.parametrize(("form", "train", "test"), [("kinetics", "train", "test"),
                                                     ("sports1m", "train.txt", "test.txt")])
def test_features_probe_as_in_a_plain_loop(evaluate: Evaluate, folder: Path, tmp_path: Path, form: str, train: str,
                                           test: str) -> None:
    code, said = evaluate(tmp_path, "--train", f"{form}:{folder / train}", "--test", f"{form}:{folder / test}",
                           "PROBE.STRENGTHS", "[1.0]")
    assert code == 0, said
    network, sets = _network(folder), []
    for path in (train, test):
        clips, labels = _clips(form, folder / path)
        with torch.no_grad():
            features = np.stack([network.features(one).mean(dim=0).numpy() for one in clips])
        sets.append((features.astype(np.float16).astype(np.float64), labels))
    (data, labels), (test_data, test_labels) = sets
    mean, std = data.mean(axis=0), data.std(axis=0) + 1e-6
    rows = [row for row, own in enumerate(labels) for _ in own]
    weights = [1 / len(labels[row]) for row in rows]
    model = LogisticRegression(C=1.0, max_iter=500).fit(((data - mean) / std)[rows], np.concatenate(labels),
                                                         sample_weight=weights)
    guesses = model.predict((test_data - mean) / std)
    assert _results(tmp_path)["top1"] == np.mean([guess in own for guess, own in zip(guesses, test_labels,
                                                                                     strict=True)])


@pytest.mark.parametrize(("data", "more"), [
    ("kinetics:{}/all", ()), ("kinetics:{}/some", ()), ("sports1m:{}/numbers.txt", ("--labels", "{}/names.txt"))])
def test_classes_are_matched_by_name_in_whatever_order_and_number(evaluate: Evaluate, elements: Path, folder: Path,
                                                                  tmp_path: Path, data: str, more: Sequence[str],
                                                                  ) -> None:
    code, said = evaluate(tmp_path, "--weights", str(elements), "--data", data.format(elements),
                          *(part.format(elements) for part in more))
    assert code == 0, said
    assert "same order" not in said
    right, network = {}, _network(folder)
    for label, name in enumerate(ELEMENTS):
        path = elements / ("some" if "some" in data else "all") / name
        if path.exists():
            with torch.no_grad():
                right[name] = [int(network(clips).softmax(dim=1).mean(dim=0).argmax()) == label
                               for clips in _clips("folder", path)[0]]
    results = _results(tmp_path)
    assert results["top1"] == np.mean(list(right.values()))
    assert results["num_test_rows"] == 5 * len(right)
    with (tmp_path / "classes.csv").open(newline="") as file:
        lines = {line["class"]: line for line in csv.DictReader(file)}
    assert tuple(lines) == ELEMENTS
    assert {name: float(line["accuracy"]) for name, line in lines.items() if line["accuracy"]} == {
        name: np.mean(own) for name, own in right.items()}


def test_rows_known_to_be_bad_stay_those_rows_under_the_networks_names(evaluate: Evaluate, elements: Path,
                                                                        tmp_path: Path) -> None:
    index = read_index(format="kinetics", path=elements / "all")
    bad = pa.table({"row": [7], "status": ["undecodable"], "cause": ["made up"]})
    pq.write_table(bad.replace_schema_metadata({INDEX_HASH: index.content_hash}), tmp_path / "status.parquet")
    code, said = evaluate(tmp_path / "out", "--weights", str(elements), "--data", f"kinetics:{elements / 'all'}",
                          "DATA.STATUS", str(tmp_path / "status.parquet"), "DATA.MAX_BAD_SHARE", "0.1")
    assert code == 0, said
    failures = next((tmp_path / "out/stages/score").glob("*/failures.csv")).read_text()
    assert index.name_of(7) in failures
    assert failures.count("\n") == 2


@pytest.mark.parametrize(("weights", "data", "message"), [
    ("", "kinetics:{}/more", "does not know 1 of the data's classes: 'wood'; its 3 are 'water', 'air', 'fire'"),
    ("", "sports1m:{}/numbers.txt", "does not know 3 of the data's classes: '0', '1', '2'"),
    ("", "folder:{}/all", "no row of the data has a label"),
    ("some", "kinetics:{}/all", "has features but no classifier"),
    ("clusters", "kinetics:{}/all", "'air', 'fire', 'water'; its 3 are 'cluster 0', 'cluster 1', 'cluster 2'")])
def test_classes_that_the_network_does_not_know_are_refused_by_name(evaluate: Evaluate, elements: Path, tmp_path: Path,
                                                                    weights: str, data: str, message: str) -> None:
    code, said = evaluate(tmp_path, "--weights", str(elements / weights), "--data", data.format(elements))
    assert (code, message in said) == (3, True), said


def test_tables_and_picture_are_there_and_say_the_same(evaluate: Evaluate, folder: Path, tmp_path: Path) -> None:
    code, said = evaluate(tmp_path, "--train", f"kinetics:{folder / 'train'}", "--test",
                           f"kinetics:{folder / 'test'}", "PROBE.METHODS", "[linear, knn]")
    assert code == 0, said
    with (tmp_path / "classes.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["class"] for line in lines] == list(CLASSES)
    results = _results(tmp_path)
    assert np.mean([float(line["accuracy"]) for line in lines]) == pytest.approx(results["mean_class"])
    assert results["results"].keys() == {"linear", "knn"}
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 300
    for expected in ("linear probe, res5", "k-NN, res5", "drop", "confusion.png", "mean of classes"):
        assert expected in said


def test_another_question_to_the_same_network_reuses_its_features(evaluate: Evaluate, folder: Path,
                                                                  tmp_path: Path) -> None:
    arguments = ("--train", f"kinetics:{folder / 'train'}", "--test", f"kinetics:{folder / 'test'}")
    first, second = (evaluate(tmp_path, *arguments, "PROBE.SOLVER", solver) for solver in ("lbfgs", "ridge"))
    assert (first[0], second[0]) == (0, 0)
    assert first[1].count("re-used") == 0
    assert second[1].count("re-used") == 3  # the network and the features of both splits
    few = ("PROBE.METHODS", "[svm, low_shot]", "PROBE.SVM.COSTS", "[1.0]", "PROBE.SVM.SHOTS", "[1, 3]")
    for on_test in (False, True):
        _, said = evaluate(tmp_path, *arguments, *few, "PROBE.SVM.CHOOSE_ON_TEST", str(on_test))
        assert "SVMs from so many rows per class" in said
        assert ("Test rows chose the costs" in said) is on_test


def test_killed_between_shards_the_same_command_ends_with_the_same_and_reuses_it(evaluate: Evaluate, folder: Path,
                                                                                 tmp_path: Path) -> None:
    arguments = ("--data", f"kinetics:{folder / 'test'}")
    assert evaluate(tmp_path / "whole", *arguments)[0] == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CFVIDEO_FAULT": "score/shard:1"}
    done = subprocess.run([sys.executable, "tools/evaluate.py", *_arguments(folder, tmp_path / "killed", *arguments)],
                          cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((tmp_path / "killed/stages/score").rglob("best-*.safetensors"))) == 1
    code, said = evaluate(tmp_path / "killed", *arguments)
    assert (code, "resuming" in said) == (0, True)
    left, right = ({name: (tmp_path / run / name).read_bytes() for name in ("classes.csv", "confusion.json",
                                                                           "confusion.png")}
                   for run in ("whole", "killed"))
    assert left == right
    assert "re-used" in evaluate(tmp_path / "killed", *arguments)[1]


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (("--data", "kinetics"), 2, "--data kinetics: expected FORMAT:PATH"),
    (("--train", "kinetics:{folder}/train"), 2, "either --data"),
    (("--data", "kinetics:{folder}/test", "--train", "a:b", "--test", "a:b"), 2, "either --data"),
    (("--train", "kinetics:{folder}/train", "--test", "kinetics:{folder}/test", "--labels", "{folder}/labels.txt"), 2,
     "only --data asks for"),
    (("--data", "kinetics:{folder}/nowhere"), 3, "nowhere"),
    (("--data", "vimeo:{folder}/test"), 3, "unknown format"),
    (("--data", "kinetics:{folder}/test", "--labels", "{folder}/train.txt"), 3, "drop"),
    (("--data", "kinetics:{folder}/two"), 3, "tells 3 classes apart, but the data has 2"),
    (("--data", "kinetics:{folder}/test", "--weights", "{folder}/labels.txt"), 3, "labels.txt: cannot be read"),
    (("--data", "kinetics:{folder}/test", "PROBE.SOLVERS", "sgd"), 2, "PROBE.SOLVER"),
    (("--data", "kinetics:{folder}/test", "SEEDS", "[0, 1]"), 2, "give one seed")])
def test_what_cannot_be_done_is_refused_with_the_way_out(evaluate: Evaluate, folder: Path, tmp_path: Path,
                                                         arguments: Sequence[str], code: int, message: str) -> None:
    found, said = evaluate(tmp_path, *(part.format(folder=folder) for part in arguments))
    assert (found, message in said) == (code, True), said


def test_bad_files_are_left_out_up_to_the_ceiling(evaluate: Evaluate, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "test", tmp_path / "test")
    (tmp_path / "test/drop/0.mp4").write_bytes(b"")
    arguments = ("--data", f"kinetics:{tmp_path / 'test'}")
    code, said = evaluate(tmp_path / "out", *arguments)
    assert code == 4, said
    assert "DATA.MAX_BAD_SHARE" in said
    code, said = evaluate(tmp_path / "out", *arguments, "DATA.MAX_BAD_SHARE", "0.1")
    assert code == 0, said
    assert _results(tmp_path / "out")["num_test_rows"] == 14
    assert "drop/0.mp4" in next((tmp_path / "out/stages/score").glob("*/failures.csv")).read_text()
