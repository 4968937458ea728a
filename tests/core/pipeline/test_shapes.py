"""What a plan says of networks: as counted on the very network, and counted once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cfimage.modality import IMAGE
from cfvideo.core.flops import forward_flops
from cfvideo.core.pipeline.shapes import layer_dims, shapes
from cfvideo.modality import VIDEO

SMALL: dict[str, Any] = {"arch": "r2plus1d", "blocks": [1, 1, 1, 1], "widths": [4, 6, 8, 10], "midplanes": "caffe2"}


@pytest.mark.parametrize(("build", "architecture", "shape"), [
    (VIDEO.build_network, SMALL, (3, 4, 16, 16)), (VIDEO.build_network, {"arch": "x3d_m"}, (3, 4, 64, 64)),
    (IMAGE.build_network, {"arch": "resnet18"}, (3, 64, 64)),
    (IMAGE.build_network, {"arch": "resnet18", "task": "jigsaw"}, (9, 3, 64, 64))])
def test_operations_are_those_of_the_network_with_all_its_classes(build: Any, architecture: dict[str, Any],
                                                                  shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        network = build(num_classes=37, **architecture)
    found = shapes(build, "N_PRE", architecture, shape)
    assert found.flops(37) == forward_flops(network, shape)
    assert (found.layers, found.feature_dim) == (network.layers, network.feature_dim)


def test_what_was_worked_out_serves_every_number_of_classes_and_no_other_arguments() -> None:
    built = []

    def build(**arguments: Any) -> Any:
        built.append(arguments)
        return VIDEO.build_network(**arguments)

    clip = (3, 4, 16, 16)
    assert shapes(build, "N_PRE", SMALL, clip).flops(5) < shapes(build, "N_PRE", dict(SMALL), clip).flops(6)
    assert len(built) == 1
    wide = shapes(build, "N_PRE", {**SMALL, "widths": [4, 6, 8, 12]}, clip)
    longer = shapes(build, "N_PRE", SMALL, (3, 8, 16, 16))
    assert (wide.feature_dim, len(built)) == (12, 3)
    assert longer.flops(5) > shapes(build, "N_PRE", SMALL, clip).flops(5)
    for _ in range(2):
        assert layer_dims(build, "N_PRE", SMALL, clip, ("res3", "res5")) == {"res3": 6, "res5": 10}
    assert len(built) == 4
    with pytest.raises(ValueError, match="unknown layer res9"):
        layer_dims(build, "N_PRE", SMALL, clip, ("res9",))
