"""VMZ's Caffe2 blobs, written here by the table of names (ig65m's converter) from a network of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.imports import Asked, import_weights
from cfvideo.core.network_file import FILE_NAME, load_network, read_header
from cfvideo.modality import VIDEO
from cfvideo.models.r2plus1d import R2Plus1D
from cfvideo.models.weights import VIDEO_WEIGHTS
from tests.checkpoints import assert_same_network, small_video, with_history, write_python2_pickle


def blobs_of(network: R2Plus1D) -> dict[str, Any]:
    """Every blob that VMZ's tools would have saved of this network, the solver's among them."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    blobs: dict[str, Any] = {"lr": np.float32(0.01), "optimizer_iteration_cpu": np.array([7])}

    def convolution(name: str, ours: str) -> None:
        blobs[f"{name}_w"] = state[f"{ours}.weight"]
        blobs[f"{name}_w_momentum"] = np.zeros_like(state[f"{ours}.weight"])

    def norm(name: str, ours: str) -> None:
        blobs[f"{name}_s"], blobs[f"{name}_b"] = state[f"{ours}.weight"], state[f"{ours}.bias"]
        blobs[f"{name}_rm"], blobs[f"{name}_riv"] = state[f"{ours}.running_mean"], state[f"{ours}.running_var"]

    convolution("conv1_middle", "stem.0")
    norm("conv1_middle_spatbn_relu", "stem.1")
    convolution("conv1", "stem.3")
    norm("conv1_spatbn_relu", "stem.4")
    i = 0
    for layer in ("layer1", "layer2", "layer3", "layer4"):
        for b in range(len(network.get_submodule(layer))):  # type: ignore[arg-type]
            for j in (1, 2):
                convolution(f"comp_{i}_conv_{j}_middle", f"{layer}.{b}.conv{j}.0.0")
                norm(f"comp_{i}_spatbn_{j}_middle", f"{layer}.{b}.conv{j}.0.1")
                convolution(f"comp_{i}_conv_{j}", f"{layer}.{b}.conv{j}.0.3")
                norm(f"comp_{i}_spatbn_{j}", f"{layer}.{b}.conv{j}.1")
            if f"{layer}.{b}.downsample.0.weight" in state:
                convolution(f"shortcut_projection_{i}", f"{layer}.{b}.downsample.0")
                norm(f"shortcut_projection_{i}_spatbn", f"{layer}.{b}.downsample.1")
            i += 1
    num_classes = network.fc.out_features
    blobs[f"last_out_L{num_classes}_w"], blobs[f"last_out_L{num_classes}_b"] = state["fc.weight"], state["fc.bias"]
    return blobs


def imported(blobs: dict[str, Any], folder: Path, name: str = "r2plus1d_clip8_f79708462.pkl") -> Path:
    path = write_python2_pickle(folder / name, {"blobs": blobs})
    import_weights(read_checkpoint(path), (VIDEO_WEIGHTS,), folder / "out" / FILE_NAME, Asked())
    return folder / "out"


@pytest.mark.parametrize("blocks", [(2, 1, 3, 1), (2, 2, 2, 2), (3, 4, 6, 3)])
def test_blobs_become_the_network_they_are_of(tmp_path: Path, blocks: tuple[int, ...]) -> None:
    original = with_history(R2Plus1D(num_classes=4, blocks=blocks, widths=(3, 4, 5, 6)))
    blobs = blobs_of(original)
    assert {f"shortcut_projection_{i}_w" for i in np.cumsum(blocks[:3])} <= blobs.keys()
    folder = imported(blobs, tmp_path)
    header = read_header(folder)
    assert header["architecture"] == {"arch": "r2plus1d", "blocks": list(blocks), "widths": [3, 4, 5, 6],
                                      "midplanes": "caffe2"}
    assert header["source"]["kind"] == "VMZ (Caffe2)"
    assert header["view"]["num_frames"] == 8
    network: Any = load_network(folder, VIDEO)
    assert {network.stem[1].eps, network.layer4[0].conv2[1].eps} == {1e-3}
    assert_same_network(network, original, 3, 8, 24, 16)


def test_blobs_without_their_wrapping_are_read_too(tmp_path: Path) -> None:
    path = write_python2_pickle(tmp_path / "raw.pkl", blobs_of(small_video("caffe2")))
    lines = import_weights(read_checkpoint(path), (VIDEO_WEIGHTS,), tmp_path / "out" / FILE_NAME, Asked())
    assert any(line.startswith("left out: ") and "lr (1 tensors)" in line for line in lines)


@pytest.mark.parametrize(("change", "named"), [
    ({"comp_0_conv_1_w": None}, "missing: 1: layer1.0.conv1.0.3.weight"),
    ({"comp_0_conv_3_w": np.zeros(1, np.float32)}, "unexpected: 1: comp_0_conv_3_w"),
    ({"conv1_w": np.zeros((4, 2, 5, 1, 1), np.float32)}, "mismatched: 1: stem.3.weight"),
    ({"shortcut_projection_6_spatbn_riv": None}, "missing: 1: layer4.0.downsample.1.running_var")])
def test_one_wrong_blob_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    blobs = {name: value for name, value in {**blobs_of(small_video("caffe2")), **change}.items() if value is not None}
    with pytest.raises(IntegrityError) as caught:
        imported(blobs, tmp_path)
    assert named in str(caught.value)
    assert not (tmp_path / "out").exists()
