"""In which form an error is read, and what stands in it as text."""

from __future__ import annotations

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from botd.errors import NotFound
from botd.web.faults import error_body, error_form

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("url", "accept", "form"),
    [
        ("/api/v1/status", None, "json"),
        ("/api/v1/status", "*/*", "json"),
        ("/api/v1/status", "text/plain", "table"),
        ("/api/v1/status", "application/json", "json"),
        ("/api/v1/status", "text/csv", "json"),
        ("/api/v1/status", BROWSER, "json"),
        ("/api/v1/status?format=table", "*/*", "table"),
        ("/api/v1/status?format=csv", "text/plain", "json"),
        ("/api/v1/status?format=nonsense", "*/*", "json"),
        ("/healthz", "*/*", "json"),
        ("/metrics", "text/plain;q=0.5,*/*;q=0.1", "table"),
        ("/cluster", None, "table"),
        ("/cluster", "*/*", "table"),
        ("/cluster", "application/json, */*;q=0.5", "json"),
        ("/cluster?format=json", "*/*", "json"),
        ("/cluster", "image/png", "json"),
        ("/cluster", ";;;q=", "json"),
    ],
)
def test_an_error_is_in_the_form_that_its_client_reads(url: str, accept: str | None, form: str) -> None:
    headers = {"Accept": accept} if accept is not None else {}
    assert error_form(Request(EnvironBuilder(url, headers=headers).get_environ())) == form


def test_as_text_it_is_a_line_that_no_terminal_obeys() -> None:
    assert error_body(NotFound("no \x1b[31m\nthing"), "table").decode().count("\n") == 1
    assert b"\x1b" not in error_body(NotFound("no \x1b[31m\nthing"), "table")
