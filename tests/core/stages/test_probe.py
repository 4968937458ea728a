"""The probe stage on real feature stores: which rows count, which facts the report reads, what lies in its files."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from threadpoolctl import threadpool_limits

from cfvideo.core.errors import DataError, Interrupted
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.pipeline.yardsticks import low_shot, protocol, yardsticks
from cfvideo.core.screen import Screen
from cfvideo.core.specs.probe import KnnSpec, ProbeSpec, SgdSpec, SvmSpec
from cfvideo.core.stage import Artefact, Workspace
from cfvideo.core.stages.probe import run_probe
from cfvideo.core.transfer.knn import KnnSolver
from cfvideo.core.transfer.lbfgs import LbfgsSolver
from tests.core.transfer.blobs import blas_threads

NAMES = ("drop", "rise", "spin")
SPEC = ProbeSpec(methods=("linear", "knn", "svm", "low_shot"), strengths=(0.1, 1.0), knn=KnnSpec(neighbours=(5,)),
                 sgd=SgdSpec(epochs=5, batch_size=16), svm=SvmSpec(costs=(1.0, 10.0), shots=(1, 4), draws=2))


def _index(labels: list[list[int]]) -> Index:
    return Index.build(paths=[f"{row}".encode() for row in range(len(labels))], sizes=[1] * len(labels),
                       labels=labels, label_names=NAMES, root=Path())


def _store(folder: Path, labels: list[list[int]], seed: int, bad: tuple[int, ...], num_views: int) -> Artefact:
    """Layers res4, which is noise, and res5, which tells the classes apart; num_views 0: their mean was stored."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    centres = np.array([np.eye(3, 4)[own[0] if own else 0] for own in labels])
    shape = (len(labels), num_views, 4) if num_views else (len(labels), 4)
    layers = {"res4": rng.normal(size=shape).astype(np.float32),
              "res5": (2 * centres.reshape(len(labels), *[1] * (len(shape) - 2), 4)
                       + rng.normal(size=shape)).astype(np.float32)}
    store = FeatureStore(folder, num_rows=len(labels), shard_rows=32, layers=list(layers),
                         identity={"index": _index(labels).content_hash})
    for start, stop in store.missing():
        failures = {row: ("undecodable", "made up") for row in bad if start <= row < stop}
        store.write((start, stop), {layer: values[start:stop] for layer, values in layers.items()}, failures)
    return Artefact(folder, {})


def _run(tmp_path: Path, train: list[list[int]], test: list[list[int]], spec: ProbeSpec = SPEC,
         bad: tuple[int, ...] = (), num_views: int = 0) -> tuple[dict, Path]:
    inputs = {"train": _store(tmp_path / "train", train, 0, (), num_views),
              "test": _store(tmp_path / "test", test, 1, bad, num_views)}
    work = Workspace(tmp_path, inputs, Screen(Console(file=io.StringIO())), StopRequest(), "probe", tmp_path)
    known = {"num_classes": 3, "seed": 0, "num_threads": 1}
    facts = run_probe(work, train=_index(train), test=_index(test), protocol=protocol(spec), num_threads=1,
                      low_shot=low_shot(spec, **known),
                      yardsticks=yardsticks(spec, device=torch.device("cpu"), **known))
    return dict(facts), tmp_path


def _single(num_rows: int) -> list[list[int]]:
    return [[row % 3] for row in range(num_rows)]


def test_facts_are_the_first_methods_and_every_method_is_kept(tmp_path: Path) -> None:
    facts, folder = _run(tmp_path, _single(90), _single(60))
    assert facts["results"].keys() == {"linear", "knn", "svm", "low_shot"}
    linear = facts["results"]["linear"]["res5"]
    assert (facts["method"], facts["layer"]) == ("linear", "res5")
    assert {name: facts[name] for name in linear} == linear
    assert facts["strength"] == linear["setting"]["strength"]
    assert json.loads((folder / "probe.json").read_text()) == json.loads(json.dumps(facts))
    assert all(0.5 < facts["results"][name]["res5"]["top1"] <= 1 for name in ("linear", "knn", "svm"))
    assert facts["results"]["low_shot"]["res5"]["shots"].keys() == {"1", "4"}


def test_tables_add_up_to_the_figures(tmp_path: Path) -> None:
    facts, folder = _run(tmp_path, _single(90), _single(60))
    for method in ("linear", "knn", "svm"):
        classes = json.loads((folder / "classes.json").read_text())[method]["res5"]
        confusion = json.loads((folder / "confusions.json").read_text())[method]["res5"]
        right = sum(line["accuracy"] * line["num_rows"] for line in classes)
        assert [line["class"] for line in classes] == list(NAMES)
        assert right / 60 == pytest.approx(facts["results"][method]["res5"]["top1"])
        assert sum(rows for true, guess, rows in confusion if true == guess) == round(right)
        assert sum(rows for *_, rows in confusion) == 60


def test_undecodable_and_unlabelled_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    test = [*_single(30), [], [], []]
    facts, _ = _run(tmp_path, _single(60), test, ProbeSpec(strengths=(1.0,)), bad=(3, 4, 32))
    assert (facts["num_train_rows"], facts["num_test_rows"]) == (60, 28)
    assert (facts["num_invalid_rows"], facts["num_unlabelled_rows"]) == (3, 2)


@pytest.mark.parametrize(("methods", "averaged"), [(("linear", "knn"), "softmax"), (("knn", "linear"), "features"),
                                                   (("svm",), "features")])
def test_only_a_linear_classifier_is_said_to_average_probabilities(methods: tuple[str, ...], averaged: str) -> None:
    assert protocol(ProbeSpec(methods=methods, clip_scores="softmax"))["averaged_over_clips"] == averaged


def test_what_a_killed_attempt_had_finished_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ProbeSpec(methods=("linear", "knn"), strengths=(1.0,))
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, _ = _run(tmp_path / "whole", _single(60), _single(30), spec)
    monkeypatch.setattr(KnnSolver, "fit", _interrupted)
    with pytest.raises(Interrupted):
        _run(tmp_path / "killed", _single(60), _single(30), spec)
    monkeypatch.undo()
    for name in ("train", "test"):
        shutil.rmtree(tmp_path / "killed" / name)
    monkeypatch.setattr(LbfgsSolver, "fit", _interrupted)
    assert _run(tmp_path / "killed", _single(60), _single(30), spec)[0] == whole


def _interrupted(*_: object, **__: object) -> None:
    raise Interrupted("made up")


def test_linear_algebra_is_told_how_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage says one; whatever was set around it stands again afterwards."""
    seen, fit = [], LbfgsSolver.fit

    def watched(*given: Any, **more: Any) -> Any:
        seen.append(blas_threads())
        return fit(*given, **more)

    monkeypatch.setattr(LbfgsSolver, "fit", watched)
    with threadpool_limits(2, user_api="blas"):
        _run(tmp_path, _single(60), _single(30), ProbeSpec(methods=("linear",), strengths=(1.0,)))
        after = blas_threads()
    assert (seen[0], after) == ({1}, {2})


def test_several_labels_give_average_precisions(tmp_path: Path) -> None:
    labels = [[row % 3, (row + 1) % 3] if row % 4 == 0 else [row % 3] for row in range(90)]
    facts, folder = _run(tmp_path, labels, labels[:60])
    assert 0.5 < facts["map"] <= 1
    assert facts["map"] != facts["map_11_point"]
    table = json.loads((folder / "classes.json").read_text())["linear"]["res5"]
    assert np.mean([line["average_precision"] for line in table]) == pytest.approx(facts["map"])


def test_the_layer_is_chosen_on_training_rows_and_each_is_listed(tmp_path: Path) -> None:
    facts, _ = _run(tmp_path, _single(90), _single(60), ProbeSpec(strengths=(1.0,)))
    layers = facts["results"]["linear"]
    assert facts["layer"] == "res5"
    assert layers["res4"]["holdout"] < layers["res5"]["holdout"]
    assert layers["res4"]["top1"] < 0.6 < layers["res5"]["top1"]


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_clips_are_classified_each_where_they_were_kept(tmp_path: Path, solver: str) -> None:
    """Five noisy clips say more than one."""
    spec = ProbeSpec(solver=solver, strengths=(1.0,), clip_scores="softmax",
                     sgd=SgdSpec(learning_rates=(0.1,), weight_decays=(1e-4,), epochs=20, batch_size=16))
    (tmp_path / "one").mkdir()
    (tmp_path / "five").mkdir()
    one, five = (_run(tmp_path / name, _single(90), _single(90), spec, num_views=views)[0]["top1"]
                 for name, views in (("one", 1), ("five", 5)))
    assert one + 0.05 < five


@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "ridge"])
def test_every_solver_runs_from_its_keys(tmp_path: Path, solver: str) -> None:
    spec = ProbeSpec(solver=solver, strengths=(1.0,), sgd=SgdSpec(learning_rates=(0.1,), weight_decays=(1e-4,),
                                                                  epochs=20, batch_size=16))
    facts, _ = _run(tmp_path, _single(90), _single(60), spec)
    assert facts["top1"] > 0.6
    assert facts["dims"] == {"res4": 4, "res5": 4}
    assert facts["protocol"]["solver"] == solver
    assert facts["protocol"].get("drops") == ("three" if solver == "sgd" else None)


@pytest.mark.parametrize(("train", "test"), [([[0]] * 9, _single(9)), (_single(9), [[]] * 9)])
def test_a_probe_without_two_classes_or_a_test_row_is_refused(tmp_path: Path, train: list[list[int]],
                                                               test: list[list[int]]) -> None:
    with pytest.raises(DataError, match="two classes and a test row"):
        _run(tmp_path, train, test)
