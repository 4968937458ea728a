"""bf16 only where there is hardware for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cfvideo.core.errors import ConfigError
from cfvideo.core.training import precision
from cfvideo.core.training.precision import autocast, check_precision, cpu_has_bf16


@pytest.mark.parametrize(("flags", "has"), [("fpu avx2 fma", False), ("avx512f avx512_bf16", True), ("amx_bf16", True)])
def test_flags_of_the_processor_decide(tmp_path: Path, flags: str, has: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    assert cpu_has_bf16(tmp_path / "cpuinfo") is has


def test_a_processor_that_says_nothing_has_none(tmp_path: Path) -> None:
    assert not cpu_has_bf16(tmp_path / "absent")


def test_bf16_is_refused_with_the_reason_where_it_would_crawl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    with pytest.raises(ConfigError, match=r"N_CF\.SOLVER\.PRECISION: .*slower than fp32.*use fp32"):
        check_precision("bf16", torch.device("cpu"), "N_CF.SOLVER.PRECISION")
    check_precision("fp32", torch.device("cpu"), "N_CF.SOLVER.PRECISION")


@pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_forward_passes_run_in_the_precision_asked_for(name: str, dtype: torch.dtype) -> None:
    with autocast(name, torch.device("cpu")):
        assert torch.nn.Linear(3, 2)(torch.ones(1, 3)).dtype == dtype
