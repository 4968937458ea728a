"""Other people's ResNets, in the true layouts of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

from cfimage.resnet import ImageResNet, build_resnet
from cfimage.weights import IMAGE_WEIGHTS
from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.imports import Asked, import_weights
from cfvideo.core.network_file import FILE_NAME
from cfvideo.core.tensors import load_tensors
from tests.checkpoints import assert_same_network, data, with_history, write_python2_pickle

State = dict[str, Tensor]


def small(num_classes: int = 5) -> ImageResNet:
    made: ImageResNet = with_history(build_resnet(num_classes=num_classes, arch="resnet", blocks=(1, 2, 1, 1),
                                                  widths=(4, 6, 8, 10)))
    return made


def trunk_of(network: ImageResNet) -> State:
    return {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}


def under(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


def imported(path: Path) -> tuple[ImageResNet, dict[str, Any], list[str]]:
    out = path.parent / "out" / FILE_NAME
    lines = import_weights(read_checkpoint(path), (IMAGE_WEIGHTS,), out, Asked())
    tensors, header = load_tensors(out)
    network = build_resnet(num_classes=header["num_classes"], **header["architecture"])
    network.load_state_dict(tensors, strict=True)
    return network.eval(), header, lines


def from_torch(content: Any, folder: Path) -> tuple[ImageResNet, dict[str, Any], list[str]]:
    torch.save(content, folder / "theirs.pth")
    return imported(folder / "theirs.pth")


HEADS = {"0.clf.0.weight": torch.zeros(4, 10), "0.clf.0.bias": torch.zeros(4)}
HEADLESS = {
    "VISSL": (lambda trunk: {"classy_state_dict": {"base_model": {"model": {"trunk": under("_feature_blocks.", trunk),
                                                                            "heads": HEADS}}}, "iteration": 3},
              "VISSL, under classy_state_dict.base_model.model.trunk._feature_blocks.", "heads (2 tensors)"),
    "VISSL, list of heads": (
        lambda trunk: {"classy_state_dict": {"base_model": {"model": {"trunk": under("_feature_blocks.", trunk),
                                                                      "heads": [HEADS]}}}},
        "VISSL, under classy_state_dict", "heads (2 tensors)"),
    "VISSL, model_state_dict": (lambda trunk: {"model_state_dict": under("_feature_blocks.", trunk)},
                                "VISSL, under model_state_dict._feature_blocks.", ""),
    "VISSL, extractor": (lambda trunk: under("trunk.base_model._feature_blocks.", trunk),
                         "VISSL, under trunk.base_model._feature_blocks.", ""),
    "MoCo": (lambda trunk: {"state_dict": {
        **under("module.encoder_q.", trunk), "module.encoder_q.fc.0.weight": torch.zeros(10, 10),
        "module.encoder_q.fc.2.weight": torch.zeros(3, 10), **under("module.encoder_k.", trunk),
        "module.queue": torch.zeros(3, 7)}, "arch": "resnet50"},
        "MoCo, under state_dict.module.encoder_q.", "encoder_k ("),
    "backbone": (lambda trunk: under("backbone.", trunk), "torchvision or timm (ResNet), under backbone.", ""),
}


@pytest.mark.parametrize(("contain", "source", "left_out"), HEADLESS.values(), ids=HEADLESS)
def test_trunks_without_a_classifier(tmp_path: Path, contain: Any, source: str, left_out: str) -> None:
    original = small()
    network, header, lines = from_torch(contain(trunk_of(original)), tmp_path)
    assert header["source"]["kind"].startswith(source)
    assert header["num_classes"] == 0
    assert header["architecture"] == {"arch": "resnet", "blocks": [1, 2, 1, 1], "widths": [4, 6, 8, 10]}
    assert left_out in "\n".join(line for line in lines if line.startswith("left out"))
    assert_same_network(network.features, original.features, 3, 32, 32)


WITH_HEAD = {"raw": lambda state: state, "state_dict": lambda state: {"state_dict": state, "epoch": 3},
             "parallel": lambda state: under("module.", state), "model": lambda state: {"model": state},
             "averaged": lambda state: {"state_dict": under("", small(3).state_dict()), "state_dict_ema": state}}


@pytest.mark.parametrize("contain", WITH_HEAD.values(), ids=WITH_HEAD)
def test_timms_containers(tmp_path: Path, contain: Any) -> None:
    original = small()
    network, header, _ = from_torch(contain(original.state_dict()), tmp_path)
    assert header["num_classes"] == 5
    assert_same_network(network, original, 3, 32, 32)


def test_torchvisions_resnet_18_and_what_it_is_fed(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(num_classes=7).eval()
    network, header, _ = from_torch(theirs.state_dict(), tmp_path)
    assert header["architecture"] == {"arch": "resnet18"}
    assert {name: header["view"][name] for name in ("short_edge_px", "crop_px", "mean", "std")} == {
        "short_edge_px": 256, "crop_px": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert_same_network(network, theirs, 3, 64, 64)


def test_other_depths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"ResNet of \(3, 4, 6, 3\) basic blocks; ResNet-18 has"):
        from_torch(torchvision.models.resnet34(num_classes=2).state_dict(), tmp_path)


@pytest.mark.parametrize(("changes", "named"), [
    ({"layer2.1.bn2.running_mean": None}, "missing: 1: layer2.1.bn2.running_mean"),
    ({"layer3.0.bn1.weight": None}, "missing: 1: layer3.0.bn1.weight"),
    ({"conv1.bias": torch.zeros(4)}, "unexpected: 1: conv1.bias"),
    ({"layer1.0.conv1.weight": torch.zeros(4, 4, 1, 1)}, "mismatched: 1: layer1.0.conv1.weight")])
def test_one_wrong_tensor_and_nothing_is_written(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    state = {name: value for name, value in {**small().state_dict(), **changes}.items() if value is not None}
    with pytest.raises(IntegrityError) as caught:
        from_torch(state, tmp_path)
    assert named in str(caught.value)
    assert not (tmp_path / "out").exists()


def blobs_of(network: ImageResNet, tower: str) -> dict[str, Any]:
    """FAIR's blobs of a ResNet-50, by the table of names; `tower` is _s0 in Jigsaw's nine-fold network."""
    state = {name: value.numpy() for name, value in trunk_of(network).items()}
    blobs: dict[str, Any] = {f"conv1{tower}_w": state["conv1.weight"][:, ::-1].copy()}  # BGR

    def norm(name: str, ours: str) -> None:
        for suffix, ours_suffix in (("s", "weight"), ("b", "bias"), ("rm", "running_mean"), ("riv", "running_var")):
            blobs[f"{name}_bn{tower}_{suffix}"] = state[f"{ours}.{ours_suffix}"]

    norm("res_conv1", "bn1")
    for stage, num_blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
        for block in range(num_blocks):
            theirs, ours = f"res{stage}_{block}_branch", f"layer{stage - 1}.{block}"
            for branch, number in (("2a", 1), ("2b", 2), ("2c", 3)):
                blobs[f"{theirs}{branch}{tower}_w"] = state[f"{ours}.conv{number}.weight"]
                norm(f"{theirs}{branch}", f"{ours}.bn{number}")
            if block == 0:
                blobs[f"{theirs}1{tower}_w"] = state[f"{ours}.downsample.0.weight"]
                norm(f"{theirs}1", f"{ours}.downsample.1")
    return blobs


@pytest.fixture(scope="module")
def resnet50() -> ImageResNet:
    made: ImageResNet = with_history(build_resnet(num_classes=6, arch="resnet50"))
    return made


@pytest.mark.parametrize("tower", ["", "_s0"])
def test_fairs_caffe2_resnet_50_with_its_channels_turned(tmp_path: Path, resnet50: ImageResNet, tower: str) -> None:
    blobs = {**blobs_of(resnet50, tower), "lr": np.float32(0.1), "res_conv1_bn_s_momentum": np.zeros(64, np.float32)}
    if tower:  # Jigsaw: eight more towers, and a head over nine patches
        blobs |= {"conv1_s3_w": blobs["conv1_s0_w"], "res2_0_branch2a_s8_w": blobs["res2_0_branch2a_s0_w"],
                  "pred_w": np.zeros((4, 9000), np.float32), "pred_b": np.zeros(4, np.float32)}
    else:  # supervised
        blobs |= {"pred_w": resnet50.fc.weight.detach().numpy(), "pred_b": resnet50.fc.bias.detach().numpy()}
    network, header, lines = imported(write_python2_pickle(tmp_path / "rn50.pkl", {"blobs": blobs}))
    assert header["architecture"] == {"arch": "resnet50"}
    assert header["num_classes"] == (0 if tower else 6)
    assert "lr (1 tensors)" in next(line for line in lines if line.startswith("left out"))
    assert torch.equal(network.state_dict()["conv1.weight"], resnet50.state_dict()["conv1.weight"])
    with torch.no_grad():
        torch.testing.assert_close(network.features(data(1, 3, 64, 64)), resnet50.features(data(1, 3, 64, 64)))
        if not tower:
            torch.testing.assert_close(network(data(1, 3, 64, 64)), resnet50(data(1, 3, 64, 64)))


def test_a_blob_too_few_or_too_many_is_named(tmp_path: Path, resnet50: ImageResNet) -> None:
    blobs = blobs_of(resnet50, "")
    del blobs["res4_3_branch2b_bn_riv"]
    blobs["res5_0_branch3_w"] = np.zeros(1, np.float32)
    with pytest.raises(IntegrityError) as caught:
        imported(write_python2_pickle(tmp_path / "rn50.pkl", {"blobs": blobs}))
    assert "missing: 1: layer3.3.bn2.running_var" in str(caught.value)
    assert "unexpected: 1: res5_0_branch3_w" in str(caught.value)
