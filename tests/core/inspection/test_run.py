"""From a finished run to its page, over the toy modality; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cfvideo.core.cli import run
from cfvideo.core.errors import CfError, ConfigError, DataError, IntegrityError
from cfvideo.core.inspection.request import Request
from cfvideo.core.inspection.run import inspect
from tests.core.inspection.made import toy_run
from tests.core.report.reader import VOID, Reader
from tests.toy_modality import TOY

VOID.add("input")
ONE_BAD = ("D_PRE.PATH", "60bad", "DATA.MAX_BAD_SHARE", "0.1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return toy_run(tmp_path_factory.mktemp("run") / "r", *ONE_BAD)


def look(files: list[Path], *overrides: str, **options: Any) -> tuple[Path, Reader]:
    path = inspect(TOY, Request(files=files, overrides=[*ONE_BAD, *overrides], **options), command="the command")
    return path, Reader(path.read_text(encoding="utf-8"))


def _files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_page_of_a_run(finished: list[Path]) -> None:
    out = finished[0].parent / "out"
    before = _files(out)
    path, read = look(finished)
    assert path == out / "clusters-seed-0-n_cf.html"
    assert {name: at for name, at in _files(out).items() if name != str(path)} == before
    facts = json.loads(next((out / "stages/assign").glob("*/manifest.json")).read_text())["facts"]
    assert f"Purity {facts['scores']['purity_with_labels']:.3f}" in read.text
    assert f"Imbalance {facts['imbalance']:.2f}" in read.text
    assert "Rows 60 Rows without a cluster 1 Clusters 6" in read.text
    assert "row0000 a row 0" in read.text
    assert "bad0005" not in read.text  # a row without a cluster is no member
    assert "the command" in read.text


def test_named_clusters_go_where_they_are_asked_to(finished: list[Path], tmp_path: Path) -> None:
    path, read = look(finished, clusters=(4, 1), page=tmp_path / "mine.html")
    assert path == tmp_path / "mine.html"
    titles = [str(a["id"]) for tag, a in read.tags if tag == "section" and str(a.get("id")).startswith("cluster-")]
    assert titles == ["cluster-4", "cluster-1"]


def test_a_stage_folder_stands_for_the_config(finished: list[Path]) -> None:
    """The config has gone on to another K since; the labels are still there, and their fit beside them."""
    (folder,) = (finished[0].parent / "out/stages/assign").iterdir()
    _, read = look(finished, "CLUSTER.NUM_CLUSTERS", "9", folder=folder, order="purity", num_clusters=2)
    assert "2 of 6: evenly by purity" in read.text
    assert "Objective" in read.text


@pytest.mark.parametrize(("overrides", "options", "kind", "message"), [
    (("CLUSTER.NUM_CLUSTERS", "9"), {}, IntegrityError, r"\(stale: cluster seed 0: n_cf: because "
     r"CLUSTER.NUM_CLUSTERS 6 -> 9 changed\): look at them with --assign .*/stages/assign/[0-9a-f]{24}, or"),
    (("OUTPUT_DIR", "/nowhere"), {}, IntegrityError, r"stage assign \(seed 0: n_cf\) is not finished; run it first"),
    ((), {"network": "n_cf_X"}, ConfigError, "--labels: this run makes no labels called n_cf_X; it has n_cf"),
    ((), {"seed": 7}, ConfigError, "--seed: 7 is not among this run's SEEDS"),
    ((), {"clusters": (6,)}, ConfigError, "--clusters: there is no cluster 6; they are 0 to 5"),
    ((), {"num_clusters": 25}, ConfigError, "--num-clusters: 25 clusters asked for; a page shows 1 to 24"),
    ((), {"clusters": tuple(range(25))}, ConfigError, "--clusters: 25 clusters asked for"),
    ((), {"folder": Path("/nowhere")}, ConfigError, "--assign: /nowhere is no finished stage"),
    ((), {"page": Path("/nowhere/x.html")}, ConfigError, "--out: the folder /nowhere does not exist"),
    (("D_PRE.PATH", "nothing"), {}, DataError, "D_PRE.PATH: nothing: not a number of rows")])
def test_what_cannot_be_shown_is_refused_with_the_way_out(finished: list[Path], overrides: tuple[str, ...],
                                                          options: dict[str, Any], kind: type[CfError],
                                                          message: str) -> None:
    with pytest.raises(kind, match=message):
        look(finished, *overrides, **options)


def test_labels_whose_making_was_interrupted_are_told_from_older_ones(tmp_path: Path) -> None:
    """Nine's clusters are finished and assigning them was begun, so nothing is stale; six's labels are there."""
    files, nine = toy_run(tmp_path / "r", *ONE_BAD), ("CLUSTER.NUM_CLUSTERS", "9")
    folder = tmp_path / "r/out/stages/assign"
    (six,) = folder.iterdir()
    assert run(TOY, files=files, overrides=[*ONE_BAD, *nine], stages="cluster,assign", dry_run=False, command="t") == 0
    (made,) = set(folder.iterdir()) - {six}
    (made / "manifest.json").unlink()
    made.rename(folder / f"{made.name}.partial")
    with pytest.raises(IntegrityError, match=rf"\(its own are not finished\): look at them with --assign {six}, or"):
        look(files, *nine)


def test_a_folder_of_another_stage_or_of_other_data_is_refused(finished: list[Path]) -> None:
    (kmeans,) = (finished[0].parent / "out/stages/cluster").iterdir()
    (folder,) = (finished[0].parent / "out/stages/assign").iterdir()
    with pytest.raises(ConfigError, match="is a stage cluster, not assign"):
        look(finished, folder=kmeans)
    with pytest.raises(IntegrityError, match="labels of index"):
        look(finished, "D_PRE.PATH", "61bad", folder=folder)


def test_no_config_is_refused() -> None:
    with pytest.raises(ConfigError, match="--cfg: give the config files of the run"):
        Request(files=[])


def test_a_consensus_can_be_looked_at_too(tmp_path: Path) -> None:
    options = ("CLUSTER.METHOD", "consensus", "CLUSTER.NUM_RESTARTS", "2")
    files = toy_run(tmp_path / "r", *options)
    for network, said in (("n_cf", "seed 0: n_cf, a consensus"), ("n_pre_fit2", "seed 0: n_pre_fit2")):
        path = inspect(TOY, Request(files=files, overrides=options, network=network), command="")
        assert said in path.read_text()
