"""A log of a node at a browser: the page has its last lines, follows it, and keeps them when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.actor import LINE, Actor, make_actor
from tests.browser.conftest import OpenTab
from tests.browser.tab import PHONE, Tab, served
from tests.browser.test_actions import log_in
from tests.browser.test_looks import violations
from tests.conftest import Site, drained
from tests.office import ROLES
from tests.program import free_port

NODE = "n0000.savio2"
MAY = ROLES.replace('users = ["anna"]', 'users = ["anna"]\nmay = ["tail"]')
PAGE = f"/node/{NODE}?log=slurmd"


@pytest.fixture
def base(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, tabs: list[Tab]) -> Iterator[str]:
    site: Site = make_site({"tail": {"slurmd": "/var/log/slurm/slurmd.log", "journal": "journal:slurmd"}})
    site.nodes(drained(NODE))
    site.reading(NODE)
    site.beat()
    made: Actor = make_actor(site, monkeypatch, MAY)
    with made.office.open(), served(site.app, free_port()) as running:
        yield running.base
        for tab in tabs:
            tab.close()


def test_a_log_is_followed_and_nothing_of_it_is_obeyed(base: str, open_tab: OpenTab, pictures: Path) -> None:
    tab = open_tab(base)
    log_in(tab, f"/node/{NODE}")
    tab.page.get_by_role("link", name="slurmd").click()
    expect(tab.find("#log-said")).to_have_text("It is not followed any more: the connection was lost.")
    expect(tab.find("#log")).to_have_text(f"… 3 lines more than can be shown …\n{LINE}\n<b>bold</b>\n")
    expect(tab.find("#log b")).to_have_count(0)
    assert violations(tab) == []
    tab.page.screenshot(path=pictures / "log.png", full_page=True)


def test_without_javascript_the_last_lines_stand_on_the_page(base: str, open_tab: OpenTab) -> None:
    tab = open_tab(base, java_script_enabled=False, viewport=PHONE)
    log_in(tab, PAGE)
    expect(tab.find("#log")).to_have_text(f"{LINE}\n<b>bold</b>\n")
    expect(tab.find("#log-said")).to_have_text("The last lines of slurmd; load the page again for newer ones.")
