"""Text that nodes, jobs and people write is shown as text, in the real browser, and runs nothing."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from botd.board.choosing import bare_state
from botd.model import Reading, State
from botd.text import plain
from tests.browser.conftest import OpenTab
from tests.browser.tab import Served, Tab, served
from tests.conftest import Site, drained
from tests.program import DemoProgram, free_port

NODE = "n0000.savio2"
HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "'><svg onload=window.hacked=1>",
    '<a href="javascript:window.hacked=1">it\'s "odd" & `so`</a>',
    "\x1b[31mred\x1b]8;;http://evil.example\x07link",
    "abc\u202egnp.exe\u2066x\u200f",
    "${window.hacked = 1} {{7*7}} <!--",
    "=cmd|' /C calc'!A0",
    "</textarea></title></style><iframe srcdoc='<script>top.hacked=1</script>'>",
)

FOOLING = frozenset("\x1b\x07\u202e\u2066\u200f")
"""What of them no reader may be shown: controls and marks of direction."""


def hacked(tab: Tab) -> bool:
    """Whether anything of the texts has run or become an element."""
    elements = (
        "main script:not([src]), main iframe, main svg, main img:not(.plot), main [onerror]",
        "main [onload], main a[href^='java']",
    )
    return bool(tab.page.evaluate("window.hacked")) or tab.find(", ".join(elements)).count() > 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_in_table_dialog_search_and_csv(
    open_tab: OpenTab, site: Site, server: Served, text: str
) -> None:
    site.nodes(drained(NODE, text))
    values: dict[str, Any] = {"slurmd_log": [text, text], "users": [text], "ssh": text}
    site.reading(NODE, **{name: Reading(State.WARN, value, detail=text) for name, value in values.items()})
    tab = open_tab(server.base).open()
    shown = " ".join(plain(text).split())
    assert tab.cell(NODE, "reason").inner_text() == shown
    tab.cell(NODE, "reason").hover()
    for column in ("reason", "ssh", "users", "slurmd_log"):
        tab.cell(NODE, column).click()
        dialog = tab.page.get_by_role("dialog")
        expect(dialog).to_contain_text(shown[:20])
        if column != "reason":
            expect(dialog).to_contain_text("Raw value")  # the server has answered
        assert FOOLING.isdisjoint(dialog.inner_text())
        tab.page.keyboard.press("Escape")
    tab.find("#live-q").fill(shown)
    expect(tab.cell(NODE, "node")).to_be_visible()
    assert not hacked(tab)
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="CSV").click()
    (row,) = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert row["reason"].removeprefix("'") == plain(text).removeprefix("'")
    assert not any(cell.lstrip().startswith(("=", "+", "@")) for cell in row.values())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_on_the_page_of_the_node_and_without_scripts(
    open_tab: OpenTab, site: Site, server: Served, text: str
) -> None:
    site.nodes(drained(NODE, text))
    site.reading(NODE, slurmd_log=Reading(State.WARN, [text], detail=text), ssh=Reading(State.FAIL, text, detail=text))
    tab = open_tab(server.base)
    for path in (f"/node/{NODE}", "/nodes?groups=all&fold=1"):
        tab.visit(path)
        assert " ".join(plain(text).split()) in " ".join(tab.find("main").inner_text().split())
        assert not hacked(tab)
        assert "\x1b" not in tab.page.content()
        assert "\u202e" not in tab.page.content()


def listed(text: str) -> list[str]:
    """The states that a filter makes of a text: in small letters, without marks."""
    return [bare_state(word.strip()) for word in text.split(",") if word.strip()]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_the_address_is_text(open_tab: OpenTab, site: Site, server: Served, text: str) -> None:
    tab = open_tab(server.base).open(
        f"/nodes?groups=all#q={quote(text)}&state={quote(text)}&sort={quote(text)}:asc&group={quote(text)}"
    )
    expect(tab.find("#live-table .dt-empty")).to_be_visible()
    assert tab.find("#live-state").input_value() == ",".join(listed(text))
    assert not hacked(tab)
    for path in (f"/nodes?groups={quote(text)}", f"/node/{quote(text, safe='')}", f"/nodes?{quote(text)}=1"):
        tab.visit(path)
        assert not hacked(tab)
    assert all("status of 40" in fault for fault in tab.faults)
    tab.faults.clear()


def test_hostile_titles_of_checks_and_mounts_are_text(open_tab: OpenTab, make_site: Any) -> None:
    check = {"name": "odd", "title": "<img src=x onerror=window.hacked=1>", "command": "true", "help": "<b>x</b>"}
    site = make_site({"check": [check]})
    site.nodes(drained(NODE))
    site.reading(NODE)
    site.beat()
    with served(site.app, free_port()) as running:
        tab = open_tab(running.base).open()
        expect(tab.find("#live-table thead th.h-odd .dt-column-title")).to_have_text(check["title"])
        for menu in ("Columns", "Filters"):
            tab.page.get_by_role("button", name=menu, exact=True).click()
            assert not hacked(tab)
            tab.page.keyboard.press("Escape")
        tab.cell(NODE, "odd").click()
        assert not hacked(tab)
        tab.close()
    site.store.close()


def test_a_reason_of_slurm_goes_all_the_way_as_text(tab: Tab, program: DemoProgram) -> None:
    text = '"><img src=x onerror="window.hacked=1"> =cmd() <script>window.hacked=1</script>'
    node = next(row["node"] for row in program.json("/api/v1/table?groups=all")["rows"] if row["state"] == "idle")
    program.tool("scontrol", "update", f"nodename={node}", "state=drain", f"reason={text}")
    try:
        program.json("/api/v1/sinfo?max_age=0")
        tab.open()
        assert tab.cell(node, "reason").inner_text() == text
        tab.cell(node, "reason").click()
        assert not hacked(tab)
    finally:
        program.tool("scontrol", "update", f"nodename={node}", "state=resume")
        program.json("/api/v1/sinfo?max_age=0")
