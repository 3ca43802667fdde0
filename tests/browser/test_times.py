"""The clock of who reads stands beside UTC."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from botd.agent.record import Record
from botd.ledger import Ledger
from tests.browser.conftest import OpenTab
from tests.browser.tab import Served, served
from tests.conftest import Site
from tests.office import bearer
from tests.program import free_port


def test_a_time_has_the_readers_clock_beside_utc(open_tab: OpenTab, tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.beat()
    with served(site.app, free_port()) as running:
        tab = open_tab(running.base, timezone_id="Asia/Kolkata", locale="en-GB")
        tab.visit("/offenders")
        begun = tab.find("time.clock")
        expect(begun).to_contain_text("UTC (")
        expect(begun).to_contain_text("here)")
        at = begun.get_attribute("datetime") or ""
        minute = (int(at[14:16]) + 30) % 60
        expect(begun).to_contain_text(f":{minute:02d} here)")
        tab.close()


def test_times_of_sessions_and_of_the_audit_have_it_too(open_tab: OpenTab, site: Site, server: Served) -> None:
    record = Record(Ledger(site.config), site.store, lambda: site.now)
    record.look()
    record.step()
    tab = open_tab(server.base, timezone_id="Asia/Kolkata", locale="en-GB", extra_http_headers=bearer(site))
    tab.visit("/me")
    expect(tab.find("time.clock").first).to_contain_text("here)")
    tab.visit("/audit")
    expect(tab.find("tbody time")).to_have_attribute("title", re.compile(r" here\)$"))
