"""GET /node/<name>: one node in words."""

from __future__ import annotations

from botd.model import Reading, State
from tests.conftest import Site
from tests.pages.elements import BROWSER, CURL


def test_a_node_page_tells_every_reading_in_words(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms", detail="no answer to 3 packets"))
    for headers in (BROWSER, CURL):
        text = site.client.get("/node/n0000.savio2", headers=headers).text
        assert "no answer to 3 packets" in text
        assert "bad GPU 3, RMA open" in text
