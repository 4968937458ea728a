"""PyTorchVideo's checkpoints, made by PyTorchVideo's builders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorchvideo.models.csn import create_csn
from pytorchvideo.models.r2plus1d import create_r2plus1d
from pytorchvideo.models.resnet import create_resnet
from pytorchvideo.models.x3d import create_x3d
from torch import nn

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import Checkpoint, read_checkpoint
from cfvideo.core.foreign.imports import Asked, fitted, import_weights
from cfvideo.core.network_file import FILE_NAME, load_network, read_header
from cfvideo.modality import VIDEO
from cfvideo.models.weights import VIDEO_WEIGHTS
from cfvideo.models.weights.pytorchvideo import inward, outward, read_pytorchvideo
from tests.checkpoints import data

BUILDERS: dict[str, Any] = {
    "x3d_m": lambda: create_x3d(model_num_class=3), "x3d_l": lambda: create_x3d(model_num_class=3, depth_factor=5.0),
    "slow_r50": lambda: create_resnet(model_num_class=3, stem_conv_kernel_size=(1, 7, 7)),
    "csn_r101": lambda: create_csn(model_num_class=3, model_depth=101, stem_pool=nn.MaxPool3d),
    "r2plus1d_r50": lambda: create_r2plus1d(model_num_class=3)}


@pytest.mark.parametrize("arch", BUILDERS)
def test_each_is_recognised_and_fits(arch: str) -> None:
    with torch.device("meta"):
        state = BUILDERS[arch]().state_dict()
    tensors = {f"model_state.{name}": value for name, value in state.items()}
    found = read_pytorchvideo(Checkpoint(Path("any.pyth"), "", "torch", tensors))
    assert found is not None
    assert found.architecture == {"arch": arch}
    assert found.view["mean"] == [0.45, 0.45, 0.45]
    matched = fitted(VIDEO_WEIGHTS, found)[1]
    assert matched.is_whole, matched.lines()
    assert [outward(inward(name)) for name in state] == list(state)


def test_x3d_computes_what_it_computed_there(tmp_path: Path) -> None:
    theirs = create_x3d(model_num_class=3, input_clip_length=4, input_crop_size=32, head_activation=None).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in (*theirs.named_parameters(), *theirs.named_buffers()):
            if "norm" in name and name.endswith(("weight", "running_var")):
                value.uniform_(0.5, 1.0, generator=generator)
    torch.save({"model_state": theirs.state_dict(), "epoch": 3}, tmp_path / "X3D_M.pyth")
    import_weights(read_checkpoint(tmp_path / "X3D_M.pyth"), (VIDEO_WEIGHTS,), tmp_path / "out" / FILE_NAME, Asked())
    header = read_header(tmp_path / "out")
    assert (header["num_classes"], header["view"]["num_frames"], header["view"]["frame_stride"]) == (3, 16, 5)
    network: Any = load_network(tmp_path / "out", VIDEO)
    with torch.no_grad():
        torch.testing.assert_close(network(data(2, 3, 4, 32, 32)), theirs(data(2, 3, 4, 32, 32)), rtol=1e-4, atol=1e-5)


def test_a_stranger_among_them_is_compared_with_the_nearest(tmp_path: Path) -> None:
    torch.save({"model_state": create_x3d(model_num_class=3, width_factor=1.0).state_dict()}, tmp_path / "X3D.pyth")
    with pytest.raises(IntegrityError, match=r"(?s)another network.*mismatched: .*'arch': 'x3d_m'"):
        import_weights(read_checkpoint(tmp_path / "X3D.pyth"), (VIDEO_WEIGHTS,), tmp_path / "out" / FILE_NAME, Asked())
