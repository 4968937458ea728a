"""Learning rates at hand-worked sample counts."""

from __future__ import annotations

import pytest

from cfvideo.core.training.schedules import learning_rate


@pytest.mark.parametrize(("samples", "expected"), [
    (0, 0.192), (34_999_999, 0.192), (35_000_000, 0.096), (70_000_000, 0.048), (489_999_999, 0.192 / 8192)])
def test_the_papers_schedule_halves_thirteen_times(samples: int, expected: float) -> None:
    rate = learning_rate(samples, max_samples=490_000_000, base_lr=0.192, num_halvings=13)
    assert rate == pytest.approx(expected)


def test_no_halvings_is_constant() -> None:
    assert learning_rate(999, max_samples=1000, base_lr=1.0, num_halvings=0) == 1.0


@pytest.mark.parametrize(("samples", "expected"), [(0, 0.0), (50, 0.5), (100, 1.0)])
def test_warmup_rises_linearly(samples: int, expected: float) -> None:
    assert learning_rate(samples, max_samples=1000, base_lr=1.0, warmup_samples=100,
                         num_halvings=0) == pytest.approx(expected)


@pytest.mark.parametrize(("samples", "expected"), [(0, 1.0), (500, 0.5), (1000, 0.0)])
def test_cosine(samples: int, expected: float) -> None:
    assert learning_rate(samples, max_samples=1000, base_lr=1.0, schedule="cosine") == pytest.approx(expected)


@pytest.mark.parametrize(("samples", "expected"), [(0, 1.0), (299, 1.0), (300, 0.1), (899, 0.1), (900, 0.01)])
def test_step_drops_at_shares_of_the_budget(samples: int, expected: float) -> None:
    assert learning_rate(samples, max_samples=1000, base_lr=1.0, schedule="step", steps=(0.3, 0.9),
                         step_factor=0.1) == pytest.approx(expected)


def test_constant_and_a_warm_up_that_starts_above_zero() -> None:
    rates = [learning_rate(samples, max_samples=100, base_lr=2.0, schedule="constant", warmup_samples=10,
                           warmup_from=0.25) for samples in (0, 5, 10, 99)]
    assert rates == pytest.approx([0.5, 1.25, 2.0, 2.0])


def test_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: halving, step, cosine, constant"):
        learning_rate(0, max_samples=1, base_lr=1.0, schedule="poly")
