"""R(2+1)D under torchvision's names: containers, variants, what it is fed."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models.video import mc3_18, r2plus1d_18

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.imports import Asked, import_weights
from cfvideo.core.network_file import FILE_NAME, load_network, read_header
from cfvideo.core.specs import ClipSpec
from cfvideo.modality import VIDEO
from cfvideo.models.r2plus1d import BLOCKS, R2Plus1D
from cfvideo.models.weights import VIDEO_WEIGHTS
from cfvideo.models.weights.torchvision import architecture_of
from tests.checkpoints import assert_same_network, data, small_video, with_history


def imported(content: Any, folder: Path, name: str = "theirs.pth") -> Path:
    torch.save(content, folder / name)
    import_weights(read_checkpoint(folder / name), (VIDEO_WEIGHTS,), folder / "out" / FILE_NAME, Asked())
    return folder / "out"


def prefixed(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(("midplanes", "eps"), [("caffe2", 1e-3), ("torchvision", 1e-5)])
@pytest.mark.parametrize("contain", [
    lambda state: state, lambda state: {"model": state}, lambda state: prefixed("module.", state),
    lambda state: {"state_dict": prefixed("backbone.", state), "meta": {"epoch": 1}},
    lambda state: {"model": state, "optimizer": {}, "lr_scheduler": {}, "epoch": 9, "args": argparse.Namespace(lr=0.1)},
], ids=["raw", "VMZ", "parallel", "state_dict", "reference run"])
def test_every_container_and_both_variants(tmp_path: Path, contain: Any, midplanes: Any, eps: float) -> None:
    original = small_video(midplanes)
    folder = imported(contain(original.state_dict()), tmp_path)
    header = read_header(folder)
    assert header["architecture"] == {"arch": "r2plus1d", "blocks": [2, 1, 3, 1], "widths": [4, 6, 8, 10],
                                      "midplanes": midplanes}
    network: Any = load_network(folder, VIDEO)
    assert network.stem[1].eps == eps
    assert_same_network(network, original, 3, 8, 24, 16)


def test_averaged_weights_are_taken_where_there_are_some(tmp_path: Path) -> None:
    averaged = with_history(small_video("torchvision"), seed=9)
    content = {"model": small_video("torchvision").state_dict(),
               "model_ema": {"n_averaged": torch.tensor(7), **prefixed("module.", averaged.state_dict())}}
    assert_same_network(load_network(imported(content, tmp_path), VIDEO), averaged, 3, 4, 16, 16)


@pytest.mark.parametrize("depth", BLOCKS)
@pytest.mark.parametrize("midplanes", ["caffe2", "torchvision"])
def test_the_papers_networks_are_known_by_name(depth: int, midplanes: Any) -> None:
    with torch.device("meta"):
        state = R2Plus1D(num_classes=2, blocks=BLOCKS[depth], midplanes=midplanes).state_dict()
    found = architecture_of(state)
    assert (found["arch"], found["midplanes"]) == (f"r2plus1d_{depth}", midplanes)


@pytest.mark.parametrize(("name", "midplanes", "num_frames", "stride"), [
    ("r2plus1d_34_clip8_ig65m_from_scratch-9bae36ae.pth", "caffe2", 8, 1),
    ("r2plus1d_34_clip32_ft_kinetics_from_ig65m-ade133f1.pth", "caffe2", 32, 1), ("ig65m_8frms.pth", "caffe2", 8, 1),
    ("r2.5d_d18_l16.pkl", "caffe2", 16, 1), ("any.pth", "caffe2", 32, 1),
    ("r2plus1d_18-91a641e6.pth", "torchvision", 16, 2)])
def test_what_it_is_fed(tmp_path: Path, name: str, midplanes: Any, num_frames: int, stride: int) -> None:
    view = read_header(imported(small_video(midplanes).state_dict(), tmp_path, name))["view"]
    stated = {"num_frames": num_frames, "frame_stride": stride, "short_edge_px": 128, "crop_px": 112, "flip": True,
              "mean": [0.43216, 0.394666, 0.37645], "std": [0.22803, 0.22145, 0.216989]}
    assert view == {**json.loads(json.dumps(dataclasses.asdict(ClipSpec()))), **stated}


def test_torchvisions_own_network(tmp_path: Path) -> None:
    theirs = r2plus1d_18(num_classes=7).eval()
    generator = torch.Generator().manual_seed(2)
    for name, value in theirs.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
    folder = imported(theirs.state_dict(), tmp_path)
    assert read_header(folder)["architecture"]["arch"] == "r2plus1d_18"
    network: Any = load_network(folder, VIDEO)
    with torch.no_grad():
        ours, expected = network(data(1, 3, 8, 32, 32)), theirs(data(1, 3, 8, 32, 32))
    assert float((ours - expected).abs().max() / expected.abs().max()) < 1e-4


def test_cousins_of_r2plus1d_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="stem as R\\(2\\+1\\)D's, but not its basic blocks"):
        imported(mc3_18(num_classes=2).state_dict(), tmp_path)
