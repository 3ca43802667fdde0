"""GET /: the morning round, and the matrix for who asks in its words."""

from __future__ import annotations

import pytest

from tests.conftest import Site
from tests.pages.elements import BROWSER, CURL, ELINKS


@pytest.mark.parametrize("form", ["", "table", "json", "csv", "ndjson"])
@pytest.mark.parametrize("query", ["checks=ping,ssh", "groups=all&fold=1", "page=1", "checks="])
def test_who_asks_in_the_words_of_the_matrix_gets_the_same_bytes_from_both_pages(
    site: Site, query: str, form: str
) -> None:
    url = f"?{query}&format={form}" if form else f"?{query}"
    for headers in (BROWSER, CURL, ELINKS):
        here, there = (site.client.get(path + url, headers=headers) for path in ("/", "/nodes"))
        assert (here.status_code, here.headers["Content-Type"]) == (200, there.headers["Content-Type"])
        assert here.data == there.data
