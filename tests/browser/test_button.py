"""The button of what is recommended, at a browser: it leads to the page that presses, and looks well anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.actor import Actor, make_actor, tell_switches
from tests.browser.conftest import OpenTab
from tests.browser.tab import PHONE, Tab, served
from tests.browser.test_actions import log_in
from tests.browser.test_looks import violations
from tests.conftest import Site
from tests.pages.test_button import ELSEWHERE, READY, ROLES, ready_site
from tests.program import free_port

PAGES = ("/", f"/node/{READY}", f"/node/{ELSEWHERE}")


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    made = make_actor(ready_site(make_site), monkeypatch, ROLES)
    with made.office.open():
        tell_switches(made.site.store)
        yield made


@pytest.fixture
def base(actor: Actor, tabs: list[Tab]) -> Iterator[str]:
    with served(actor.site.app, free_port()) as running:
        yield running.base
        for tab in tabs:
            tab.close()


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
