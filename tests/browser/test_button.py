"""The button of what is recommended, at a browser: it leads to the page that presses, and looks well anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OpenTab
from tests.browser.tab import PHONE
from tests.browser.test_actions import log_in
from tests.browser.test_looks import violations
from tests.pages.test_button import ELSEWHERE, READY, actor

__all__ = ["actor"]
"""The fixture with the nodes of those tests."""

PAGES = ("/", f"/node/{READY}", f"/node/{ELSEWHERE}")


def test_the_button_in_a_row_leads_to_the_page_that_presses(base: str, open_tab: OpenTab) -> None:
    tab = open_tab(base)
    log_in(tab, "/")
    tab.page.get_by_role("link", name=f"Resume {READY}").first.click()
    tab.page.wait_for_url(f"**/node/{READY}/do/resume")


def test_on_a_desk_it_stands_in_a_column_of_its_own_and_opens_no_row(base: str, open_tab: OpenTab) -> None:
    tab = open_tab(base, viewport={"width": 1280, "height": 760})
    log_in(tab, "/")
    button, row = tab.page.get_by_role("link", name=f"Resume {READY}").first, tab.find(f"[id='n-{READY}'] summary")
    words = row.locator(".do")
    for is_open in (False, True):
        if is_open:
            row.click()
        box, whole, beside = button.bounding_box(), row.bounding_box(), words.bounding_box()
        assert box
        assert whole
        assert beside
        assert whole["y"] <= box["y"]
        assert box["y"] + box["height"] <= whole["y"] + whole["height"]
        assert beside["x"] + beside["width"] <= box["x"]
    held = tab.find(f"[id='n-{ELSEWHERE}'] .held").bounding_box()
    assert held
    assert held["x"] == pytest.approx(box["x"], abs=12)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_it_looks_well(base: str, open_tab: OpenTab, pictures: Path, size: str, scheme: Any) -> None:
    viewport = PHONE if size == "phone" else {"width": 1280, "height": 760}
    tab = open_tab(base, viewport=viewport, color_scheme=scheme)
    log_in(tab)
    for number, path in enumerate(PAGES):
        tab.visit(path)
        assert violations(tab) == [], path
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
        tab.page.screenshot(path=pictures / f"button-{number}-{size}-{scheme}.png", full_page=True)
