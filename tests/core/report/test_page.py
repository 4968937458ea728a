"""The page and the files beside it say what the data says, whichever parts there are."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cfvideo.core.report.data import ReportData
from cfvideo.core.report.page import MAX_FAILURES, render
from tests.core.report.reader import Reader, read
from tests.core.report.sample import MOTION, clusters, curve, failures, probe, probes, sample


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Reader, Path]:
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    return *read(sample(), folder), folder


@pytest.mark.parametrize("shown", [
    "Target untrained Npre Ncf Ncf − Npre",
    "motion linear probe top-1 accuracy 41.1 ± 1.6 41.0 39.5 42.8 59.4 ± 1.6 57.8 61.0 59.5 62.4 ± 3.7 63.5 65.5 58.2",
    "+3.0 ± 3.7 +5.8 +4.5 −1.2 won 2 of 3",
    "+4.0 ± 2.0 +4.5 +5.8 +1.8 won 3 of 3",
    "Mean, ± standard deviation over 3 seeds, and below it the values of seeds 0, 1, 2 in this order.",
    "Ncf beat Npre on 2 of 3 seeds (lost: seed 2)",
    "after training it gives back 87.5 %",
    "1 of 8 stages were reused",
    "those that ran took 4 min 42 s in all",
    "73 rows could not be read (36 missing, 37 undecodable)",
    f"The first {MAX_FAILURES} of 73",
    "python tools/run_net.py --cfg configs/demo.yaml",
    "ARCH: r2plus1d",
    "The setting was chosen on seeds 10 to 14",
    "2.14.1",
])
def test_the_page_shows_the_datas_numbers(rendered: tuple[str, Reader, Path], shown: str) -> None:
    assert shown in rendered[1].text


def test_the_parts_come_in_the_promised_order(rendered: tuple[str, Reader, Path]) -> None:
    order = re.findall(r'<section id="(\w+)"', rendered[0])
    assert order == ["result", "verdict", "expectation", "memory", "figures", "clusters", "failures", "run",
                     "configuration", "versions", "repeat"]


def test_links_and_labels_point_at_something(rendered: tuple[str, Reader, Path]) -> None:
    tags = rendered[1].tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        if tag == "a":
            assert str(attributes["href"]).removeprefix("#") in ids
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


def test_the_page_is_accessible(rendered: tuple[str, Reader, Path]) -> None:
    _, page, _ = rendered
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    assert [page.count(tag) for tag in ("h1", "main", "title")] == [1, 1, 1]
    assert ("html", {"lang": "en"}) in page.tags


def test_files_beside_the_page(rendered: tuple[str, Reader, Path]) -> None:
    folder = rendered[2]
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "table.csv", "failures.csv", "probes.png", "differences.png", "loss.png", "accuracy.png",
        "objective.png", "cluster_sizes.png"}
    assert (folder / "probes.png").read_bytes().startswith(b"\x89PNG")


def test_the_csv_holds_every_number_in_full(rendered: tuple[str, Reader, Path]) -> None:
    with (rendered[2] / "table.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    read_back = {(r["target"], r["network"], int(r["seed"]), r["metric"]): float(r["value"]) for r in rows}
    wanted = {(p.target, p.network, p.seed, metric): value for p in sample().probes for metric, value in
              p.metrics.items()}
    assert read_back == wanted
    assert len(rows) == len(wanted)
    assert {row["num_test_rows"] for row in rows} == {"400"}


def test_equal_data_gives_equal_bytes(rendered: tuple[str, Reader, Path], tmp_path: Path) -> None:
    render(sample(), tmp_path)
    for path in rendered[2].iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_file_name_breaks_after_a_slash(tmp_path: Path) -> None:
    named = replace(sample().sheets[0], captions=[f"videos/{place}<b>.mp4 #love" for place in range(8)])
    html, page = read(ReportData("t", "c", "", sheets=[named]), tmp_path)
    assert "<figcaption>videos/<wbr>3&lt;b&gt;.mp4 #love<" in html
    assert "videos/3<b>.mp4 #love" in page.text


def test_a_single_seed(tmp_path: Path) -> None:
    data = replace(sample(), probes=probes("motion", {4: MOTION[0]}), curves=[curve("n_pre", 4, 0.3)],
                   clusters=[clusters(4)], sheets=())
    _, page = read(data, tmp_path)
    assert "One seed (4), so there is no spread." in page.text
    assert "±" not in page.text
    assert "won 1 of 1" in page.text


@pytest.mark.parametrize("part", ["probes", "curves", "clusters"])
def test_any_figures_may_be_missing(tmp_path: Path, part: str) -> None:
    without: dict[str, Any] = {part: ()}
    _, page = read(replace(sample(), sheets=sample().sheets[:1], **without), tmp_path)
    assert page.count("figure") == 4 + 8  # each part has two of the six figures; the sheet has eight members
    assert "largest" in page.text or part == "clusters"


EMPTY: dict[str, Any] = {"config_yaml": "", "expectation": "", "facts": {}}


@pytest.mark.parametrize("part", ["config_yaml", "sheets", "failures", "stages", "facts", "expectation", "notes"])
def test_any_text_may_be_missing(tmp_path: Path, part: str) -> None:
    # Drawing takes most of the time, so nothing to draw.
    data = replace(sample(), probes=(), curves=(), clusters=(), sheets=sample().sheets[:1])
    _, page = read(replace(data, **{part: EMPTY.get(part, ())}), tmp_path)
    assert page.count("section") == 11 - (part == "facts")


def test_an_empty_report_says_so(tmp_path: Path) -> None:
    _, page = read(ReportData("nothing yet", "command", ""), tmp_path)
    for shown in ("No target task was probed.", "There is nothing to draw.", "No clustering was recorded.",
                  "None: every row could be read.", "No stages were recorded.", "No training was recorded."):
        assert shown in page.text
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "table.csv"}


def test_a_seed_that_ran_in_one_network_only_is_marked(tmp_path: Path) -> None:
    _, page = read(ReportData("t", "c", "", probes=[probe("n_pre", "t", 0, 0.5), probe("n_pre", "t", 1, 0.25),
                                                    probe("n_cf", "t", 0, 0.75)]), tmp_path)
    assert "37.5 ± 17.7 50.0 25.0" in page.text
    assert "75.0 75.0 – +25.0 +25.0 – won 1 of 1" in page.text


def test_further_networks_get_their_columns(tmp_path: Path) -> None:
    results = [probe(name, "t", 0, value) for name, value in
               (("n_pre", 0.5), ("n_pre_2x", 0.45), ("n_cf_k400", 0.55), ("n_cf", 0.6))]
    _, page = read(ReportData("t", "c", "", probes=results), tmp_path)
    assert "Npre 2x" in page.text
    assert "Ncf k400 − Npre" in page.text
    assert "+5.0 won 1 of 1 +10.0 won 1 of 1" in page.text


def test_a_row_that_many_stages_met_is_one_row(tmp_path: Path) -> None:
    met = [replace(line, dataset=f"seed {seed}: {name} on T test", index="of T's test") for seed in range(3)
           for name in ("untrained", "n_pre", "n_cf", "prototype") for line in failures(2)]
    _, page = read(ReportData("t", "c", "", failures=met), tmp_path)
    assert "2 rows could not be read (1 missing, 1 undecodable)" in page.text
    assert "seed 0: untrained on T test and 11 more 7 motion/00000.mp4" in page.text
    assert len((tmp_path / "failures.csv").read_text().splitlines()) == 1 + 24
    _, page = read(ReportData("t", "c", "", failures=[*met, replace(met[0], index="of T's training split")]), tmp_path)
    assert "3 rows could not be read" in page.text


def test_few_failures_are_all_shown(tmp_path: Path) -> None:
    _, page = read(ReportData("t", "c", "", failures=failures(1)), tmp_path)
    assert "1 row could not be read (1 undecodable)" in page.text
    assert "All of them" in page.text
