"""What the modules of the page say in words, against the same words of the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from botd.display.cells import age
from botd.documents import iso
from tests.browser.conftest import OpenTab
from tests.browser.tab import Served

AGES = "async spans => { const { age } = await import('/static/words.js'); return spans.map(age); }"
SPANS = [0, 0.9, 59, 60, 89.9, 90, 100, 119, 120, 5399, 5400, 7199, 7200, 129_599, 129_600, 172_800, 86_400 * 400]
NOW = datetime(2026, 11, 23, 20, 20, tzinfo=UTC)


def test_an_age_reads_the_same_with_javascript_and_without(open_tab: OpenTab, server: Served) -> None:
    told = open_tab(server.base).open().page.evaluate(AGES, SPANS)
    assert told == [age(iso(NOW - timedelta(seconds=span)), NOW) for span in SPANS]
