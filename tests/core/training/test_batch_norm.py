"""Synchronised batch norm on one process is batch norm, in float32 whatever comes in."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cfvideo.core.training.batch_norm import SynchronisedBatchNorm


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_alone_it_is_plain_batch_norm(dtype: torch.dtype) -> None:
    data = torch.randn((6, 3, 5, 5), generator=torch.Generator().manual_seed(0)).to(dtype)
    plain, own = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    expected, found = plain(data.float()), SynchronisedBatchNorm(own)(data)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=1e-5 if dtype == torch.float32 else 0.02)
    torch.testing.assert_close(own.running_mean, plain.running_mean, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(own.running_var, plain.running_var, rtol=1e-4, atol=1e-6)
