"""Errors have one shape, and say nothing of what went on inside."""

from __future__ import annotations

import pytest

from tests.conftest import Site


@pytest.mark.parametrize("url", ["/api/v1/nothing", "/api/v2/x", "/api/"])
def test_an_unknown_path_of_the_interface_is_a_json_404_even_for_a_browser(site: Site, url: str) -> None:
    response = site.client.get(url, headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "not-found"


def test_errors_have_their_shape_with_testing_off_and_on(site: Site) -> None:
    for testing in (False, True):
        site.app.testing = testing
        response = site.client.get("/api/v1/status?groups=nosuch")
        assert (response.status_code, set(response.get_json())) == (404, {"error"})


def test_a_fault_of_ours_says_nothing_to_the_client(site: Site, monkeypatch, caplog) -> None:
    board = site.app.extensions["botd"].board
    monkeypatch.setattr(board, "known", lambda: 1 / 0)
    response = site.client.get("/api/v1/group-list")
    assert response.status_code == 500
    assert response.get_json()["error"]["code"] == "internal"
    assert "division" not in response.text
    assert "ZeroDivisionError" in caplog.text
