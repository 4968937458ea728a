"""Exported networks load into the libraries whose names they bear, and come back as they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from pytorchvideo.models.x3d import create_x3d
from safetensors.torch import load_file
from torch import nn

from cfimage.resnet import build_resnet
from cfimage.weights import IMAGE_WEIGHTS
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.exports import WEIGHTS, export_network
from cfvideo.core.foreign.imports import Asked, clip_view, import_weights
from cfvideo.core.foreign.sidecar import FORMAT
from cfvideo.core.network_file import FILE_NAME, read_header, save_network
from cfvideo.core.tensors import load_tensors, save_tensors
from cfvideo.models.weights import VIDEO_WEIGHTS
from cfvideo.models.zoo import build_network
from tests.checkpoints import assert_same_network, small_video, with_history

SIDES = (VIDEO_WEIGHTS, IMAGE_WEIGHTS)
VIEW = clip_view(num_frames=8, frame_stride=2, short_edge_px=40, crop_px=32, mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3))
SMALL: dict[str, Any] = {"arch": "r2plus1d", "blocks": [2, 1, 3, 1], "widths": [4, 6, 8, 10], "midplanes": "caffe2"}


def saved(folder: Path, network: Any, architecture: dict[str, Any], view: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    save_network(folder, network, architecture=architecture, num_classes=network.fc.out_features,
                 view=VIEW if view is None else view)
    return folder / FILE_NAME


def video(**architecture: Any) -> Any:
    return with_history(build_network(num_classes=7, **architecture))


def image(**architecture: Any) -> Any:
    return with_history(build_resnet(num_classes=7, **architecture))


R2PLUS1D = {"arch": "r2plus1d_18", "blocks": [2, 2, 2, 2], "widths": [64, 128, 256, 512], "midplanes": "torchvision"}
PUBLIC: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[[], nn.Module], tuple[int, ...]]] = {
    "r2plus1d_18": (video, R2PLUS1D, lambda: torchvision.models.video.r2plus1d_18(num_classes=7), (3, 8, 32, 32)),
    "resnet18": (image, {"arch": "resnet18"}, lambda: torchvision.models.resnet18(num_classes=7), (3, 64, 64)),
    "resnet50": (image, {"arch": "resnet50"}, lambda: torchvision.models.resnet50(num_classes=7), (3, 64, 64)),
    "x3d_m": (video, {"arch": "x3d_m"}, lambda: create_x3d(model_num_class=7, input_clip_length=4, input_crop_size=32,
                                                           dropout_rate=0.0, head_activation=None), (3, 4, 32, 32))}


@pytest.mark.parametrize("arch", PUBLIC)
def test_the_public_librarys_network_computes_the_same_and_the_way_back_is_exact(tmp_path: Path, arch: str) -> None:
    build, architecture, theirs_of, shape = PUBLIC[arch]
    ours, theirs = build(**architecture), theirs_of()
    source = saved(tmp_path / "ours", ours, architecture)
    export_network(source, tmp_path / "out", SIDES, with_head=True)
    theirs.load_state_dict(load_file(tmp_path / "out" / WEIGHTS), strict=True)
    assert_same_network(theirs.eval(), ours, *shape)
    import_weights(read_checkpoint(tmp_path / "out" / WEIGHTS), SIDES, tmp_path / "back" / FILE_NAME, Asked())
    (before, told), (after, header) = load_tensors(source), load_tensors(tmp_path / "back" / FILE_NAME)
    assert {name: header[name] for name in told} == told
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_sidecar_says_what_tensors_cannot(tmp_path: Path) -> None:
    architecture = {**SMALL, "bn_eps": 0.125}
    source = saved(tmp_path / "ours", small_video("caffe2"), architecture, {"num_frames": 4, "short_edge_px": 40,
                                                                           "frame_stride": 1, "crop_px": 32})
    export_network(source, tmp_path / "out", SIDES, with_head=True)
    told = json.loads((tmp_path / "out" / "model.json").read_text())
    assert told["architecture"] == architecture
    assert (told["num_classes"], told["bn_eps"], told["modality"]) == (5, [0.125], "video")
    assert told["view"]["mean"] == [0.43216, 0.394666, 0.37645]  # what the modality normalises with, spelt out
    assert told["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert told["weights_sha256"] == hashlib.sha256((tmp_path / "out" / WEIGHTS).read_bytes()).hexdigest()


def named(folder: Path, names: str = "edcba") -> Path:
    folder.mkdir()
    save_network(folder, small_video("caffe2"), architecture=SMALL, num_classes=5, view=VIEW, class_names=list(names))
    return folder / FILE_NAME


def test_names_of_classes_go_out_with_the_head_and_come_back_in_their_order(tmp_path: Path) -> None:
    source = named(tmp_path / "ours")
    for with_head, expected in ((True, list("edcba")), (False, None)):
        out, back = tmp_path / f"out {with_head}", tmp_path / f"back {with_head}"
        export_network(source, out, SIDES, with_head=with_head)
        assert json.loads((out / "model.json").read_text()).get("class_names") == expected
        assert ("names its classes" in (out / "README.md").read_text()) == with_head
        import_weights(read_checkpoint(out / WEIGHTS), SIDES, back / FILE_NAME, Asked())
        assert read_header(back).get("class_names") == expected


def test_a_sidecar_that_does_not_name_each_class_is_refused(tmp_path: Path) -> None:
    export_network(named(tmp_path / "ours"), tmp_path / "out", SIDES, with_head=True)
    told = json.loads((tmp_path / "out" / "model.json").read_text())
    (tmp_path / "out" / "model.json").write_text(json.dumps({**told, "class_names": ["a", "b"]}))
    with pytest.raises(IntegrityError, match=r"model\.json: 2 class_names"):
        import_weights(read_checkpoint(tmp_path / "out" / WEIGHTS), SIDES, tmp_path / "back", Asked())
    assert not (tmp_path / "back").exists()


def test_the_trunk_alone(tmp_path: Path) -> None:
    source = saved(tmp_path / "ours", small_video("torchvision"), {**SMALL, "midplanes": "torchvision"})
    export_network(source, tmp_path / "out", SIDES, with_head=False)
    whole = load_tensors(source)[0].keys()
    assert whole - load_file(tmp_path / "out" / WEIGHTS).keys() == {"fc.weight", "fc.bias"}
    import_weights(read_checkpoint(tmp_path / "out" / WEIGHTS), SIDES, tmp_path / "back" / FILE_NAME, Asked())
    assert read_header(tmp_path / "back")["num_classes"] == 0


def test_a_card_without_a_public_network_says_so(tmp_path: Path) -> None:
    source = saved(tmp_path / "ours", small_video("caffe2"), SMALL)
    lines = export_network(source, tmp_path / "out", SIDES, with_head=True)
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("# r2plus1d, 5 classes")
    assert "No other library builds this network." in card
    assert "8 frames, 2 apart" in card
    assert [line.split()[-1] for line in lines[1:]] == [str(tmp_path / "out" / name) for name in (
        "README.md", "model.json", WEIGHTS)]


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    export_network(saved(tmp_path / "one", small_video("caffe2"), SMALL), tmp_path / "out", SIDES, with_head=True)
    export_network(saved(tmp_path / "two", video(**SMALL), SMALL), tmp_path / "other", SIDES, with_head=False)
    (tmp_path / "other" / WEIGHTS).replace(tmp_path / "out" / WEIGHTS)
    with pytest.raises(IntegrityError, match=r"model\.json: describes another file than model\.safetensors"):
        import_weights(read_checkpoint(tmp_path / "out" / WEIGHTS), SIDES, tmp_path / "back", Asked())


@pytest.mark.parametrize("sidecar", ["no JSON", "[1]", '{"format": "somebody else\'s"}', f'{{"format": "{FORMAT}"}}'])
def test_other_peoples_json_is_not_ours(tmp_path: Path, sidecar: str) -> None:
    export_network(saved(tmp_path / "one", small_video("caffe2"), SMALL), tmp_path / "out", SIDES, with_head=True)
    (tmp_path / "out" / "model.json").write_text(sidecar)
    import_weights(read_checkpoint(tmp_path / "out" / WEIGHTS), SIDES, tmp_path / "back" / FILE_NAME, Asked())
    assert read_header(tmp_path / "back")["view"]["crop_px"] == 112


def test_a_sidecar_that_asks_for_no_network(tmp_path: Path) -> None:
    export_network(saved(tmp_path / "one", small_video("caffe2"), SMALL), tmp_path / "out", SIDES, with_head=True)
    told = json.loads((tmp_path / "out" / "model.json").read_text())
    (tmp_path / "out" / "model.json").write_text(json.dumps({**told, "architecture": {**SMALL, "code": "x"}}))
    with pytest.raises(IntegrityError, match=r"model\.json: architecture\.code is no key"):
        import_weights(read_checkpoint(tmp_path / "out" / WEIGHTS), SIDES, tmp_path / "back", Asked())


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    source = saved(tmp_path / "ours", small_video("caffe2"), SMALL)
    with pytest.raises(ConfigError, match="exists already"):
        export_network(source, tmp_path, SIDES, with_head=True)
    wrong = saved(tmp_path / "wrong", small_video("caffe2"), {**SMALL, "widths": [4, 6, 8, 12]})
    unknown = tmp_path / "unknown.safetensors"
    save_tensors(unknown, small_video("caffe2").state_dict(),
                 {"architecture": {"arch": "vgg"}, "num_classes": 7, "view": VIEW})
    damaged = tmp_path / FILE_NAME
    damaged.write_bytes(source.read_bytes()[:-8] + b"\x7f" * 8)
    for path, why in ((wrong, r"mismatched: \d+: layer4.0"), (unknown, "architecture.arch: 'vgg' is not allowed"),
                      (damaged, "does not match its checksum")):
        with pytest.raises(IntegrityError, match=rf"(?s){why}"):
            export_network(path, tmp_path / "out", SIDES, with_head=True)
        assert not (tmp_path / "out").exists()
