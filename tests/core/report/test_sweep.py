"""The page of an ablation: networks as lines, its figure as the paper's, its sentences, its protocol."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from cfvideo.core.report import numbers, sweep_figures
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.layout import Layout
from cfvideo.core.report.protocol import FINE_TUNING, protocols, yardstick
from cfvideo.core.report.style import DARK, LIGHT, Palette, draw, legend
from cfvideo.core.report.verdict import verdict
from tests.core.report.reader import Reader, read
from tests.core.report.sample import ablation, clusters, probe
from tests.core.report.test_verdict import printed


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Reader, Path]:
    folder = tmp_path_factory.mktemp("ablation")
    return *read(ablation(), folder), folder


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


@pytest.mark.parametrize("shown", [
    "Network motion linear probe top-1 accuracy difference fine linear probe top-1 accuracy difference",
    "untrained 42.0 ± 1.0 41.0 42.0 43.0 paper 30.0",
    "Ncf p0 k40 against Npre p0 61.0 ± 1.0 60.0 61.0 62.0 paper 70.0 −2.0 ± 0.0 won 0 of 3",
    "Ncf p50 k80 against Npre p50 59.0 ± 1.0 58.0 59.0 60.0 +10.0 ± 0.0 won 3 of 3",
    "Names: pN: N % are wrong.", "Grey: the paper's own value in the same setting",
    "motion, fine: linear classifier on frozen features.",
    "Learnt by Seed K", "Clusters that Ncf p0 k40 learns (K = 12), seed 0: members nearest to the centroid",
    "All 48 stages",
    "Network its own labels given back",
])
def test_the_page_shows(rendered: tuple[str, Reader, Path], shown: str) -> None:
    assert shown in rendered[1].text


def test_its_files(rendered: tuple[str, Reader, Path]) -> None:
    names = {path.name for path in rendered[2].glob("*.png")}
    assert {"sweep_1.png", "sweep_2.png", "moved.png", "differences.png", "cluster_sizes.png"} <= names
    assert "probes.png" not in names  # bars of so many networks say less than the ablation's figure


def test_the_console_has_a_line_for_each_network() -> None:
    text = printed(ablation())
    assert "59.0 ± 1.0 (+10.0)" in " ".join(text.split()) or "(+10.0)" in text
    assert "in brackets: difference to the network's own N_pre" in text
    assert "N_cf p50 k80 - N_pre" not in text


def test_the_sentences_name_the_best_and_what_that_is_worth() -> None:
    first, motion, _ = verdict(ablation())
    assert "better than N_pre in 18 of 24 cases, worse in 6" in first
    assert "3 of 4 ClusterFit networks are above their N_pre in the mean, 3 of them on every seed" in motion
    assert "The highest is N_cf p0 k80 with 64.0, +1.0 points to N_pre p0" in motion
    assert "best of 4 on the rows that it is judged by" in motion
    assert "All 6 trained networks are above the untrained one (42.0)" in motion


def test_an_untrained_network_that_is_better_is_said() -> None:
    data = ablation()
    better = [replace(one, metrics={"top1": 0.57}) if one.network == "untrained" else one for one in data.probes]
    motion = verdict(replace(data, probes=better))[1]
    assert "untrained network (57.0) is as good as or better than N_pre p50, N_cf p50 k40: there, training" in motion


def test_one_seed_or_no_comparison() -> None:
    data = ablation()
    one = replace(data, probes=[result for result in data.probes if result.seed == 0])
    assert "a single seed settles nothing" in verdict(one)[1]
    none = replace(data, layout=Layout(baselines=dict.fromkeys(numbers.networks(data), "")))
    assert "Nothing compares N_cf with N_pre here" in verdict(none)[1]


def test_lines_stand_where_the_numbers_are(axes: Axes) -> None:
    data = ablation()
    chart = data.layout.chart
    assert chart is not None
    lines = sweep_figures.gather(data, "motion")
    assert list(lines.series) == ["n_pre", "n_cf_k40", "n_cf_k80"]
    assert list(lines.levels) == ["untrained"]
    sweep_figures.paint_lines(axes, LIGHT, lines=lines, axis=chart.axis, metric="top-1 accuracy")
    by_label = {line.get_label(): line for line in axes.lines}
    assert np.asarray(by_label["N_cf k80"].get_ydata()) == pytest.approx([64.0, 59.0])
    assert np.asarray(by_label["N_cf k80"].get_xdata()) == pytest.approx([0.0, 50.0])
    assert np.asarray(by_label["untrained"].get_ydata()) == pytest.approx([42.0, 42.0])
    assert np.asarray(by_label["the paper's"].get_ydata()) == pytest.approx([70.0])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "50"]


@pytest.mark.parametrize("form", ["lines", "bars"])
def test_error_bars_are_standard_deviations_over_seeds_and_within_the_axes(form: str, axes: Axes) -> None:
    """By hand: three seeds a point apart deviate by 1; here those of the highest mean, 64, by 4."""
    data = ablation(form)
    wide = [replace(one, metrics={"top1": 0.64 + 0.04 * (one.seed - 1)}) if one.network == "n_cf_p0_k80" else one
            for one in data.probes]
    # Without the paper's values, which reach further.
    data, chart = replace(data, probes=wide, layout=replace(data.layout, reference={})), data.layout.chart
    assert chart is not None
    paint = sweep_figures.paint_lines if form == "lines" else sweep_figures.paint_bars
    paint(axes, LIGHT, lines=sweep_figures.gather(data, "motion"), axis=chart.axis, metric="top-1 accuracy")
    drawn = [bar for bar in axes.collections if isinstance(bar, LineCollection)]
    lengths = sorted(float(stroke[1, 1] - stroke[0, 1]) for bar in drawn for stroke in bar.get_segments())
    assert lengths == pytest.approx([2.0] * 5 + [8.0])
    assert axes.get_ylim()[1] > 68
    assert axes.get_ylabel() == "top-1, %"


def test_one_seed_has_no_error_bars(axes: Axes) -> None:
    data, chart = ablation(), ablation().layout.chart
    assert chart is not None
    one = replace(data, probes=[result for result in data.probes if result.seed == 0])
    sweep_figures.paint_lines(axes, LIGHT, lines=sweep_figures.gather(one, "motion"), axis=chart.axis, metric="mAP")
    assert not axes.collections


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_no_two_networks_of_a_figure_look_alike(palette: Palette) -> None:
    kin = ["n_cf_k10", "n_cf_k100", "n_cf_k400"]
    names = ["untrained", "n_pre", "n_pre_2x", "distillation", "prototype", "n_pre_rotnet", "regression", *kin]
    found = palette.colours(names)
    assert list(found.keys() ^ names) == []
    colours = [to_rgb(colour) for colour in found.values()]
    apart = [max(abs(a - b) for a, b in zip(one, other, strict=True)) for place, one in enumerate(colours)
             for other in colours[:place]]
    assert min(apart) > 0.1
    assert found["n_cf_k400"] == palette.networks["n_cf"]
    # On the same page the same networks keep their colours.
    assert {name: palette.colours([name])[name] for name in names[:5]} == {name: found[name] for name in names[:5]}
    assert "n_cf_round2" in (beside := palette.colours(["n_cf", "n_cf_round2"]))
    assert beside["n_cf"] == palette.networks["n_cf"] != beside["n_cf_round2"]


def test_bars_are_means_and_start_at_zero(axes: Axes) -> None:
    data = ablation("bars")
    chart = data.layout.chart
    assert chart is not None
    sweep_figures.paint_bars(axes, LIGHT, lines=sweep_figures.gather(data, "motion"), axis=chart.axis, metric="mAP")
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(  # type: ignore[attr-defined]
        [63.0, 49.0, 61.0, 56.0, 64.0, 59.0])
    assert axes.get_ylim()[0] == 0


def _layered() -> ReportData:
    results = [replace(probe(name, "t", seed, 0.5), layer="res5", results={
        "linear": {"res4": {"top1": 0.4 + 0.1 * seed}, "res5": {"top1": 0.5}}, "knn": {"res5": {"top1": 0.3}}})
        for name in ("n_pre", "n_cf") for seed in range(2)]
    return ReportData("t", "c", "", probes=results)


def test_layers_get_bars_and_lines_in_the_csv(tmp_path: Path) -> None:
    data = _layered()
    assert {layer: one.mean for layer, one in numbers.by_layer(data, "n_cf", "t").items()} == pytest.approx(
        {"res4": 0.45, "res5": 0.5})
    (figure,) = sweep_figures.layer_figures(data)
    assert "N_cf: 45.0 at res4, 50.0 at res5" in figure.alt
    read(data, tmp_path)
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["method"], row["layer"], row["headline"]) for row in csv.DictReader(stream)
                if row["network"] == "n_cf" and row["seed"] == "0"]
    assert rows == [("linear", "res5", "1"), ("linear", "res4", "0"), ("knn", "res5", "0")]


def test_grids_of_every_layer_are_named_once() -> None:
    data = _layered()
    grids = [replace(one, layer="res5.grid", results={"linear": {f"{layer}.grid": found for layer, found in
                                                                one.results["linear"].items()}}) for one in data.probes]
    (figure,) = sweep_figures.layer_figures(replace(data, probes=grids))
    assert "over layer, grids of averages. N_pre: 45.0 at res4, 50.0 at res5" in figure.alt


def test_one_layer_needs_no_figure() -> None:
    assert sweep_figures.layer_figures(ablation()) == []


def test_svms_lead_with_map() -> None:
    result = replace(probe("n_pre", "t", 0, 0.5), metrics={"top1": 0.5, "map": 0.4, "map_11_point": 0.41}, method="svm")
    data = ReportData("t", "c", "", probes=[result])
    assert numbers.metrics(data, "t")[0] == "map"
    assert yardstick(data, "t") == "SVM"


def test_each_target_names_its_own_yardstick() -> None:
    results = [replace(probe("n_pre", method, 0, 0.5), method=method) for method in ("linear", "knn", FINE_TUNING)]
    results.append(replace(probe("n_pre", "voc", 0, 0.5), metrics={"top1": 0.5, "map": 0.4}, method="svm"))
    head = [line.replace(" ", "") for line in printed(ReportData("t", "c", "", probes=results)).splitlines()[1:6]]
    assert "┃┃linear┃knn┃fine-tuning┃voc┃" in head
    assert "┃┃linearprobe┃k-NN┃ownclassifier┃SVM┃" in head
    assert "┃%┃top-1accuracy┃top-1accuracy┃top-1accuracy┃mAP┃" in head


def test_the_protocol_says_whose_schedule_it_is() -> None:
    said = {"num_clips": 10, "averaged_over_clips": "softmax", "solver": "sgd", "epochs": 28, "batch_size": 256,
            "drops": "three", "scaling": "batch_norm"}
    sgd = replace(probe("n_pre", "a", 0, 0.5), protocol=said)
    tuned = replace(probe("n_pre", "b", 0, 0.5), method=FINE_TUNING, strength=None)
    first, second = protocols(ReportData("t", "c", "", probes=[sgd, replace(sgd, target="c"), tuned]))
    assert first == ("a, c: linear classifier on frozen features; mini-batch SGD, the paper's protocol; 28 epochs, 256 "
                     "rows a step, rate divided by ten three times, as in the public code; the paper says twice, "
                     "features scaled: batch norm; probabilities averaged over 10 views of each row.")
    assert second.startswith("b: the whole network trained on the target")


def test_a_long_legend_makes_the_figure_higher_and_fits() -> None:
    def paint(axes: Axes, _palette: object) -> None:
        for number in range(12):
            axes.plot([0, 1], [0, number], label=f"N_cf unsuper {number:02d}")
        legend(axes, num_columns=3)
        figure = axes.get_figure()
        assert isinstance(figure, Figure)
        assert figure.get_size_inches()[1] > 3.1

    assert draw(LIGHT, paint).startswith(b"\x89PNG")


def test_records_refuse_what_would_mislead() -> None:
    with pytest.raises(ValueError, match="fractions"):
        Layout(reference={("n_cf", "t"): 71.5})
    with pytest.raises(ValueError, match="share_moved"):
        replace(clusters(0), share_moved=[40.0])
    with pytest.raises(ValueError, match="knn on res5"):
        replace(probe("n_cf", "t", 0, 0.5), results={"knn": {"res5": {"top1": 50.0}}})
