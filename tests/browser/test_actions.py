"""Pressing at a browser: from the page of a node to the end of the action, which the page follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from botd.demo.code import code
from tests.actor import Actor, action, make_actor, moved, tell, tell_switches
from tests.browser.conftest import PASSWORD, OpenTab
from tests.browser.tab import PHONE, Tab
from tests.browser.test_looks import violations
from tests.conftest import Site
from tests.pages.test_press import ILL, WELL, site_in
from tests.program import DemoProgram

NARROW = {"width": 320, "height": 640}


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    made = make_actor(site_in(make_site), monkeypatch)
    with made.office.open():
        yield made


def log_in(tab: Tab, to: str = "/me") -> None:
    tab.visit(f"/login?to={to}")
    for name, typed in (("login", "anna"), ("password", "anna"), ("code", "111111")):
        tab.find(f"#{name}").fill(typed)
    tab.page.get_by_role("button", name="Log in").click()
    tab.page.wait_for_url(f"**{to}")


def test_a_person_presses_and_the_page_follows_to_the_end(actor: Actor, base: str, open_tab: OpenTab) -> None:
    tab = open_tab(base)
    log_in(tab, f"/node/{WELL}")
    tab.page.get_by_role("link", name="drain", exact=True).click()
    tab.find("#reason").fill("fan fails")
    tab.find("#code").fill("123123")
    tab.page.get_by_role("button", name=f"Drain {WELL}").click()
    state = tab.find("#action-state")
    expect(state).to_contain_text("is asked for")
    told = moved(moved(actor.hand.actions[0], "reserved"), "re-read")
    tell(actor.site.store, told)
    expect(state).to_contain_text("looks at the node once more")
    expect(tab.page.get_by_role("button", name="Stop it")).to_be_visible()
    tell(actor.site.store, moved(moved(told, "sending"), "verifying"))
    expect(state).to_contain_text("is read back")
    expect(tab.page.get_by_role("button", name="Stop it")).to_be_hidden()
    tell(actor.site.store, moved(moved(moved(told, "sending"), "verifying"), "succeeded", words="it is drained"))
    expect(state).to_contain_text("It is drained.")
    expect(tab.find(".moves li")).to_have_count(6)


def test_a_drain_on_the_demo_cluster_is_done_and_shown_by_slurm(tab: Tab, program: DemoProgram) -> None:
    """The same by the real agent: Slurm's own tool says that it is drained."""
    drained = {each["node"] for each in program.json("/api/v1/sinfo")["nodes"]}
    every = program.json("/api/v1/status?groups=savio2&max_age=9999")["nodes"]
    node = next(each["node"] for each in every if each["node"] not in drained | {"n0000.savio2"})
    tab.visit(f"/login?to=/node/{node}/do/drain")
    for name, typed in (("login", "anna"), ("password", PASSWORD), ("code", code_now(program, "anna"))):
        tab.find(f"#{name}").fill(typed)
    tab.page.get_by_role("button", name="Log in").click()
    tab.find("#reason").fill("fan fails")
    tab.page.get_by_role("button", name=f"Drain {node}").click()
    expect(tab.find("#action-state")).to_contain_text("succeeded")
    assert f"{node} botd: drain" in program.tool("sinfo", "-h", "-N", "-R", "--format=%N %E")
    tab.page.get_by_role("link", name=node).click()
    expect(tab.page.get_by_role("link", name="drain 1", exact=True)).to_be_visible()


def code_now(program: DemoProgram, login: str) -> str:
    return code((program.cluster.secrets / login).read_text(), time.time())


def test_an_action_goes_on_where_no_stream_is_to_be_had(actor: Actor, base: str, open_tab: OpenTab) -> None:
    told = action(1, WELL, actor.site.now)
    tell(actor.site.store, told)
    tab = open_tab(base)
    tab.page.route("**/events", lambda route: route.fulfill(status=429))
    tab.visit("/actions/1")
    tell(actor.site.store, moved(told, "refused", code="busy"))
    expect(tab.find("#action-state")).to_contain_text("was refused")
    tab.faults[:] = [fault for fault in tab.faults if "429" not in fault]


PAGES = (
    f"/node/{ILL}/do/identify",
    f"/node/{WELL}/do/drain",
    "/dry-runs",
    "/actions",
    "/actions/1",
    "/actions/2",
    f"/node/{WELL}",
)


@pytest.fixture
def happened(actor: Actor) -> None:
    now = actor.site.now
    first = moved(action(1, WELL, now, reason="fan " + "fails" * 30), "awaiting")
    second = moved(action(2, ILL, now, action="identify", login="kmf"), "refused", code="busy", words="kmf " * 40)
    third = moved(action(3, WELL, now, dry=True), "would-have", words="drain it")
    tell(actor.site.store, first, second, third)
    tell_switches(actor.site.store, breaker="5 of the last 10 ended badly")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_and_a_phone_never_scrolls_sideways(
    base: str, happened: None, open_tab: OpenTab, scheme: Any
) -> None:
    tab = open_tab(base, color_scheme=scheme, viewport=NARROW)
    log_in(tab)
    for path in PAGES:
        tab.visit(path)
        assert violations(tab) == [], path
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_pictures_are_taken(
    base: str, happened: None, open_tab: OpenTab, pictures: Path, size: str, scheme: Any
) -> None:
    tab = open_tab(base, viewport=PHONE if size == "phone" else {"width": 1280, "height": 760}, color_scheme=scheme)
    log_in(tab)
    for number, path in enumerate(PAGES):
        tab.visit(path)
        picture = pictures / f"action-{number}-{size}-{scheme}.png"
        tab.page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 5_000
