"""botd below a path of a host, behind the nginx of docs/deploy: a person logs in, presses, and follows to the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.actor import moved, tell
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.browser.test_actions import Actor, actor
from tests.pages.test_press import WELL
from tests.proxies import proxied

__all__ = ["actor"]


@pytest.fixture
def below(base: str, tabs: list[Tab]) -> Iterator[str]:
    """Where botd is for the browser."""
    with proxied("nginx-below.conf", base.removeprefix("http://"), {"anna": "secret"}) as (outside, _):
        yield f"{outside}/botd"
        for tab in tabs:
            tab.close()


def test_a_person_logs_in_presses_and_follows_below_a_path(actor: Actor, below: str, open_tab: OpenTab) -> None:
    known = {"username": "anna", "password": "secret"}
    tab = open_tab(below, ignore_https_errors=True, http_credentials=known)
    tab.visit("/actions")
    tab.find("main").get_by_role("link", name="Log in").click()
    for name, typed in (("login", "anna"), ("password", "anna"), ("code", "111111")):
        tab.find(f"#{name}").fill(typed)
    tab.page.get_by_role("button", name="Log in").click()
    tab.page.wait_for_url(f"{below}/actions")
    (cookie,) = [each for each in tab.page.context.cookies() if each["name"] != "botd-form"]
    assert (cookie["name"], cookie["path"]) == ("__Secure-botd", "/botd")
    tab.open().find(f'#live-table a[href="/botd/node/{WELL}"]').first.click()
    tab.page.get_by_role("link", name="drain", exact=True).click()
    tab.find("#reason").fill("fan fails")
    tab.find("#code").fill("123123")
    tab.page.get_by_role("button", name=f"Drain {WELL}").click()
    state = tab.find("#action-state")
    expect(state).to_contain_text("is asked for")
    told = moved(moved(moved(actor.hand.actions[0], "reserved"), "re-read"), "sending")
    tell(actor.site.store, moved(moved(told, "verifying"), "succeeded", words="it is drained"))
    expect(state).to_contain_text("It is drained.")
