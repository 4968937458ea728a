"""What is drawn: bars, dots and outlines stand where the numbers are."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from PIL import Image

from cfvideo.core.report import figures as report_figures
from cfvideo.core.report import numbers
from cfvideo.core.report import probe_figures as report_probe_figures
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.style import LIGHT, compact, draw
from tests.core.report.sample import MOTION, clusters, curve, probe, probes


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


def test_bars_are_means_and_dots_are_seeds(axes: Axes) -> None:
    data = ReportData("t", "c", "", probes=probes("motion", MOTION))
    table = {name: [numbers.summarise(data, name, "motion")] for name in numbers.networks(data)}
    report_probe_figures._paint_bars(axes, LIGHT, table=table, targets=["motion"])
    means = [100 * sum(MOTION[seed][place] for seed in MOTION) / 1200 for place in range(3)]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(means)  # type: ignore[attr-defined]
    dots = [np.asarray(line.get_ydata()) for line in axes.lines]
    assert np.allclose(dots, [[won / 4 for won in row] for row in MOTION.values()])
    assert axes.get_ylim()[0] == 0


def test_differences_show_zero_the_seeds_and_the_mean(axes: Axes) -> None:
    data = ReportData("t", "c", "", probes=probes("motion", MOTION))
    comparison = numbers.compare(data, "n_cf", "motion")
    assert comparison is not None
    report_probe_figures._paint_differences(axes, LIGHT, comparisons=[comparison])
    seeds, mean, zero = (np.asarray(line.get_xdata(), dtype=float) for line in axes.lines)
    assert seeds == pytest.approx([5.75, 4.5, -1.25])
    assert mean == pytest.approx([3.0])
    assert set(zero) == {0.0}
    assert axes.get_xlim()[0] < -1.25


def test_sizes_count_every_cluster_once(axes: Axes) -> None:
    report_figures._paint_sizes(axes, LIGHT, clusters=[clusters(0), clusters(1)])
    outlines = [patch.get_data()[0] for patch in axes.patches if isinstance(patch, StepPatch)]
    assert [int(np.sum(values)) for values in outlines] == [60, 60]


def test_curves_are_the_data(axes: Axes) -> None:
    curves = [curve("n_pre", 0, 0.3), curve("n_pre", 1, 0.3)]
    report_figures._paint_curves(axes, LIGHT, curves=curves, name="accuracy", label="accuracy, %")
    assert np.allclose(np.asarray(axes.lines[1].get_ydata()), 100 * np.asarray(curves[1].accuracy))
    legend = axes.get_legend()
    assert legend is not None
    assert [label.get_text() for label in legend.get_texts()] == ["N_pre"]


@pytest.mark.parametrize(("floor", "scale"), [(0.5, "linear"), (300.0, "log")])
def test_a_loss_of_another_size_does_not_flatten_the_others(axes: Axes, floor: float, scale: str) -> None:
    curves = [curve("n_cf", 0, 0.5), curve("distillation", 0, floor)]
    report_figures._paint_curves(axes, LIGHT, curves=curves, name="loss", label="training loss")
    assert axes.get_yscale() == scale
    axes.figure.canvas.draw()  # type: ignore[union-attr]
    ticks = [label.get_text() for label in axes.get_yticklabels(which="both")]
    assert not any("$" in text or "^" in text or "e+" in text for text in ticks)
    assert scale == "linear" or {"1", "3", "10", "100"} <= set(ticks)


@pytest.mark.parametrize("name", ["$\\frac{", "視頻", "\udcff", "_hidden", "x" * 300])
def test_any_name_can_be_drawn(name: str) -> None:
    data = ReportData("t", "c", "", probes=[probe("n_pre", name, 0, 0.5), probe(name, name, 0, 0.5)])
    figure = report_figures.figures(data)[0]
    for png in (figure.light, figure.dark):
        assert Image.open(BytesIO(png)).size == (980, 620)


def test_the_background_is_the_pages_card() -> None:
    png = Image.open(BytesIO(draw(LIGHT, lambda axes, palette: None))).convert("RGB")
    assert png.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("value", "shown"), [(490e6, "490M"), (1500, "1.5k"), (12, "12"), (0, "0"), (2.5e9, "2.5G")])
def test_compact_numbers(value: float, shown: str) -> None:
    assert compact(value) == shown
