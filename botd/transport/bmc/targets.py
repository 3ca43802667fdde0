"""Whether an address may be taken for the BMC of one node, before anything is switched there."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_OWN_LOOPBACK = (ipaddress.ip_network("127.0.0.0/16"), ipaddress.ip_network("::1/128"))
"""Where /etc/hosts has a machine's own name: 127.0.0.1, or 127.0.1.1 on Debian. Simulated BMCs have other addresses."""


def why_no_target(node: str, addresses: Mapping[str, str | None]) -> str:
    """Why nothing may be sent to the BMC of a node, empty where it may. Addresses are in digits, of all nodes."""
    text = addresses.get(node)
    address = _parsed(text)
    if address is None:
        return "no address is known for the node's BMC"
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        return f"{text} is the address of no single machine"
    if _is_own(address):
        return f"{text} is an address of this machine"
    others = sorted(other for other, found in addresses.items() if other != node and _parsed(found) == address)
    if others:
        return f"{text} is the BMC of {others[0]} too" + (f" and of {len(others) - 1} more" if others[1:] else "")
    return ""


def _parsed(text: str | None) -> Address | None:
    """The address, of which there is one for each way of writing it."""
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_own(address: Address) -> bool:
    """Whether a socket of this machine can have the address; of all of 127.0.0.0/8 only where its own names lead."""
    if address.is_loopback:
        return any(address in network for network in _OWN_LOOPBACK)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((str(address), 0))
        except OSError:
            return False
    return True
