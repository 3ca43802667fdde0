"""How the pages look: on a desk, on a phone, in the dark, and to those who do not see them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from botd.agent.record import Record
from botd.ledger import Ledger
from tests.browser.conftest import OpenTab
from tests.browser.tab import PHONE, Served, Tab
from tests.conftest import Site
from tests.office import bearer
from tests.program import DemoProgram

AXE = files("axe_playwright_python").joinpath("axe.min.js")
PAGES = (
    "/?groups=all",
    "/nodes?groups=all",
    "/node/n0000.savio2",
    "/cluster",
    "/changes",
    "/offenders",
    "/actions",
    "/node/n0001.savio2/do/drain",
    "/login",
    "/api",
)

NARROW = {"width": 320, "height": 640}
"""A small phone; also a window of 640 pixels at 200 %."""


def violations(tab: Tab) -> list[str]:
    """What axe-core finds."""
    tab.page.evaluate(AXE.read_text(encoding="utf-8") + "\n;undefined")
    found: Any = tab.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']}: {node['html'][:160]}: {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def show(tab: Tab, path: str) -> None:
    """Opens a page as it is when all of it stands. Of an error page the browser says that it is one."""
    tab.visit(path)
    if path == "/nodes?groups=all":
        tab.page.wait_for_selector("#live-table tbody tr")
    tab.faults[:] = [fault for fault in tab.faults if not (path == "/node/nothing" and "status of 404" in fault)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "/node/nothing"])
def test_axe_finds_no_fault(open_tab: OpenTab, program: DemoProgram, path: str, scheme: Any) -> None:
    tab = open_tab(program.base, color_scheme=scheme)
    show(tab, path)
    assert violations(tab) == []


def test_the_main_button_is_seen_where_the_readers_own_colours_hold(open_tab: OpenTab, program: DemoProgram) -> None:
    tab = open_tab(program.base, forced_colors="active").open()
    main = tab.find("#live-check")
    colours = main.evaluate("each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]")
    assert colours[0] != colours[1]


def test_the_printed_table_has_every_cell_and_no_control(open_tab: OpenTab, program: DemoProgram) -> None:
    tab = open_tab(program.base).open()
    tab.page.emulate_media(media="print")
    for control in ("header", ".bar", "#live-table td.pick", "#ask"):
        expect(tab.find(control).first).to_be_hidden()
    pane = tab.find("#live .dt-layout-table")
    assert pane.evaluate("pane => getComputedStyle(pane).overflowY") == "visible"
    assert len(tab.cells("node")) == 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_in_what_opens(open_tab: OpenTab, program: DemoProgram, scheme: Any) -> None:
    tab = open_tab(program.base, color_scheme=scheme).open("/nodes?groups=all#any=not-ok&sort=ssh:desc&ssh=fail")
    tab.find("#live-table tbody tr td.pick").first.click()
    tab.find('#live-table tbody [data-column="ssh"]').first.click()
    expect(tab.page.get_by_role("dialog")).to_contain_text("Raw value")
    assert violations(tab) == []
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="Columns").click()
    assert violations(tab) == []
    tab.visit("/")
    tab.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert violations(tab) == []


@pytest.mark.parametrize("path", [*PAGES, "/nodes?groups=all&fold=1", "/node/nothing"])
def test_a_phone_never_scrolls_the_page_sideways(open_tab: OpenTab, program: DemoProgram, path: str) -> None:
    tab = open_tab(program.base, viewport=NARROW, has_touch=True)
    show(tab, path)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


BROKEN = """() => {
  const names = "h1, h2, th, .who, main a[href^='/node/']", states = ".facts > *, .mark, .what, .wrong td:nth-child(2)";
  const broken = [];
  for (const element of document.querySelectorAll(`${names}, ${states}`)) {
    if (!element.checkVisibility()) continue;
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      for (const word of text.data.matchAll(/[^\\s-]+-?/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((rect) => Math.round(rect.top))).size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}"""
"""The words of names, states and titles of which a part stands in the next line; a part ends where it may break."""


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("scripted", [True, False])
def test_no_name_state_or_title_breaks_in_the_middle(
    open_tab: OpenTab, program: DemoProgram, width: int, scripted: bool
) -> None:
    tab = open_tab(program.base, viewport={"width": width, "height": 740}, java_script_enabled=scripted)
    for path in ("/", "/nodes?groups=all", "/node/n0000.savio2", "/changes?since=7d", "/cluster", "/offenders"):
        (show if scripted else Tab.visit)(tab, path)
        tab.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert (path, tab.page.evaluate(BROKEN)) == (path, [])


@pytest.mark.parametrize("path", ["/me", "/audit"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_what_one_holds_and_the_audit_are_read_at_any_width(
    open_tab: OpenTab, site: Site, server: Served, path: str, width: int
) -> None:
    record = Record(Ledger(site.config), site.store, lambda: site.now)
    record.look()
    record.step()
    tab = open_tab(server.base, viewport={"width": width, "height": 740}, extra_http_headers=bearer(site))
    tab.visit(path)
    ends = tab.find("main *").evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
    assert max(ends) <= width
    assert (violations(tab), tab.page.evaluate(BROKEN)) == ([], [])


def test_on_a_phone_the_table_scrolls_and_the_name_stays(open_tab: OpenTab, program: DemoProgram) -> None:
    tab = open_tab(program.base, viewport=PHONE, has_touch=True).open()
    pane = tab.find("#live .dt-layout-table")
    pane.evaluate("pane => pane.scrollTo(600, 400)")
    assert pane.evaluate("pane => pane.scrollLeft") == 600
    head = tab.find("#live-table thead th.h-node")
    expect(head).to_be_in_viewport()
    box, edge = head.bounding_box(), pane.bounding_box()
    assert box is not None
    assert edge is not None
    assert abs(box["x"] - edge["x"]) <= 2
    assert abs(box["y"] - edge["y"]) <= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_pictures_are_taken(open_tab: OpenTab, program: DemoProgram, pictures: Path, size: str, scheme: Any) -> None:
    viewport = PHONE if size == "phone" else {"width": 1280, "height": 760}
    tab = open_tab(program.base, viewport=viewport, color_scheme=scheme)
    tab.open()
    path = pictures / f"dashboard-{size}-{scheme}.png"
    tab.page.screenshot(path=path)
    assert path.stat().st_size > 10_000
