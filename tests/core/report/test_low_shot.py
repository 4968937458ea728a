"""SVMs from a few rows per class: what the page, the console and an evaluation say of them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from cfvideo.core.evaluation.tables import low_shot_table
from cfvideo.core.report import low_shot_figures
from cfvideo.core.report.console import red_box
from cfvideo.core.report.data import ReportData
from cfvideo.core.report.low_shot import WARNING, low_shot_tables, warning
from cfvideo.core.report.style import LIGHT
from cfvideo.core.stage import Artefact, Stage
from cfvideo.core.stages.report import Cover, collect
from tests.core.report.reader import read
from tests.core.report.sample import few_rows


def test_means_spreads_and_differences() -> None:
    (table,) = low_shot_tables(few_rows())
    assert (table.target, table.shots, list(table.lines)) == ("motion", (1, 4, 96), ["untrained", "n_pre", "n_cf"])
    cell = table.lines["n_cf"][4]
    assert cell.score.by_seed == pytest.approx({0: 0.5, 1: 0.54})
    assert cell.over_draws == pytest.approx(0.03)  # 0.02 on one seed, 0.04 on the other
    assert cell.difference is not None
    assert cell.difference.by_seed == pytest.approx({0: 0.1, 1: 0.1})
    assert table.lines["n_pre"][4].difference is None


def test_only_the_headlines_layer_counts_and_no_result_is_no_table() -> None:
    data = few_rows()
    assert low_shot_tables(replace(data, probes=[replace(one, layer="res4") for one in data.probes])) == []
    assert low_shot_tables(ReportData("t", "c", "")) == []


def test_the_page_has_its_table_csv_and_figure(tmp_path: Path) -> None:
    _, page = read(few_rows(), tmp_path)
    assert "Network 1 4 96 untrained 2 seeds 12.0 ± 3.0 22.0 ± 3.0 32.0 ± 3.0 Npre 2 seeds" in page.text
    assert "Ncf 2 seeds 42.0 ± 3.0 +10.0 52.0 ± 3.0 +10.0 62.0 ± 3.0 +10.0" in page.text
    assert (tmp_path / "low_shot_1.png").exists()
    with (tmp_path / "low_shot.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * 3 * 3
    assert rows[-1] == {"target": "motion", "network": "n_cf", "seed": "1", "layer": "res5", "rows_per_class": "96",
                        "mean": repr(0.4 + 0.2 + 0.04), "std": "0.04", "min": "0.1", "max": "0.9",
                        "costs_chosen_on_test": "0"}
    assert ("p", {"class": "warning", "role": "note"}) not in page.tags


def test_costs_chosen_on_test_rows_are_said_in_red(tmp_path: Path) -> None:
    data = few_rows(on_test=True)
    _, page = read(data, tmp_path)
    assert warning(data) == WARNING
    assert page.text.count(WARNING) == 2  # the box, and under the figure
    assert ("p", {"class": "warning", "role": "note"}) in page.tags
    stream = io.StringIO()
    Console(file=stream, width=100, force_terminal=True, color_system="standard").print(red_box(WARNING))
    assert "\x1b[31m" in stream.getvalue()
    assert warning(few_rows()) == ""


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


def test_lines_stand_at_the_rows_that_were_run_and_ticks_are_plain(axes: Axes) -> None:
    (table,) = low_shot_tables(few_rows())
    low_shot_figures._paint(axes, LIGHT, table=table)
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4", "96"]
    assert list(axes.get_xticks(minor=True)) == []
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.lines] == [[1, 4, 96]] * 3
    assert np.asarray(axes.lines[2].get_ydata()) == pytest.approx([42, 52, 62])
    assert len(axes.collections) == 3


@pytest.mark.parametrize(("chosen_on", "on_test"), [("training rows of the draw", False), ("test rows, as the public "
                                                    "code does: not a fair estimate", True)])
def test_the_report_stage_takes_them_from_a_probes_facts(tmp_path: Path, chosen_on: str, on_test: bool) -> None:
    scores = {"mean": 0.5, "std": 0.1, "min": 0.4, "max": 0.6}
    results = {"svm": {"res5": {"map": 0.6}}, "low_shot": {"res5": {"chosen_on": chosen_on, "shots": {"2": scores}}}}
    facts = {"map": 0.6, "strength": 1.0, "method": "svm", "layer": "res5", "protocol": {}, "results": results,
             "num_test_rows": 9, "num_invalid_rows": 0, "num_unlabelled_rows": 0}
    about = {"network": "n_cf", "target": "motion", "seed": 0}
    stage = Stage("probe", "seed 0", {}, {}, lambda work: {}, about=about)
    artefact = Artefact(tmp_path, {"facts": facts, "files": {}, "seconds": 1.0})
    (probe,) = collect([(stage, artefact)], Cover("t", "c", "", ""), {}).probes
    assert probe.low_shot == {"res5": {2: scores}}
    assert probe.low_shot_on_test is on_test
    assert probe.results == {"svm": {"res5": {"map": 0.6}}}


def test_an_evaluation_shows_them_by_layer() -> None:
    shots = {"16": {"mean": 0.5, "std": 0.01}, "2": {"mean": 0.25, "std": 0.1}}
    table = low_shot_table({"results": {"low_shot": {"res5": {"chosen_on": "", "shots": shots}}}})
    assert table is not None
    assert [column.header for column in table.columns] == ["mAP, %", "2", "16"]
    assert [list(column.cells) for column in table.columns] == [["res5"], ["25.0 ± 10.0"], ["50.0 ± 1.0"]]
    assert low_shot_table({"results": {"svm": {}}}) is None
    assert low_shot_table({}) is None
