"""What the network bench compares is equal, and what it reports is there. Never its timings."""

from __future__ import annotations

import pytest
import torch

from cfvideo.bench.networks import Case, cases, matrix_product_rate, measure

CPU = torch.device("cpu")


@pytest.mark.parametrize("case", cases("forward", small=True)[:1] + cases("forward", small=True)[2:],
                         ids=lambda case: case.key)
def test_both_sides_compute_the_same(case: Case) -> None:
    ours, theirs = (network.eval() for network in case.pair())
    data = torch.randn(case.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(ours(data), theirs(data), rtol=1e-3, atol=1e-4)


def test_a_tiny_measurement_reports_every_key() -> None:
    wanted = [case for case in cases("train", small=True) if "_34_" not in case.key]  # only longer
    found = measure(wanted, num_rounds=1, device=CPU)
    key = "train_r2plus1d_18_8f_vs_torchvision"
    assert all(found[case.key] > 0 for case in wanted)
    assert found["device"] == "cpu"
    assert found["cases"][key].keys() == {"samples_per_second", "gflop", "share_of_peak", "share_of_peak_torchvision"}
    # Three times the forward pass of 2 clips: 41.5 GFLOP each at 112 pixels, (32 / 112)^2 of it here, less odd edges.
    assert found["cases"][key]["gflop"] == pytest.approx(3 * 2 * 41.5 * (32 / 112)**2, rel=0.25)


def test_three_networks_are_compared_in_both_modes() -> None:
    networks = ("r2plus1d_18_8f", "r2plus1d_34_32f", "resnet50")
    for mode, prefix in (("forward", ""), ("train", "train_")):
        assert [case.key for case in cases(mode)] == [f"{prefix}{name}_vs_torchvision" for name in networks]
        assert all(case.trains is (mode == "train") for case in cases(mode))


def test_the_peak_is_a_rate() -> None:
    assert matrix_product_rate(CPU, "fp32") > 1e8
