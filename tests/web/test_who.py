"""Which token or cookie counts, and how often one may try."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from botd.access.tokens import new_token
from botd.errors import TooMany
from botd.web.rates import MOST, WITHIN_S, Rates
from botd.web.who import shown_token

ONE, OTHER = new_token(), new_token()


@pytest.mark.parametrize(
    ("url", "headers", "shown"),
    [
        ("http://localhost", {}, None),
        ("http://localhost", {"Cookie": f"botd={ONE}"}, (ONE, "cookie")),
        ("http://localhost", {"Cookie": f'$Version=1; botd={ONE}; $Path="/"'}, (ONE, "cookie")),
        ("http://localhost", {"Cookie": f"__Host-botd={ONE}"}, None),
        ("https://localhost", {"Cookie": f"botd={ONE}"}, None),  # anybody on the way could have set it
        ("https://localhost", {"Cookie": f"__Host-botd={ONE}"}, (ONE, "cookie")),
        ("http://localhost", {"Authorization": f"Bearer {OTHER}", "Cookie": f"botd={ONE}"}, (OTHER, "header")),
        ("http://localhost", {"Authorization": f"Basic {OTHER}"}, None),
        ("http://localhost", {"Authorization": "Bearer short"}, None),
    ],
)
def test_a_token_is_shown_in_a_header_or_in_the_cookie_of_this_place(
    url: str, headers: dict[str, str], shown: Any
) -> None:
    assert shown_token(Request(EnvironBuilder(base_url=url, headers=headers).get_environ())) == shown


def test_attempts_are_counted_for_a_minute_and_for_each_apart() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    for _ in range(MOST):
        rates.take("a")
    with pytest.raises(TooMany):
        rates.take("a")
    rates.take("b")
    now[0] = WITHIN_S
    rates.take("a")


def test_what_is_remembered_of_attempts_stays_small() -> None:
    rates = Rates()
    for number in range(25_000):
        rates.take(str(number))
    assert len(rates._tried) <= 10_001
