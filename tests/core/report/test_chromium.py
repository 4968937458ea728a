"""The page in a real browser: silent, alone, and no wider than its window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cfvideo.core.report.page import render
from tests.core.report.chromium import Chromium, find_chromium
from tests.core.report.sample import ablation, few_rows, hostile, sample

EXECUTABLE = find_chromium()
WHY = "no Chromium on the PATH (Debian: apt-get install chromium)"
pytestmark = [pytest.mark.chromium, pytest.mark.skipif(EXECUTABLE is None, reason=WHY)]

OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true), document.scripts.length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    assert EXECUTABLE is not None
    with Chromium(EXECUTABLE, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: render(data, folder / name) for name, data in (
        ("sample", sample()), ("hostile", hostile()), ("ablation", ablation()), ("few_rows", few_rows(on_test=True)))}


@pytest.mark.parametrize("width_px", [400, 1400])
@pytest.mark.parametrize("name", ["sample", "hostile", "ablation", "few_rows"])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_quiet_and_fits(browser: Chromium, pages: dict[str, Path], name: str, width_px: int,
                                    dark: bool) -> None:
    address = pages[name].as_uri()
    visit = browser.visit(address, width_px=width_px, dark=dark, expression=OPEN_ALL)
    assert visit.messages == []
    assert visit.requests == [address]
    assert visit.scroll_width_px <= width_px
    assert visit.num_broken_images == 0
    assert visit.value == 0


def test_a_networks_name_stays_while_its_line_is_scrolled(browser: Chromium, pages: dict[str, Path]) -> None:
    scrolled = ("(() => { const box = document.querySelector('#result .scroll'); box.scrollLeft = 60; return "
                "[box.scrollLeft, box.querySelector('tbody th').getBoundingClientRect().left - "
                "box.getBoundingClientRect().left].join() })()")
    visit = browser.visit(pages["ablation"].as_uri(), width_px=400, expression=scrolled)
    assert visit.value == "60,0"


def test_the_style_sheet_passes_the_pages_own_policy(browser: Chromium, pages: dict[str, Path]) -> None:
    visit = browser.visit(pages["sample"].as_uri(), width_px=400, dark=True,
                          expression="getComputedStyle(document.body).backgroundColor")
    assert visit.value == "rgb(15, 18, 23)"


@pytest.mark.parametrize("body", ["<script>console.error('x')</script>", "<script>throw new Error('x')</script>",
                                  "<img src='http://127.0.0.1:9/x.png' alt=''>",
                                  "<meta http-equiv='Content-Security-Policy' content=\"style-src 'none'\">"
                                  "<style>body { color: red }</style>"])
def test_the_browser_would_report_an_error(browser: Chromium, tmp_path: Path, body: str) -> None:
    page = tmp_path / "bad.html"
    page.write_text(f"<!DOCTYPE html><html lang='en'><title>bad</title>{body}</html>", encoding="utf-8")
    visit = browser.visit(page.as_uri(), width_px=400)
    assert visit.messages or len(visit.requests) > 1


def test_the_browser_would_report_a_request_and_a_page_too_wide(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "wide.html"
    page.write_text("<!DOCTYPE html><title>wide</title><img src='http://127.0.0.1:9/x.png'>"
                    "<p style='width: 900px'>wide</p>", encoding="utf-8")
    visit = browser.visit(page.as_uri(), width_px=400)
    assert visit.scroll_width_px >= 900
    assert visit.requests == [page.as_uri(), "http://127.0.0.1:9/x.png"]
    assert visit.num_broken_images == 1
