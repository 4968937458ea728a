"""Checkpoints that cannot be used say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.imports import recognised
from cfvideo.models.weights import VIDEO_WEIGHTS

WEIGHT = torch.zeros(1)


@pytest.mark.parametrize(("content", "reason"), [
    ({"meta": {}, "state_dict": {"backbone.conv1.conv.conv_s.weight": WEIGHT, "backbone.conv1.conv.bn_s.weight": WEIGHT,
                                 "cls_head.fc_cls.weight": WEIGHT}}, "MMAction2's R.*83 inner channels.*max-pool"),
    ({"model_state": {"s1.pathway0_stem.conv.weight": WEIGHT, "head.projection.weight": WEIGHT}, "cfg": "..."},
     "PySlowFast's networks.*PyTorchVideo's conversion"),
    ({"teacher": {"backbone.cls_token": WEIGHT, "backbone.blocks.0.attn.qkv.weight": WEIGHT}}, "vision transformer"),
    ({"patch_embed.proj.weight": WEIGHT}, "vision transformer"),
    ({"teacher": {"backbone.blocks.0.0.attn.qkv.weight": WEIGHT}}, "vision transformer"),
    ({"model_state": {"blocks.0.attn.q.weight": WEIGHT}}, "vision transformer"),
    ({"stem.0.weight": WEIGHT, "layer1.0.conv1.0.0.weight": WEIGHT, "fc.weight": torch.zeros(())},
     "fc.weight is a single number")])
def test_each_is_refused_with_its_reason(tmp_path: Path, content: Any, reason: str) -> None:
    torch.save(content, tmp_path / "theirs.pth")
    with pytest.raises(IntegrityError, match=reason):
        recognised(read_checkpoint(tmp_path / "theirs.pth"), (VIDEO_WEIGHTS,))
