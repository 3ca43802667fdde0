"""The button of what is recommended, at a browser: it leads to the page that presses, and looks well anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.actor import Actor, action, make_actor, moved, tell, tell_switches
from tests.browser.conftest import OpenTab
from tests.browser.tab import PHONE
from tests.browser.test_actions import log_in
from tests.browser.test_looks import violations
from tests.conftest import Site
from tests.pages.ready import BESIDE, ELSEWHERE, READY, ROLES, ready_site

PAGES = ("/", f"/node/{READY}", f"/node/{ELSEWHERE}", "/do/resume", f"/actions?batch={'b' * 16}")


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    made = make_actor(ready_site(make_site), monkeypatch, ROLES)
    with made.office.open():
        tell_switches(made.site.store)
        first, second = (
            action(number, node, made.site.now, action="resume", batch="b" * 16)
            for number, node in enumerate((READY, BESIDE), 1)
        )
        tell(
            made.site.store, moved(first, "succeeded", words="it is in service"), moved(second, "refused", code="busy")
        )
        yield made


def test_a_family_is_pressed_together_and_the_page_follows_each_of_its_nodes(
    actor: Actor, base: str, open_tab: OpenTab
) -> None:
    tab = open_tab(base)
    log_in(tab, "/")
    tab.page.get_by_role("link", name="Resume 2 nodes of ready to go back together").click()
    tab.find("#code").fill("123123")
    tab.page.get_by_role("button", name="Resume all that are ticked").click()
    state = tab.find("#action-state")
    expect(state).to_contain_text("2 requested")
    stop = tab.page.get_by_role("button", name="Stop these")
    expect(stop).to_be_visible()
    stop.click()
    expect(state).to_contain_text("2 requested")
    assert [letter.kind for letter in actor.hand.letters][-1] == "halt"
    first, second = actor.hand.actions
    tell(actor.site.store, moved(first, "succeeded", words="it is in service"), moved(second, "verifying"))
    expect(state).to_contain_text("1 succeeded, 1 verifying")
    tell(actor.site.store, moved(second, "failed", words="it is still drained"))
    expect(state).to_contain_text("1 failed, 1 succeeded")
    expect(tab.page.get_by_text("It is still drained")).to_be_visible()


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
