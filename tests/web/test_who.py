"""Which address somebody comes from, which cookie counts, and how often one may try."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from botd.access.tokens import new_token
from botd.errors import TooMany
from botd.settings import ServerSettings
from botd.web.rates import MOST, WITHIN_S, Rates
from botd.web.who import address_of, shown_token

ONE, OTHER = new_token(), new_token()


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.7", "", "10.0.0.7"),
        ("10.0.0.7", "1.2.3.4", "10.0.0.7"),  # anybody can write that header
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4, 10.0.0.9", "10.0.0.9"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("192.0.2.1", "6.6.6.6, 10.0.0.9", "10.0.0.9"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("", "10.0.0.9", "10.0.0.9"),  # a unix socket
    ],
)
def test_the_address_is_the_last_that_a_proxy_of_ours_names(peer: str, forwarded: str, address: str) -> None:
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    assert address_of(environ, ServerSettings(proxies=("192.0.2.1",))) == address


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
