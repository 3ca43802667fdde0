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
