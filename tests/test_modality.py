"""VIDEO, the record that the tools hand to the stages."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
import torch

from cfvideo.core.specs import ClipSpec
from cfvideo.modality import VIDEO
from tests.source_tree import ROOT


@pytest.mark.parametrize(("arch", "num_parameters"), [("r2plus1d_18", 33_370_839), ("r2plus1d_34", 63_697_175)])
def test_the_papers_networks(arch: str, num_parameters: int) -> None:
    with torch.device("meta"):
        network: Any = VIDEO.build_network(num_classes=400, arch=arch, blocks=(9,), widths=(9,), midplanes="caffe2")
    assert sum(weight.numel() for weight in network.parameters()) == num_parameters


def test_a_network_of_ones_own() -> None:
    network = VIDEO.build_network(num_classes=5, arch="r2plus1d", blocks=[1, 1, 1, 1], widths=[8, 8, 16, 24],
                                  midplanes="caffe2")
    assert network.feature_dim == 24
    assert network.fc.out_features == 5
    clip = ClipSpec(num_frames=4, crop_px=32)
    shape = VIDEO.sample_shape(dataclasses.asdict(clip))
    assert shape == (3, 4, 32, 32)
    assert network.features(torch.zeros(2, *shape), "res5").shape == (2, 24)


def test_decoding_needs_no_torch() -> None:
    """Worker processes that only decode stay light."""
    script = ("import sys, cfvideo.data.decode, cfvideo.data.transforms, cfvideo.data.formats\n"
              "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
