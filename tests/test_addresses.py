"""Which address somebody comes from, and which addresses many share."""

from __future__ import annotations

import pytest

from botd.addresses import is_loopback, is_shared, who_asks

PROXIES = ("192.0.2.1", "10.1.0.0/24", "2001:db8:1::/48")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.7", "", "10.0.0.7"),
        ("10.0.0.7", "1.2.3.4", "10.0.0.7"),  # anybody can write that header
        ("10.2.0.1", "1.2.3.4", "10.2.0.1"),
        ("2001:db8:2::1", "1.2.3.4", "2001:db8:2::1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4, 10.0.0.9", "10.0.0.9"),
        ("127.0.0.1", "1.2.3.4,10.0.0.9 ", "10.0.0.9"),
        ("127.0.0.1", "1.2.3.4, ", "127.0.0.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4, unknown", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.9:4711", "127.0.0.1"),
        ("127.0.0.1", "1" * 9000, "127.0.0.1"),
        ("::1", "2001:DB8:0::1", "2001:db8::1"),
        ("::1", "[2001:db8::1]", "::1"),
        ("::1", f"fe80::1%{'<b>' * 900}", "fe80::1"),
        ("::ffff:127.0.0.1", "10.0.0.9", "10.0.0.9"),  # a socket of both
        ("::ffff:10.0.0.7", "1.2.3.4", "10.0.0.7"),
        ("::1", "::ffff:10.0.0.9", "10.0.0.9"),
        ("192.0.2.1", "6.6.6.6, 10.0.0.9", "10.0.0.9"),
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "nonsense", "192.0.2.1"),
        ("10.1.0.99", "10.0.0.9", "10.0.0.9"),
        ("::ffff:10.1.0.99", "10.0.0.9", "10.0.0.9"),
        ("2001:db8:1::7", "2001:db8::9", "2001:db8::9"),
        ("192.0.2.1", "6.6.6.6, 10.1.0.3", "10.1.0.3"),  # a proxy before a proxy: what stands further left is hearsay
        ("", "10.0.0.9", "10.0.0.9"),  # a unix socket
        ("", "", ""),
        ("", "nonsense", ""),
    ],
)
def test_the_address_is_the_last_that_a_proxy_of_ours_names(peer: str, forwarded: str, address: str) -> None:
    assert who_asks(peer, forwarded, PROXIES) == address


def test_without_proxies_in_the_settings_loopback_alone_is_believed() -> None:
    assert who_asks("192.0.2.1", "10.0.0.9", ()) == "192.0.2.1"
    assert who_asks("127.8.0.9", "10.0.0.9", ()) == "10.0.0.9"


@pytest.mark.parametrize(
    "address", ["", "nonsense", "127.0.0.1", "127.8.0.9", "::1", "::ffff:127.0.0.1", "192.0.2.1", "10.1.0.255"]
)
def test_loopback_a_proxy_and_no_address_are_shared(address: str) -> None:
    assert is_shared(address, PROXIES)


@pytest.mark.parametrize("address", ["10.0.0.7", "10.1.1.0", "2001:db8::1", "::ffff:10.0.0.7"])
def test_an_address_of_somebody_is_not_shared(address: str) -> None:
    assert not is_shared(address, PROXIES)


def test_loopback_is_known_in_each_of_its_forms() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.8.0.9", "::1", "::ffff:127.0.0.1"]))
    assert not any(map(is_loopback, ["", "localhost", "10.0.0.7", "::2", "::ffff:10.0.0.7"]))
