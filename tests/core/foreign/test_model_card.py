"""The model card's code is run as a reader would, and gives our outputs; pretext networks go out as their trunk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cfimage.modality import build_network as build_image_network
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.exports import WEIGHTS, export_network
from cfvideo.core.foreign.imports import Asked, import_weights
from cfvideo.core.network_file import FILE_NAME, read_header
from cfvideo.models.staged import ARCHITECTURES as STAGED
from tests.checkpoints import assert_same_network, with_history
from tests.core.foreign.test_exports import R2PLUS1D, SIDES, VIEW, image, saved, video


def cards_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder)
    scope: dict[str, Any] = {}
    exec((folder / "README.md").read_text().split("```python\n")[1].split("```")[0], scope)
    return scope["network"].eval()


@pytest.mark.parametrize(("build", "architecture", "with_head"), [
    (image, {"arch": "resnet18"}, True), (image, {"arch": "resnet18"}, False),
    (video, {**R2PLUS1D, "bn_eps": 0.125}, True), (video, R2PLUS1D, False),
    *((video, {"arch": arch}, with_head) for arch in STAGED for with_head in (True, False))])
def test_the_model_cards_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Any,
                                   architecture: dict[str, Any], with_head: bool) -> None:
    ours = build(**architecture)
    export_network(saved(tmp_path / "ours", ours, architecture), tmp_path / "out", SIDES, with_head=with_head)
    theirs = cards_network(tmp_path / "out", monkeypatch)
    assert_same_network(theirs, ours if with_head else ours.features,
                        *((3, 64, 64) if build is image else (3, 8, 32, 32)))
    assert "minus mean [0.4, 0.5, 0.6]" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("with_head", [True, False])
@pytest.mark.parametrize("task", ["rotnet", "jigsaw"])
def test_a_pretext_network_goes_out_as_its_trunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str,
                                                 with_head: bool) -> None:
    ours: Any = with_history(build_image_network(num_classes=4, task=task, arch="resnet18"))
    source = saved(tmp_path / "ours", ours, {"arch": "resnet18", "task": task}, {**VIEW, "task": task})
    lines = export_network(source, tmp_path / "out", SIDES, with_head=with_head)
    assert lines[1] == f"left out: the head, which answers the pretext task {task}"
    told = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (told["architecture"], told["num_classes"]) == ({"arch": "resnet18"}, 0)
    assert told["view"] == json.loads(json.dumps(VIEW))
    assert_same_network(cards_network(tmp_path / "out", monkeypatch), ours.features, 3, 64, 64)
    import_weights(read_checkpoint(tmp_path / "out" / WEIGHTS), SIDES, tmp_path / "back" / FILE_NAME, Asked())
    assert read_header(tmp_path / "back")["num_classes"] == 0
