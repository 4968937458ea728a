"""Networks on disk: header, epsilon, refusals that name what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cfvideo.core.errors import IntegrityError
from cfvideo.core.network_file import FILE_NAME, load_network, network_path, read_header, save_network, write_network
from cfvideo.core.tensors import save_tensors
from cfvideo.modality import VIDEO
from tests.checkpoints import assert_same_network, small_video

ARCHITECTURE: dict[str, Any] = {"arch": "r2plus1d", "blocks": [2, 1, 3, 1], "widths": [4, 6, 8, 10],
                                "midplanes": "caffe2"}
VIEW = {"num_frames": 4, "frame_stride": 1, "short_edge_px": 32, "crop_px": 16, "mean": [0.5, 0.5, 0.5]}


def saved(folder: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"architecture": ARCHITECTURE, "num_classes": 5, "view": VIEW, **changes}
    save_network(folder, small_video("caffe2"), **arguments)
    return folder


def test_a_network_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert read_header(folder) == read_header(folder / FILE_NAME) == {
        "architecture": ARCHITECTURE, "num_classes": 5, "view": VIEW}
    for path in (folder, folder / FILE_NAME):
        assert network_path(path) == folder / FILE_NAME
        network: Any = load_network(path, VIDEO)
        assert not network.training
        assert_same_network(network, small_video("caffe2"), 3, 4, 16, 16)


def test_the_epsilon_of_batch_norms_is_the_headers(tmp_path: Path) -> None:
    usual: Any = load_network(saved(tmp_path), VIDEO)
    (tmp_path / "other").mkdir()
    other: Any = load_network(saved(tmp_path / "other", architecture={**ARCHITECTURE, "bn_eps": 0.25}), VIDEO)
    for network, eps in ((usual, 1e-3), (other, 0.25)):
        assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm3d)} == {eps}
    clips = torch.ones(1, 3, 4, 16, 16)
    assert not torch.allclose(usual(clips), other(clips))


@pytest.mark.parametrize(("changes", "named"), [
    ({"num_classes": 6}, ["fc.weight (float [5, 10], the network takes float [6, 10])", "fc.bias"]),
    ({"architecture": {**ARCHITECTURE, "blocks": [2, 2, 3, 1]}}, ["missing: 24: layer2.1.conv1.0.0.weight"]),
    ({"architecture": {**ARCHITECTURE, "blocks": [1, 1, 3, 1]}}, ["unexpected: 24: layer1.1.conv1.0.0.weight"]),
    ({"architecture": {**ARCHITECTURE, "midplanes": "torchvision"}}, ["layer2.0.conv2.0.0.weight (float [13, 6"])])
def test_another_architecture_or_number_of_classes_is_refused_with_the_names(
        tmp_path: Path, changes: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(IntegrityError) as caught:
        load_network(saved(tmp_path, **changes), VIDEO)
    assert all(name in str(caught.value) for name in named), str(caught.value)


@pytest.mark.parametrize("architecture", [{**ARCHITECTURE, "task": "rotnet"}, {**ARCHITECTURE, "widths": [4]}])
def test_a_header_that_asks_for_no_network(tmp_path: Path, architecture: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="no network can be built of"):
        load_network(saved(tmp_path, architecture=architecture), VIDEO)


def test_a_network_without_a_head_loads_quietly(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    state = small_video("caffe2").state_dict()
    state |= {"fc.weight": torch.zeros(0, 10), "fc.bias": torch.zeros(0)}
    write_network(tmp_path / FILE_NAME, state, architecture=ARCHITECTURE, num_classes=0, view=VIEW,
                  source={"file": "x"})
    assert read_header(tmp_path)["source"] == {"file": "x"}
    network: Any = load_network(tmp_path, VIDEO)
    assert network.features(torch.zeros(1, 3, 4, 16, 16)).shape == (1, 10)
    assert [str(one.message) for one in recwarn if "zero-element" in str(one.message)] == []


@pytest.mark.parametrize("names", [list("abcd"), list("abcdd"), "abcde", [1, 2, 3, 4, 5]])
def test_names_that_are_not_one_per_class_are_neither_written_nor_read(tmp_path: Path, names: Any) -> None:
    header = {"architecture": ARCHITECTURE, "num_classes": 5, "view": VIEW}
    save_tensors(tmp_path / FILE_NAME, small_video("caffe2").state_dict(), {**header, "class_names": names})
    for read in (read_header, lambda path: load_network(path, VIDEO)):
        with pytest.raises(IntegrityError, match="class_names"):
            read(tmp_path)
    if isinstance(names, list):
        with pytest.raises(IntegrityError, match="class_names"):
            saved(tmp_path, class_names=names)


def test_other_files_are_no_networks(tmp_path: Path) -> None:
    save_tensors(tmp_path / FILE_NAME, {"a": torch.zeros(1)}, {"architecture": {}})
    for read in (read_header, lambda path: load_network(path, VIDEO)):
        with pytest.raises(IntegrityError, match=r"no network file: num_classes, view missing.*import_weights"):
            read(tmp_path)
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_header(tmp_path / "nothing")
