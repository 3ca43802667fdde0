"""The morning round in a browser: it opens, copies, has nodes asked, and keeps itself up to date where it is read."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from botd.model import Reading, State, SweepState
from tests.browser.conftest import OpenTab
from tests.browser.tab import PHONE, Served, Tab
from tests.browser.test_following import HURRY
from tests.conftest import Site, drained, happened, idle
from tests.program import DemoProgram

FIRST, SECOND, *_ = NAMES = ("n0000.savio2", "n0001.savio2", "n0002.savio3", "n0010.savio3")
SMALL, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
REFUSED = Reading(State.FAIL, "refused", detail="connection refused")


@pytest.fixture
def morning(site: Site) -> Site:
    """Two nodes are ready to go back, one has no sshd, and a person keeps one."""
    site.nodes(
        drained(FIRST, "Kill task failed"),
        drained(SECOND, "Kill task failed"),
        drained("n0002.savio3", "Prolog error"),
        drained("n0010.savio3", "no IB"),
    )
    site.reading("n0002.savio3", ssh=REFUSED)
    return site


@pytest.fixture(params=[SMALL, WIDE], ids=["390", "1280"])
def tab(request: pytest.FixtureRequest, open_tab: OpenTab, morning: Site, server: Served) -> Tab:
    """The round on a phone and on a desk, in a hurry."""
    allowed = ["clipboard-read", "clipboard-write"]
    opened = open_tab(server.base, viewport=request.param, permissions=allowed, timezone_id="America/Los_Angeles")
    opened.page.add_init_script(HURRY)
    opened.visit("/")
    return opened


def row(tab: Tab, node: str) -> Any:
    return tab.find(f'[id="n-{node}"]')


def look(site: Site, node: str, **readings: Reading) -> None:
    """Writes readings of now; the agent lives."""
    site.later(1)
    site.reading(node, **readings)
    site.beat()


def test_name_cause_and_next_step_of_a_node_are_in_view_without_a_click(tab: Tab) -> None:
    shown = row(tab, "n0002.savio3")
    shown.scroll_into_view_if_needed()
    for words in ("n0002.savio3", "sshd is not there", "power cycle", "Prolog error"):
        expect(shown.get_by_text(words).first).to_be_in_viewport()
    width = tab.page.evaluate("document.documentElement.clientWidth")
    assert tab.page.evaluate("document.documentElement.scrollWidth") == width


def test_a_row_opens_to_what_is_wrong_and_what_happened(tab: Tab, morning: Site) -> None:
    happened(morning, "n0002.savio3", subject="slurm", old="in service", new="drained")
    tab.visit("/")
    shown = row(tab, "n0002.savio3")
    expect(shown.get_by_text("connection refused").last).to_be_hidden()
    shown.locator("summary").focus()
    tab.page.keyboard.press("Enter")
    expect(shown.get_by_role("table", name="Not well")).to_contain_text("!! refused")
    expect(shown.get_by_role("table", name="What happened")).to_contain_text("in service to drained")
    expect(shown.get_by_role("link")).to_have_attribute("href", "/node/n0002.savio3")


def test_a_hostlist_is_copied(tab: Tab) -> None:
    button = tab.page.get_by_role("button", name="Copy the hostlist of ready to go back")
    button.click()
    expect(button).to_have_text("Copied")
    assert tab.page.evaluate("navigator.clipboard.readText()") == f"{FIRST},{SECOND}"


def test_where_the_clipboard_is_not_given_the_hostlist_is_selected(tab: Tab) -> None:
    tab.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    tab.page.get_by_role("button", name="Copy the hostlist of ready to go back").click()
    assert tab.page.evaluate("getSelection().toString()").strip() == f"{FIRST},{SECOND}"


def test_what_changes_comes_in_and_what_is_open_stays(tab: Tab, morning: Site) -> None:
    row(tab, FIRST).locator("summary").click()
    tab.page.get_by_text("A colleague's").last.click()
    tab.page.evaluate("window.before = document.getElementById('n-n0000.savio2')")
    look(morning, SECOND, ssh=REFUSED)
    expect(tab.find("#ssh .row")).to_have_count(2)
    expect(tab.find("#ready .row")).to_have_count(1)
    expect(tab.find("#ready .count")).to_have_text("1")
    expect(row(tab, FIRST).get_by_role("link")).to_be_visible()
    expect(row(tab, "n0010.savio3")).to_be_visible()
    assert tab.page.evaluate("window.before === document.getElementById('n-n0000.savio2')")
    assert tab.page.evaluate("document.activeElement.closest('.aside') !== null")
    morning.nodes(drained(FIRST, "Kill task failed"), idle(SECOND), idle("n0002.savio3"), idle("n0010.savio3"))
    expect(tab.page.get_by_role("heading", level=1)).to_contain_text("1 out of service")
    expect(tab.find("#ssh")).to_have_count(0)
    expect(row(tab, FIRST)).to_have_attribute("open", "")


def test_the_row_that_is_read_stays_where_it_is(tab: Tab, morning: Site) -> None:
    tab.page.set_viewport_size({**(tab.page.viewport_size or WIDE), "height": 260})
    tab.page.evaluate("document.querySelector('#ssh .row').scrollIntoView({ block: 'start' })")
    top = "document.querySelector('#ssh .row').getBoundingClientRect().top"
    before = tab.page.evaluate(top)
    look(morning, FIRST, df_tmp=Reading(State.FAIL, {"mounted": False}, detail="not mounted"))
    expect(tab.find("#ready .row")).to_have_count(1)
    assert abs(tab.page.evaluate(top) - before) <= 1


def test_check_now_follows_its_own_sweep(tab: Tab, morning: Site) -> None:
    morning.later(6)  # [sweep] least_age
    morning.beat()
    button = tab.page.get_by_role("button", name="Check now")
    button.click()
    expect(tab.find(".sweep")).to_have_text("Asking nodes now: 0 of 4 nodes read.")
    expect(button).to_be_disabled()
    sweep = morning.store.sweeps.claim(morning.now)
    assert sweep is not None
    look(morning, FIRST, ssh=REFUSED)
    morning.store.sweeps.end(sweep.id, SweepState.DONE, [], morning.now)
    expect(tab.find("#ssh .row")).to_have_count(2)
    expect(button).to_be_enabled()
    assert "max_age" not in tab.page.url


def test_what_a_sweep_of_others_finds_is_shown_while_it_runs(tab: Tab, morning: Site) -> None:
    sweep = morning.store.sweeps.start(NAMES, list(morning.checks), morning.now)
    expect(tab.find(".sweep")).to_have_text("Asking nodes now: 0 of 4 nodes read.")
    look(morning, FIRST, ssh=REFUSED)
    morning.store.sweeps.progress(sweep.id, 1)
    expect(tab.find("#ssh .row")).to_have_count(2)
    expect(tab.find(".sweep")).to_have_text("Asking nodes now: 1 of 4 nodes read.")
    expect(tab.page.get_by_role("button", name="Check now")).to_be_disabled()
    morning.store.sweeps.end(sweep.id, SweepState.DONE, [], morning.now)
    expect(tab.find(".sweep")).to_be_hidden()


def test_a_server_that_is_away_is_said_and_found_again(tab: Tab, morning: Site, server: Served) -> None:
    server.stop()
    expect(tab.find(".sweep")).to_have_text("botd does not answer: this is how it was. The page keeps asking.")
    server.start()
    look(morning, FIRST, ssh=REFUSED)
    expect(tab.find("#ssh .row")).to_have_count(2)
    assert all("net::ERR_" in fault for fault in tab.faults)
    tab.faults.clear()


def test_without_its_script_all_of_it_is_there(open_tab: OpenTab, morning: Site, server: Served) -> None:
    tab = open_tab(server.base, java_script_enabled=False)
    tab.visit("/")
    expect(tab.page.get_by_role("button", name="Copy")).to_have_count(0)
    row(tab, "n0002.savio3").locator("summary").click()
    expect(row(tab, "n0002.savio3").get_by_role("table", name="Not well")).to_be_visible()
    tab.page.get_by_role("button", name="Check now").click()
    assert "max_age=0" in tab.page.url


def test_on_paper_everything_is_there_but_what_one_clicks(tab: Tab) -> None:
    tab.page.emulate_media(media="print")
    expect(tab.page.get_by_role("button", name="Check now")).to_be_hidden()
    expect(row(tab, "n0010.savio3").get_by_text("no IB")).to_be_visible()
    expect(tab.find(".stamp")).to_be_visible()


def test_with_forced_colours_buttons_have_their_border(open_tab: OpenTab, program: DemoProgram) -> None:
    tab = open_tab(program.base, viewport=PHONE, forced_colors="active")
    tab.visit("/")
    for button in tab.page.get_by_role("button", name="Check now").all():
        expect(button).to_have_css("border-top-width", "1px")
