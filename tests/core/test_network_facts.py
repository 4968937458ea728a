"""Network files and sidecars that strangers made up, through the programs that take them: refused with file and key."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cfimage.weights import IMAGE_WEIGHTS
from cfvideo.core.cli import run
from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.foreign.exports import export_network
from cfvideo.core.foreign.sidecar import FORMAT
from cfvideo.core.network_facts import check_facts
from cfvideo.core.network_file import FILE_NAME, load_network, read_header
from cfvideo.core.pipeline.imported import imported
from cfvideo.core.recipes import view
from cfvideo.core.specs import NetworkSpec
from cfvideo.core.tensors import save_tensors
from cfvideo.modality import VIDEO
from cfvideo.models.weights import VIDEO_WEIGHTS
from tests.checkpoints import small_video
from tools.evaluate import main as evaluate
from tools.import_weights import main as import_weights

ARCHITECTURE: dict[str, Any] = {"arch": "r2plus1d", "blocks": [2, 1, 3, 1], "widths": [4, 6, 8, 10],
                                "midplanes": "caffe2"}
VIEW = {**view(NetworkSpec()), "crop_area": [0.08, 1.0]}
GOOD: dict[str, Any] = {"architecture": ARCHITECTURE, "num_classes": 5, "view": VIEW}
HUGE = 10**400
SIDES = (VIDEO_WEIGHTS, IMAGE_WEIGHTS)

# What is changed (architecture.x and view.x; None: taken out), and what the refusal names.
MADE_UP: list[tuple[str, Any, str]] = [
    ("architecture", [], "architecture"), ("architecture", None, "architecture"), ("view", "none", "view"),
    ("num_classes", -1, "num_classes"), ("num_classes", "5", "num_classes"), ("num_classes", HUGE, "num_classes"),
    ("architecture.arch", "vgg", "architecture.arch"), ("architecture.arch", ["r2plus1d"], "architecture.arch"),
    ("architecture.arch", None, "architecture.arch"), ("architecture.code", "x", "architecture.code"),
    ("architecture.blocks", 10**9, "architecture.blocks"), ("architecture.blocks", [10**9] * 4, "architecture.blocks"),
    ("architecture.blocks", [1, -1, 1, 1], "architecture.blocks"), ("architecture.blocks", [[1]] * 4, "blocks"),
    ("architecture.blocks", [1] * 5, "blocks"), ("architecture.widths", [2**40] * 4, "architecture.widths"),
    ("architecture.widths", {"res2": 4}, "architecture.widths"), ("architecture.widths", [4.0] * 4, "widths"),
    ("architecture.midplanes", "both", "architecture.midplanes"), ("architecture.task", "rotnet", "task"),
    ("architecture.bn_eps", 0, "architecture.bn_eps"), ("architecture.bn_eps", HUGE, "architecture.bn_eps"),
    ("view.crop_px", None, "view.crop_px"), ("view.num_frames", "many", "view.num_frames"),
    ("view.num_frames", 10**9, "view.num_frames"), ("view.frame_stride", 0, "view.frame_stride"),
    ("view.crop_px", 256, "view.crop_px"), ("view.mean", [0.5], "view.mean"), ("view.mean", [0.5, 0.5, "x"], "mean"),
    ("view.std", [0.1, 0.0, 0.1], "view.std"), ("view.std", 0.5, "view.std"), ("view.flip", 1, "view.flip"),
    ("view.crop_area", [0.5], "view.crop_area"), ("view.seed", 3, "view.seed")]


def changed(key: str, value: Any) -> dict[str, Any]:
    group, _, name = key.partition(".")
    told = {**GOOD, group: {**GOOD[group], name: value} if name else value}
    if value is None:
        del (told[group] if name else told)[name or group]
    return told


def made_up(folder: Path, key: str, value: Any) -> Path:
    save_tensors(folder / FILE_NAME, small_video("caffe2").state_dict(), changed(key, value))
    return folder / FILE_NAME


def data(folder: Path) -> Path:
    """Five classes with a file each, that is no video: nothing gets so far as to open it."""
    for label in "abcde":
        (folder / "data" / label).mkdir(parents=True)
        (folder / "data" / label / "0.mp4").write_bytes(b"0")
    return folder / "data"


@pytest.mark.parametrize(("key", "value", "named"), MADE_UP)
def test_no_network_is_loaded_exported_or_judged_by_what_a_stranger_made_up(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: Any, named: str) -> None:
    path = made_up(tmp_path, key, value)
    for refuse in (lambda: load_network(path, VIDEO), lambda: export_network(path, tmp_path / "out", SIDES,
                                                                             with_head=True)):
        with pytest.raises(IntegrityError) as caught:
            refuse()
        assert str(path) in str(caught.value)
        assert named in str(caught.value)
    assert evaluate(["--weights", str(path), "--data", f"kinetics:{data(tmp_path)}", "--out", str(tmp_path / "out"),
                     "SYSTEM.DEVICE", "cpu"]) in (3, 6)
    said = capsys.readouterr().err
    assert str(path) in said
    assert named in said


@pytest.mark.parametrize(("key", "value", "named"), MADE_UP)
def test_nor_imported_by_what_a_sidecar_says(tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: Any,
                                             named: str) -> None:
    weights = tmp_path / "model.safetensors"
    save_file(small_video("caffe2").state_dict(), weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    told = {"format": FORMAT, "weights_sha256": sha256, **changed(key, value)}
    weights.with_suffix(".json").write_text(json.dumps(told))
    code = import_weights([str(weights), "--out", str(tmp_path / "out")])
    if key == "architecture" and value is None:  # a sidecar of somebody else's
        assert code == 0
        return
    assert code == 6
    assert named in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("key", "value", "named"), [MADE_UP[0], MADE_UP[11], MADE_UP[22]])
def test_nor_taken_for_n_pre(tmp_path: Path, key: str, value: Any, named: str) -> None:
    path = made_up(tmp_path, key, value)
    (tmp_path / "empty.yaml").write_text("")
    words = ["D_PRE.FORMAT", "kinetics", "D_PRE.PATH", str(data(tmp_path)), "N_PRE.WEIGHTS", str(tmp_path),
             "CLUSTER.NUM_CLUSTERS", "2"]
    with pytest.raises(DataError, match=rf"N_PRE\.WEIGHTS: {path}: {named}"):
        run(VIDEO, files=[tmp_path / "empty.yaml"], overrides=words, stages="", dry_run=True, command="test")


def test_a_network_of_the_other_modality_is_refused_with_its_file(tmp_path: Path,
                                                                  capsys: pytest.CaptureFixture[str]) -> None:
    path = made_up(tmp_path, "architecture", {"arch": "resnet18"})
    assert evaluate(["--weights", str(path), "--data", f"kinetics:{data(tmp_path)}", "--out", str(tmp_path / "out"),
                     "SYSTEM.DEVICE", "cpu"]) == 2
    assert f"{path}: ARCH resnet18: no network for videos" in capsys.readouterr().err


def test_the_largest_network_that_a_header_may_ask_for_takes_no_memory(tmp_path: Path) -> None:
    """One of its convolutions alone would take 300 GB."""
    path = made_up(tmp_path, "architecture.widths", [65_536] * 4)
    with pytest.raises(IntegrityError, match=r"weights of another network, .*(?s:.*)65536"):
        load_network(path, VIDEO)


@pytest.mark.parametrize("entry", [b"[" * 100_000, b'{"header": [1], "sha256": ""}', b'{"sha256": ""}', b"3",
                                   b'{"header": {"x": NaN}, "sha256": ""}', b"1" * 10_000])
def test_headers_that_are_none(tmp_path: Path, entry: bytes) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / FILE_NAME, metadata={"header": entry.decode()})
    for read in (read_header, lambda path: load_network(path, VIDEO)):
        with pytest.raises(IntegrityError, match=FILE_NAME):
            read(tmp_path)


def test_a_view_of_an_older_version_trains_as_the_keys_defaults_say(tmp_path: Path) -> None:
    path = made_up(tmp_path, "view.flip", None)
    assert imported(str(path), "N_PRE.WEIGHTS").view["flip"] is True


def test_what_programs_write_passes() -> None:
    check_facts(Path("x"), GOOD)
    check_facts(Path("x"), {**GOOD, "view": {**VIEW, "mean": [0.4] * 3, "std": [1] * 3, "crop_area": []}})
