"""From a file to a network file of ours: every name, or nothing at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cfimage.weights import IMAGE_WEIGHTS
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.imports import Asked, import_weights, listing
from cfvideo.core.foreign.names import below, part_of, prefix_before
from cfvideo.core.network_file import FILE_NAME, load_network, read_header, save_network
from cfvideo.modality import VIDEO
from cfvideo.models.weights import VIDEO_WEIGHTS
from tests.checkpoints import assert_same_network, small_video
from tests.toy_modality import HEADER

SIDES = (VIDEO_WEIGHTS, IMAGE_WEIGHTS)


def imported(content: Any, folder: Path, **asked: Any) -> list[str]:
    torch.save(content, folder / "theirs.pth")
    return import_weights(read_checkpoint(folder / "theirs.pth"), SIDES, folder / "out" / FILE_NAME, Asked(**asked))


def state(**changes: Any) -> dict[str, torch.Tensor]:
    changed = {**small_video("torchvision").state_dict(), **changes}
    return {name: value for name, value in changed.items() if value is not None}


def test_what_was_done_is_said_and_where_it_came_from_kept(tmp_path: Path) -> None:
    lines = imported({"model": state(), "optimizer": {"state": {0: torch.ones(1), 1: torch.ones(1)}}}, tmp_path)
    assert lines[0].startswith("torchvision (R(2+1)D), under model.: video network {'arch': 'r2plus1d'")
    assert lines[2] == "left out: optimizer (2 tensors)"
    assert lines[3] == f"loaded: {len(state())} tensors, every one of the network"
    source = read_header(tmp_path / "out")["source"]
    assert source["file"] == "theirs.pth"
    assert source["sha256"] == read_checkpoint(tmp_path / "theirs.pth").sha256


@pytest.mark.parametrize(("changes", "named"), [
    ({"layer3.2.conv2.1.bias": None}, "missing: 1: layer3.2.conv2.1.bias"),
    ({"layer1.0.conv1.0.0.weight": None}, "not its basic blocks"),
    ({"layer2.0.conv1.0.3.weight": None, "layer4.0.downsample.1.running_var": None},
     "missing: 2: layer2.0.conv1.0.3.weight, layer4.0.downsample.1.running_var"),
    ({"stem.6.weight": torch.zeros(1)}, "unexpected: 1: stem.6.weight"),
    ({"stem.3.weight": torch.zeros(4, 2, 3, 3, 1)}, "mismatched: 1: stem.3.weight"),
    ({"fc.bias": None}, "missing: 1: fc.bias"),
    ({"layer1.99999.conv1.x": torch.zeros(1)}, "layer1.99999.conv1.x: no network here has more than 256 blocks"),
    ({"stem.1.weight": torch.ones(2, dtype=torch.int64)}, "stem.1.weight (integer [2], the network takes float [2])"),
    ({"stem.1.weight": torch.tensor([1.0, float("nan")])}, "NaN or infinite numbers in stem.1.weight")])
def test_one_wrong_tensor_and_nothing_is_written(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        imported(state(**changes), tmp_path)
    assert named in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("asked", "named"), [
    ({"arch": "r2plus1d_34"}, "missing: "), ({"num_classes": 6}, "mismatched: 2: fc.weight (float [5, 10], the network "
                                                                 "takes float [6, 10])")])
def test_what_the_user_expects_must_be_there(tmp_path: Path, asked: dict[str, Any], named: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        imported(state(), tmp_path, **asked)
    assert named in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_users_word_on_what_it_is_fed_counts(tmp_path: Path) -> None:
    imported(state(), tmp_path, bn_eps=0.125, view={"num_frames": 8, "std": [0.5, 0.5, 0.5]}, num_classes=5)
    header = read_header(tmp_path / "out")
    assert header["architecture"]["bn_eps"] == 0.125
    assert (header["view"]["num_frames"], header["view"]["std"]) == (8, [0.5, 0.5, 0.5])
    assert header["view"]["crop_px"] == 112
    network: Any = load_network(tmp_path / "out", VIDEO)
    assert network.stem[1].eps == 0.125


@pytest.mark.parametrize("view", [{"crop_px": 129}, {"num_frames": 0}, {"std": [0.2, 0.0, 0.2]}])
def test_views_that_make_no_sense(tmp_path: Path, view: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="above 0 and crop_px is not above short_edge_px"):
        imported(state(), tmp_path, view=view)


def test_half_precision_and_lacking_counters_are_filled_up(tmp_path: Path) -> None:
    halves = {name: value.half() for name, value in state().items() if not name.endswith("num_batches_tracked")}
    imported(halves, tmp_path)
    network: Any = load_network(tmp_path / "out", VIDEO)
    assert network.stem[0].weight.dtype == torch.float32
    assert torch.equal(network.stem[0].weight, halves["stem.0.weight"].float())
    assert int(network.stem[1].num_batches_tracked) == 0


def test_a_network_without_a_head_gives_features(tmp_path: Path) -> None:
    lines = imported(state(**{"fc.weight": None, "fc.bias": None}), tmp_path)
    assert "no head: features only" in lines[0]
    network: Any = load_network(tmp_path / "out", VIDEO)
    clips = torch.ones(1, 3, 4, 16, 16)
    assert torch.equal(network.features(clips), small_video("torchvision").features(clips))
    assert network(clips).shape == (1, 0)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    imported(state(), tmp_path)
    before = (tmp_path / "out" / FILE_NAME).read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        imported(state(), tmp_path)
    assert (tmp_path / "out" / FILE_NAME).read_bytes() == before


def test_our_own_network_files_need_no_import(tmp_path: Path) -> None:
    save_network(tmp_path, small_video("caffe2"), num_classes=5, **HEADER)
    with pytest.raises(ConfigError, match="network file of this program already; N_PRE.WEIGHTS"):
        import_weights(read_checkpoint(tmp_path / FILE_NAME), SIDES, tmp_path / "out", Asked())


def test_listing_writes_nothing(tmp_path: Path) -> None:
    save_file(state(**{"stem.4.bias": None}), tmp_path / "theirs.safetensors")
    before = sorted(tmp_path.iterdir())
    lines = listing(read_checkpoint(tmp_path / "theirs.safetensors"), SIDES, Asked())
    assert "stem.0.weight  float32 [2, 3, 1, 7, 7]" in lines
    assert lines[-1] == "missing: 1: stem.4.bias"
    assert sorted(tmp_path.iterdir()) == before


def test_strangers_are_not_recognised(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"weights of an unknown network; 2 tensors: lstm\.weight, lstm\.bias"):
        imported({"lstm.weight": torch.zeros(1), "lstm.bias": torch.zeros(1)}, tmp_path)


@pytest.mark.parametrize(("names", "prefix"), [
    (["a.b"], ""), (["module.a.b"], "module."), (["state_dict.module.encoder_q.a.b", "state_dict.module.encoder_k.a.b"],
                                                 "state_dict.module.encoder_q."),
    (["model.a.b", "model_ema.module.a.b"], "model_ema.module."), (["state_dict.a.b", "teacher.a.b"], "state_dict."),
    (["xa.b"], None), (["layer1.a.b"], None), (["optimizer.a.b"], None), ([], None)])
def test_prefixes(names: list[str], prefix: str | None) -> None:
    assert prefix_before(names, "a.b") == prefix


def test_tensors_below_a_prefix() -> None:
    tensors = {"model.a": torch.ones(1), "optimizer.state.0": torch.ones(2)}
    inside, others = below(tensors, "model.")
    assert list(inside) == ["a"]
    assert others == ["optimizer.state.0"]
    assert part_of("classy_state_dict.base_model.model.heads.0.w") == "heads"


def test_a_whole_network_survives(tmp_path: Path) -> None:
    imported(state(), tmp_path)
    network: Any = load_network(tmp_path / "out", VIDEO)
    assert_same_network(network, small_video("torchvision"), 3, 4, 16, 16)
