"""The page stays true while it is open: sweeps are followed, changes come in, and what is wrong is said plainly."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from botd.errors import SlurmTimeout
from botd.model import Reading, State, Sweep, SweepState
from botd.nodeset import fold
from tests.browser.conftest import OpenTab
from tests.browser.tab import Served, Tab
from tests.conftest import Site, drained, idle
from tests.program import DemoProgram

FIRST, SECOND, *_ = NAMES = ("n0000.savio2", "n0001.savio2", "n0002.savio3", "n0010.savio3")
SILENT = Reading(State.FAIL, None, "ms", detail="no answer to 3 packets")
TOO_OLD_S = 6
"""Readings that are younger than [sweep] least_age are not taken again."""
HURRY = """
for (const name of ["setTimeout", "setInterval"]) {
  const wait = window[name];
  window[name] = (call, ms, ...more) => wait(call, ms === 5000 ? 250 : ms, ...more);
}
"""
"""Makes the five seconds after which the page looks for news a quarter of one."""


@pytest.fixture
def open_tab(open_tab: OpenTab) -> OpenTab:
    """Opens tabs that are in a hurry."""

    def new(base: str, **settings: Any) -> Tab:
        tab = open_tab(base, **settings)
        tab.page.add_init_script(HURRY)
        return tab

    return new


def write(site: Site, node: str, **readings: Reading) -> None:
    """Writes readings of now; the agent lives."""
    site.later(1)
    site.reading(node, **readings)
    site.beat()


# ---- sweeps ----


def claimed(site: Site) -> Sweep:
    """The sweep that somebody asked for, as the agent begins it."""
    sweep = site.store.sweeps.claim(site.now)
    assert sweep is not None
    return sweep


def check_now(tab: Tab, site: Site, button: str = "Check now") -> None:
    """Presses the button, when all that is known is too old to stand."""
    site.later(TOO_OLD_S)
    site.beat()
    tab.page.get_by_role("button", name=button, exact=True).click()


def test_rows_change_in_place_while_the_sweep_of_the_page_runs(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base).open("/nodes?groups=all#sort=ping:desc")
    check_now(tab, site)
    expect(tab.find("#live-progress-text")).to_have_text("0 of 4 nodes read")
    expect(tab.page.get_by_role("button", name="Check now")).to_be_disabled()
    sweep = claimed(site)
    order = tab.cells("node")
    tab.pick(FIRST)
    write(site, SECOND, ping=SILENT)
    site.store.sweeps.progress(sweep.id, 1)
    expect(tab.cell(SECOND, "ping")).to_have_text("!! no answer")
    expect(tab.find("#live-progress-text")).to_have_text("1 of 4 nodes read")
    assert tab.find("#live-progress").evaluate("bar => bar.position") == 0.25
    assert tab.cells("node") == order
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    expect(tab.find("#live-progress")).to_be_hidden()
    expect(tab.page.get_by_role("button", name="Check 1 node now")).to_be_enabled()
    expect(tab.find('#live-table tbody [data-column="node"]').first).to_have_text(SECOND)
    expect(tab.status).to_contain_text("1 selected")


def test_a_sweep_of_others_is_followed_and_its_progress_is_theirs(
    open_tab: OpenTab, site: Site, server: Served
) -> None:
    tab = open_tab(server.base).open()
    sweep = site.store.sweeps.start(NAMES[:2], list(site.checks), site.now)
    write(site, SECOND, ping=SILENT)
    site.store.sweeps.progress(sweep.id, 1)
    expect(tab.cell(SECOND, "ping")).to_have_text("!! no answer")
    expect(tab.find("#live-progress")).to_be_hidden()
    expect(tab.page.get_by_role("button", name="Check now")).to_be_enabled()
    tab.pick(FIRST)
    check_now(tab, site, "Check 1 node now")
    expect(tab.find("#live-progress-text")).to_have_text("0 of 1 node read")
    site.store.sweeps.end(claimed(site).id, SweepState.DONE, [], site.now)
    expect(tab.find("#live-progress")).to_be_hidden()
    expect(tab.page.get_by_role("button", name="Check 1 node now")).to_be_enabled()


def test_what_is_finished_before_the_stream_of_its_events_is_open_is_shown(
    open_tab: OpenTab, site: Site, server: Served
) -> None:
    tab = open_tab(server.base)
    sweep = site.store.sweeps.start(NAMES[:2], list(site.checks), site.now)

    def late(route: Route) -> None:
        write(site, SECOND, ping=SILENT)
        site.store.sweeps.progress(sweep.id, 1)
        route.continue_()

    tab.page.route("**/events", late)
    tab.open()
    expect(tab.cell(SECOND, "ping")).to_have_text("!! no answer")
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)


def test_check_now_reads_what_a_filter_leaves(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base).open("/nodes?groups=all#q=savio3")
    check_now(tab, site, "Check 2 nodes now")
    expect(tab.find("#live-progress-text")).to_have_text("0 of 2 nodes read")
    assert claimed(site).nodeset == fold(NAMES[2:])
    tab.find("#live-q").fill("no such words")
    expect(tab.page.get_by_role("button", name="Check 0 nodes now")).to_be_disabled()


def test_check_now_asks_for_a_sweep_of_the_groups_of_the_page(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base).open("/nodes?groups=savio3&checks=ping")
    check_now(tab, site)
    expect(tab.find("#live-progress-text")).to_have_text("0 of 2 nodes read")
    sweep = claimed(site)
    assert (sweep.nodeset, sweep.checks, sweep.max_age_s) == (fold(NAMES[2:]), ("ping",), 0)


def test_check_now_asks_only_the_rows_that_are_selected(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base).open()
    tab.pick(SECOND)
    check_now(tab, site, "Check 1 node now")
    expect(tab.find("#live-progress-text")).to_have_text("0 of 1 node read")
    assert claimed(site).nodeset == SECOND


def test_check_now_reads_the_real_nodes(tab: Tab, program: DemoProgram) -> None:
    tab.open("/nodes?groups=savio2&checks=ping,uptime")
    before = max(cell[3] for row in program.json("/api/v1/table?groups=savio2")["rows"] for cell in row["cells"])
    tab.page.get_by_role("button", name="Check now").click()
    expect(tab.find("#live-progress")).to_be_visible()
    expect(tab.find("#live-progress")).to_be_hidden()
    expect(tab.find("#told")).to_have_text(re.compile(r"^Readings are \d+ s to \d+ s old\."))
    after = min(cell[3] for row in program.json("/api/v1/table?groups=savio2")["rows"] for cell in row["cells"][:1])
    assert after >= before


def test_without_a_free_stream_the_sweep_is_followed_by_asking(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base)
    tab.page.route("**/events", lambda route: route.fulfill(status=429, body="{}"))
    sweep = site.store.sweeps.start(NAMES, list(site.checks), site.now)
    tab.open()
    write(site, FIRST, ping=SILENT)
    expect(tab.cell(FIRST, "ping")).to_have_text("!! no answer")
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    expect(tab.find("#live-progress")).to_be_hidden()
    tab.page.goto("about:blank")  # else it may be refused once more
    assert all("429" in fault for fault in tab.faults)
    tab.faults.clear()


# ---- changes ----


def test_nodes_come_and_go_as_slurm_lists_them(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base).open("/nodes?groups=sinfo")
    assert tab.cells("node") == [FIRST, NAMES[2]]
    tab.pick(FIRST)
    site.nodes(drained(FIRST, "new reason"), drained(SECOND), idle(NAMES[2]))
    site.beat()
    expect(tab.cell(FIRST, "reason")).to_have_text("new reason")
    assert tab.cells("node") == [FIRST, SECOND]
    expect(tab.status).to_have_text("2 nodes, 1 selected")


def test_what_changes_moves_the_figures_of_the_filters(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base).open()
    expect(tab.find("#live-any option[value=fail]")).to_have_text("fail (0)")
    write(site, FIRST, ping=SILENT)
    expect(tab.find("#live-any option[value=fail]")).to_have_text("fail (1)")
    expect(tab.find("#told")).to_contain_text("1 node does not answer ping")


# ---- what is wrong ----


def test_it_says_that_the_agent_is_not_running_and_since_when(open_tab: OpenTab, site: Site, server: Served) -> None:
    site.later(60)
    tab = open_tab(server.base).open()
    expect(tab.notes).to_contain_text("the agent is not running")
    assert tab.notes.get_by_role("alert").count() == 1
    assert tab.find("main .problem").count() == 0
    site.beat()
    expect(tab.notes).to_be_empty()


def test_it_says_that_slurm_fails(open_tab: OpenTab, site: Site, server: Served) -> None:
    site.slurm_fails(SlurmTimeout.status, "sinfo did not answer within 10 s")
    tab = open_tab(server.base).open("/nodes?groups=sinfo")
    expect(tab.notes).to_contain_text("sinfo did not answer within 10 s")
    assert len(tab.cells("node")) == 2


def test_when_the_server_is_gone_the_last_readings_stay_with_their_age(
    open_tab: OpenTab, site: Site, server: Served
) -> None:
    tab = open_tab(server.base).open()
    server.stop()
    expect(tab.notes).to_contain_text("botd has not answered for")
    assert tab.cells("node") == list(NAMES)
    assert re.fullmatch(r"\d+ s", tab.cells("read")[0])
    server.start()
    site.beat()
    expect(tab.notes).to_be_empty()
    # Refused as a rule; a request that was under way when the server ended has lost its connection.
    assert all("net::ERR_" in fault for fault in tab.faults)
    assert tab.faults
    tab.faults.clear()


def test_a_refusal_is_shown_in_the_words_of_the_server(open_tab: OpenTab, server: Served) -> None:
    tab = open_tab(server.base).open()
    message = "4 sweeps are waiting already; try again in a minute"
    body = {"error": {"status": 429, "code": "too-many", "message": message}}
    tab.page.route("**/api/v1/table?*max_age=0*", lambda route: route.fulfill(status=429, json=body))
    tab.page.get_by_role("button", name="Check now").click()
    expect(tab.notes).to_contain_text(message)
    expect(tab.page.get_by_role("button", name="Check now")).to_be_enabled()
    tab.faults.clear()


# ---- where a script fails ----


def test_without_the_bundle_the_page_of_the_server_stays(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base)
    tab.page.route("**/dt_bundle.js", lambda route: route.abort())
    tab.visit("/nodes?groups=all")
    tab.page.wait_for_function("() => performance.getEntriesByName(location.origin + '/static/botd.js').length")
    expect(tab.find("#plain")).to_be_visible()
    expect(tab.find("#live")).to_be_hidden()
    expect(tab.find("#plain")).to_contain_text(FIRST)
    tab.page.wait_for_function("() => true")
    assert tab.faults
    tab.faults.clear()


def test_without_an_answer_to_draw_the_page_of_the_server_stays(open_tab: OpenTab, site: Site, server: Served) -> None:
    for answer in ({"status": 503, "json": {"error": {"message": "away"}}}, {"status": 200, "json": {"rows": "?"}}):
        tab = open_tab(server.base)
        tab.page.route("**/api/v1/table*", partial(Route.fulfill, **answer))
        with tab.page.expect_event("pageerror"):
            tab.visit("/nodes?groups=all")
        expect(tab.find("#plain")).to_be_visible()
        expect(tab.find("#live")).to_be_hidden()
        tab.faults.clear()


def test_a_browser_without_scripts_gets_the_whole_page(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base, java_script_enabled=False)
    tab.visit("/nodes?groups=all")
    expect(tab.find("#plain")).to_be_visible()
    expect(tab.find("#live")).to_be_hidden()
    for name in NAMES:
        expect(tab.find("#plain")).to_contain_text(name)


def test_a_browser_that_remembers_nothing_shows_the_table(open_tab: OpenTab, site: Site, server: Served) -> None:
    tab = open_tab(server.base)
    tab.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })"
    )
    tab.open()
    tab.page.get_by_role("button", name="Columns").click()
    tab.page.get_by_label("Uptime", exact=True).uncheck()
    assert tab.cells("uptime") == []
