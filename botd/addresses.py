"""Addresses of those who ask: whose they are, behind proxies too. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


def networks(proxies: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    """The nets that addresses and nets in texts are. Raises ValueError for what is none, or is everybody's."""
    nets = []
    for text in proxies:
        net = ip_network(text)
        if not net.prefixlen:
            raise ValueError(f"{text} is every address, and anybody could then come from any")
        if isinstance(net, IPv6Network) and net.network_address.ipv4_mapped:
            raise ValueError(f"{text} is IPv4 within IPv6: write it as IPv4")
        nets.append(net)
    return nets


def who_asks(peer: str, forwarded: str, proxies: Iterable[str]) -> str:
    """The address of who asks: the peer, and of loopback or a proxy the last in X-Forwarded-For, if it is one.

    The entries before the last are whatever the client wrote, and from any other peer all of them are. An empty peer
    is a unix socket, which only this machine reaches.
    """
    if is_shared(peer, proxies) and (named := _address(forwarded.rpartition(",")[2].strip())):
        return str(named)
    return str(_address(peer) or "")


def is_shared(address: str, proxies: Iterable[str]) -> bool:
    """Whether many may sit behind an address, so that none of them may use it up: loopback, a proxy, or none at all."""
    found = _address(address)
    return found is None or found.is_loopback or any(found in net for net in networks(proxies))


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine's own to itself."""
    found = _address(address)
    return found is not None and found.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """What a text means, None for no address. One of IPv4 is the same on a socket of IPv6 (`::ffff:10.0.0.7`).

    The zone of a link (`fe80::1%eth0`, RFC 4007) is no part of it: it is any text.
    """
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found
