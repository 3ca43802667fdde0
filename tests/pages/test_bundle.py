"""The file that the page loads besides botd's own."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from botd.errors import ConfigError
from botd.pages.bundle import bundle_file, bundle_url
from tests.conftest import Site


def test_the_bundle_is_served_under_its_version_and_kept_for_good(site: Site) -> None:
    page = site.client.get("/nodes", headers={"Accept": "text/html"}).text
    url = page.partition('data-bundle="')[2].partition('"')[0]
    response = site.client.get(url)
    assert response.content_type == "text/javascript; charset=utf-8"
    assert b"DataTables 2" in response.data
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for other in ("dt_bundle.css", "../__init__.py", "init_datatables.html"):
        assert site.client.get(url.replace("dt_bundle.js", other)).status_code == 404


def test_the_version_that_is_installed_stands_in_its_url_and_the_file_is_there() -> None:
    assert bundle_url() == f"/lib/itables-{version('itables')}/dt_bundle.js"
    assert b"DataTables" in bundle_file().read_bytes()


def test_a_bundle_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.pages.bundle.PACKAGE", "never-installed")
    for look in (bundle_file, bundle_url):
        with pytest.raises(ConfigError, match="never-installed is not installed; install botd with its dependencies"):
            look()
