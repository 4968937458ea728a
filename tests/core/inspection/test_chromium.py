"""The page in a real browser: silent, alone, no wider than its window; clips play when asked to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cfvideo.core.inspection.page import page_html
from tests.core.inspection.made import page
from tests.core.report.chromium import Chromium, find_chromium

EXECUTABLE = find_chromium()
WHY = "no Chromium on the PATH (Debian: apt-get install chromium)"
pytestmark = [pytest.mark.chromium, pytest.mark.skipif(EXECUTABLE is None, reason=WHY)]

# How many images of each kind are displayed before and after a click on the box.
PLAY = """(() => {
  const seen = kind => [...document.querySelectorAll('img.' + kind)].filter(i => i.getClientRects().length).length;
  const before = [seen('moving'), seen('still')];
  document.getElementById('play').click();
  return JSON.stringify([before, [seen('moving'), seen('still')], document.scripts.length]);
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    assert EXECUTABLE is not None
    with Chromium(EXECUTABLE, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for hostile in (False, True):
        (folder / f"{hostile}.html").write_text(page_html(page(hostile=hostile)), encoding="utf-8")
    return {hostile: folder / f"{hostile}.html" for hostile in (False, True)}


@pytest.mark.parametrize("width_px", [400, 1400])
@pytest.mark.parametrize("hostile", [False, True])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_quiet_and_fits(browser: Chromium, pages: dict[bool, Path], hostile: bool, width_px: int,
                                    dark: bool) -> None:
    address = pages[hostile].as_uri()
    visit = browser.visit(address, width_px=width_px, dark=dark, expression=PLAY)
    assert visit.messages == []
    assert visit.requests == [address]
    assert visit.scroll_width_px <= width_px
    assert visit.num_broken_images == 0
    # 27 members can be decoded, one of them is a single frame, which stays.
    assert visit.value == "[[0,27],[26,1],0]"


def test_the_style_sheet_passes_the_pages_own_policy(browser: Chromium, pages: dict[bool, Path]) -> None:
    visit = browser.visit(pages[False].as_uri(), width_px=1400, dark=True,
                          expression="getComputedStyle(document.querySelector('.members')).gridTemplateColumns")
    assert len(visit.value.split()) == 8
