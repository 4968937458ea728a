"""Every architecture by its name in a config."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cfimage import resnet
from cfvideo.core.errors import ConfigError
from cfvideo.core.specs import network as specs
from cfvideo.models.zoo import ARCHITECTURES, build_network


def test_a_config_may_name_every_network_and_no_other() -> None:
    assert (*ARCHITECTURES, *resnet.ARCHITECTURES) == specs.ARCHITECTURES


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_feature_is_what_the_head_reads(arch: str) -> None:
    with torch.device("meta"):
        network = build_network(num_classes=2, arch=arch, blocks=(1, 1, 1, 1), widths=(4, 6, 8, 10)).eval()
        assert network.features(torch.empty(1, 3, 8, 64, 64)).shape == (1, network.feature_dim)
    assert network.feature_dim == network.fc.in_features


@pytest.mark.parametrize("arch", ["resnet50", "vgg"])
def test_networks_that_are_not_for_videos(arch: str) -> None:
    with pytest.raises(ConfigError, match=rf"ARCH {arch}.*videos; allowed: r2plus1d_18, r2plus1d_34, r2plus1d, x3d_m"):
        build_network(num_classes=2, arch=arch)


@pytest.mark.parametrize("arch", ["r2plus1d", "x3d_m"])
def test_every_batch_norm_takes_the_epsilon_asked_for(arch: str) -> None:
    with torch.device("meta"):
        network = build_network(num_classes=2, arch=arch, blocks=(1, 1, 1, 1), widths=(4, 4, 4, 4), bn_eps=3e-4)
    assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm3d)} == {3e-4}
