"""10,000 nodes stay usable: the table is drawn, sorted and filtered as one would expect of a page, not of a report."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from botd.documents import NodeReadings, iso, reading_document
from botd.model import Reading, State
from tests.browser.conftest import OpenTab
from tests.browser.tab import served
from tests.conftest import Site, idle
from tests.program import free_port

NODES = 10_000
PATIENCE_MS = 20_000


def big_site(folder: Path) -> Site:
    """10,000 nodes in racks of 40, every seventh with a silent BMC."""
    site = Site(folder)
    names = [f"n{number:05d}.big" for number in range(NODES)]
    racks = {f"rack-{i // 40:03d}": tuple(names[i : i + 40]) for i in range(0, NODES, 40)}
    site.nodes(*map(idle, names), groups=racks)
    site.store.readings.write({name: readings(site, i) for i, name in enumerate(names)}, site.now)
    site.beat()
    return site


def readings(site: Site, number: int) -> NodeReadings:
    special = {
        "ping": Reading(State.OK, 0.1 + number % 97 / 1000, "ms"),
        "uptime": Reading(State.OK, 86400 + number * 61 % 7_000_000, "s"),
        "ssh": Reading(State.OK, "up"),
        "load": Reading(State.OK, number % 200 / 100, "per core"),
        "ipmi_reachable": Reading(*((State.FAIL, False) if number % 7 == 0 else (State.OK, True))),
        "memory": Reading(State.OK, {"size": 64 * 2**30 + number, "free": 2**30, "expected": None}, "B"),
    }
    at = iso(site.now)
    found = {name: special.get(name) or Reading(State.OK, unit=check.unit) for name, check in site.checks.items()}
    return {name: {**reading_document(reading), "at": at} for name, reading in found.items()}


def test_ten_thousand_nodes_are_drawn_sorted_filtered_and_paged(open_tab: OpenTab, tmp_path: Path) -> None:
    site = big_site(tmp_path)
    with served(site.app, free_port()) as running:
        tab = open_tab(running.base)
        tab.page.set_default_timeout(PATIENCE_MS)
        tab.open()
        expect(tab.status).to_have_text("10000 nodes")
        assert len(tab.cells("node")) == 100
        assert tab.find(".dt-length option").all_inner_texts() == ["50", "100", "500", "2,000"]
        tab.sort("uptime")
        assert tab.cells("node")[0] == max(range(NODES), key=lambda n: n * 61 % 7_000_000).__format__("05d").join(
            ("n", ".big")
        )
        tab.choose("BMC: show only", "fail")
        expect(tab.status).to_have_text(f"10000 nodes, {len(range(0, NODES, 7))} shown")
        tab.page.get_by_label("Select all rows shown").check()
        expect(tab.status).to_contain_text(f"{len(range(0, NODES, 7))} selected")
        tab.page.get_by_label("Select all rows shown").uncheck()
        tab.find("#live-q").fill("n00700")
        expect(tab.status).to_have_text("10000 nodes, 1 shown")
        tab.find("#live-clear").click()
        tab.find(".dt-paging-button", has_text="2").first.click()
        assert len(tab.cells("node")) == 100
        tab.close()
    site.store.close()
