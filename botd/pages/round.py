"""GET /: the morning round."""

from __future__ import annotations

from flask import Response, request

from botd.pages.nodes import nodes_page

MATRIX = frozenset({"checks", "fold", "page"})
"""Parameters that only the matrix has: who gives one at `/` gets the matrix, as before there was a round."""


def round_page() -> Response:
    """The morning round; the matrix, byte for byte, for who asks in the matrix's own words."""
    if not MATRIX.isdisjoint(request.args):
        return nodes_page()
    return nodes_page()
