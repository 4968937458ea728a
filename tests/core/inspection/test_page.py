"""The page says what its records say, needs nothing else and survives any name."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from cfvideo.core.inspection.choice import MAX_MEMBERS
from cfvideo.core.inspection.page import page_html
from cfvideo.core.inspection.request import MAX_CLUSTERS
from tests.core.inspection.made import page
from tests.core.report.reader import VOID, Reader
from tests.core.report.sample import HOSTILE

VOID.add("input")


@pytest.fixture(scope="module")
def plain() -> tuple[str, Reader]:
    html = page_html(page())
    return html, Reader(html)


@pytest.mark.parametrize("shown", [
    "Rows 56", "Rows without a cluster 2", "Clusters 3", "Empty clusters 1", "4 to 30, median 20", "Imbalance 1.50",
    "Iterations 3", "0.5 at first, 0.2 at last", "Rows moved in the last iteration 1.5 %", "NMI with the labels 0.250",
    "Purity 0.500", "Adjusted Rand index 0.125", "2 of 3: evenly by size, the largest first.",
    "0 30 1 1.45 50.0 % run, 100.0 %", "Cluster 2 4 rows, size rank 3, purity 50.0 %, mean distance 5.15",
    "jump 50.0 % 50.0 %", "Nearest to the centroid", "At random", "Farthest from the centroid",
    "clips/000.mp4 jump, run row 0, distance 0", "not decodable clips/001.mp4 run undecodable: moov <atom> not found",
    "python tool"])
def test_what_the_page_says(plain: tuple[str, Reader], shown: str) -> None:
    assert shown in plain[1].text


def test_every_member_has_a_poster_and_moves_where_it_has_frames(plain: tuple[str, Reader]) -> None:
    images = [attributes for tag, attributes in plain[1].tags if tag == "img"]
    kinds = [image["class"] for image in images if image.get("class")]
    # 24 and 4 members, of which one cannot be decoded and one is a single frame.
    assert (kinds.count("still"), kinds.count("moving")) == (27, 26)
    assert all(image.get("alt") for image in images)
    assert plain[1].count("figure") == 3 + 28


def test_the_page_needs_nothing_else(plain: tuple[str, Reader]) -> None:
    html, read = plain
    assert not re.search(r"https?://|//[a-z]", re.sub(r"data:[^\"]*", "", html))
    assert read.count("script") == 0
    for _, attributes in read.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "srcset", "href"):
            assert str(attributes.get(name) or "#").startswith(("data:", "#"))
    policy = next(str(a["content"]) for tag, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    links = {str(a["href"])[1:] for tag, a in read.tags if tag == "a"}
    assert links == {"overview", "cluster-0", "cluster-2", "repeat"}
    assert links <= {a.get("id") for _, a in read.tags}


def test_hostile_names_are_shown_and_do_nothing() -> None:
    html = page_html(page(hostile=True))
    read = Reader(html)
    assert read.count("script") == 0
    for shown in ("<script>alert(1)</script>.mp4", "bad\\xff\\x80byte.mp4", "\\ud800lone", "line\\nbreak\\ttab.mp4",
                  "evil\\u202e4pm.exe", "nul\\x00", "{{ 7 * 7 }} {% raw %}", "a\"b'c&d.mp4", "x" * 255):
        assert shown in read.text
    assert not re.search("[\u202e\\x00\ud800-\udfff]", html)
    names = {name for tag, attributes in read.tags if tag in ("img", "source") for name in attributes}
    assert names == {"src", "srcset", "alt", "media", "class"}
    assert f"python {HOSTILE[1]}" in read.text


def test_without_labels_or_the_fit_their_parts_are_missing(plain: tuple[str, Reader]) -> None:
    made = page(fit=False, order="")
    numbers = replace(made.numbers, purity=np.full(3, np.nan))
    sheets = [replace(sheet, purity=np.nan, shares=()) for sheet in made.sheets]
    read = Reader(page_html(replace(made, numbers=numbers, sheets=sheets)))
    assert "those asked for" in read.text
    for gone in ("Objective", "Commonest label", "size rank 1, purity"):
        assert gone in plain[1].text
        assert gone not in read.text
    assert read.count("meter") == 0


def test_equal_records_give_equal_bytes(plain: tuple[str, Reader]) -> None:
    assert page_html(page()) == plain[0]


def test_the_largest_page_stays_below_its_cap() -> None:
    """Of what a member may take at most, and of the text of 24 clusters."""
    made = page()
    largest = replace(made, sheets=[made.sheets[0]] * MAX_CLUSTERS)
    html = page_html(largest)
    text = len(re.sub(r"data:image[^\"]*", "", html))
    members = MAX_CLUSTERS * 3 * MAX_MEMBERS
    figures = sum(len(uri) for uri in re.findall(r"data:image/png[^\"]*", html))
    assert text + figures + members * ((24 << 10) + (14 << 10)) * 4 / 3 < 32_000_000
    uris = re.findall(r"data:image/webp;base64,([^\"]*)", html)
    assert max(len(b64decode(uri)) for uri in uris) <= 24 << 10
