"""GET /api/v1/checks: what botd can look at."""

from __future__ import annotations

from tests.conftest import Site


def test_it_lists_the_checks_in_the_order_of_the_columns(site: Site) -> None:
    checks = site.get("/api/v1/checks")["checks"]
    assert [check["name"] for check in checks] == list(site.checks)
    assert checks[0]["kind"] == "batch"
    assert set(checks[0]) == {"name", "title", "unit", "kind", "needs", "parent", "help"}
