"""The page needs no other file, runs nothing and survives any name."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core.report.data import ContactSheet, ReportData
from cfvideo.core.report.pictures import MAX_MEMBERS, MAX_SHEETS
from tests.core.report.reader import Reader, read
from tests.core.report.sample import HOSTILE, hostile, sample


@pytest.fixture(scope="module")
def rendered_hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Reader, Path]:
    folder = tmp_path_factory.mktemp("hostile")
    return *read(hostile(), folder), folder


def test_hostile_names_are_escaped(rendered_hostile: tuple[str, Reader, Path]) -> None:
    html, page, _ = rendered_hostile
    assert page.count("script") == 0
    assert "<script>alert(1)</script>.mp4" in page.text
    for shown in ("bad\\xff\\x80byte.mp4", "\\ud800lone", "line\\nbreak\\ttab.mp4", "evil\\u202e4pm.exe", "nul\\x00",
                  "{{ 7 * 7 }} {% raw %}", "a\"b'c&d.mp4", "x" * 255, "$\\frac{1}{2}$"):
        assert shown in page.text
    assert not re.search("[\u202e\\x00\ud800-\udfff]", html)
    names = {name for tag, attributes in page.tags if tag in ("img", "source") for name in attributes}
    assert names == {"src", "srcset", "alt", "media"}


def test_hostile_names_in_the_csv_files(rendered_hostile: tuple[str, Reader, Path]) -> None:
    with (rendered_hostile[2] / "failures.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(HOSTILE)
    assert rows[3]["path"] == "bad\\xff\\x80byte.mp4"


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    html, page = read(sample(), tmp_path)
    assert not re.search(r"https?://|//[a-z]", re.sub(r"data:[^\"]*", "", html))
    assert page.count("script") == 0
    for _, attributes in page.tags:
        assert "style" not in attributes  # the policy would refuse it
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "srcset", "href"):
            assert str(attributes.get(name) or "#").startswith(("data:", "#"))
    policy = next(str(a["content"]) for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert len(html) < 4_000_000


def test_many_large_pictures_stay_within_a_few_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng([1])
    frames = [rng.integers(0, 256, (72, 128, 3), dtype=np.uint8) for _ in range(MAX_MEMBERS + 4)]
    sheet = ContactSheet(0, 1, 99, frames, ["c"] * len(frames), [0.1] * len(frames))
    html, page = read(ReportData("t", "c", "", sheets=[replace(sheet, cluster=c) for c in range(MAX_SHEETS + 5)]),
                      tmp_path)
    assert page.count("img") == MAX_SHEETS * MAX_MEMBERS
    assert "4 more pictures are not shown" in page.text
    assert "5 more contact sheets are not shown" in page.text
    assert len(html) < 5_000_000
