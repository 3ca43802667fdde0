"""The file that the page loads besides botd's own."""

from __future__ import annotations

from tests.conftest import Site


def test_the_bundle_is_served_under_its_version_and_kept_for_good(site: Site) -> None:
    page = site.client.get("/", headers={"Accept": "text/html"}).text
    url = page.partition('data-bundle="')[2].partition('"')[0]
    response = site.client.get(url)
    assert response.content_type == "text/javascript; charset=utf-8"
    assert b"DataTables 2" in response.data
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for other in ("dt_bundle.css", "../__init__.py", "init_datatables.html"):
        assert site.client.get(url.replace("dt_bundle.js", other)).status_code == 404
