"""What stands behind the keywords that are followed: whether it can be read, and what its tokens stand for."""

from __future__ import annotations

import os
import re
import socket
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

from botd.transport.ssh.account import in_home
from botd.transport.ssh.config.lines import Line

LISTS = ("userknownhostsfile", "globalknownhostsfile")

TOKENS = {
    "hostname": "%h",
    "proxyjump": "%hnpr",
    "identityfile": "%dhikLlnpru",
    "userknownhostsfile": "%dhikLlnpru",
    "globalknownhostsfile": None,
    "hostkeyalias": None,
    "user": "",
    "port": "",
}
"""The tokens of each keyword (ssh_config(5), TOKENS); None where a `%` is an ordinary sign. Left out are `%C` and `%j`,
which mean another thing in each version, and all that OpenSSH before 10 does not have."""

_TOKEN = re.compile(r"%(.?)|\$\{([^}]*)(\}?)")
_HOST = r"(?P<host>[\w.%-]+|\[[\w.:%-]+\])(?::(?P<port>\w*))?"
_HOP = re.compile(rf"(?:(?P<user>[^\s'\"]+)@)?{_HOST}")
_URI = re.compile(rf"ssh://(?:(?P<user>[^\s'\"@;]+)(?:;[^@]*)?@)?{_HOST}/?")


class Hop(NamedTuple):
    """A jump node as ProxyJump names it; no user and port 0 where it says nothing of them."""

    user: str
    name: str
    port: int


def check_value(line: Line) -> None:
    """Raises ConfigError, naming the line, for a value that ssh does not take or that botd cannot follow."""
    if line.keyword in LISTS:
        if not all(line.words) or ("none" in map(str.lower, line.words) and len(line.words) > 1):
            raise line.refused('it wants names of files, or "none" alone')
    elif line.keyword == "proxyjump":
        _check_jump(line)
    elif line.keyword != "proxycommand" and (len(line.words) != 1 or not line.word):
        raise line.refused(f"{line.written} wants one word")
    if line.keyword == "port" and not read_port(line.word):
        raise line.refused(f'"{line.word[:60]}" is no port')
    for word in line.words:
        _check_tokens(line, word)


def read_port(text: str) -> int:
    """A port by number or by the name of its service, as ssh takes them (a2port); 0 for what is none."""
    if re.fullmatch("[0-9]+", text):
        return int(text) if len(text) < 6 and int(text) < 65536 else 0
    try:
        return socket.getservbyname(text, "tcp") if text else 0
    except (OSError, UnicodeError):
        return 0


def read_hops(text: str) -> list[Hop] | None:
    """The jump nodes in the value of a ProxyJump, the nearest first; None when it cannot be read."""
    # hop@gw1.test:2200,ssh://gw2.test,[fd00::1]:22   # racks 1 to 8
    hops = [_read_hop(word) for word in text.partition("#")[0].rstrip().split(",")]
    return [hop for hop in hops if hop] if all(hops) else None


def expand(text: str, tokens: Mapping[str, str]) -> str:
    """The text with its tokens, and `${NAME}` of the environment, filled in."""
    return _TOKEN.sub(lambda found: tokens[found[1]] if found[0][0] == "%" else os.environ.get(found[2], ""), text)


def expand_path(text: str, tokens: Mapping[str, str]) -> str:
    """The same for the name of a file, where `~` may stand first."""
    return expand(in_home(text), tokens)


def _read_hop(text: str) -> Hop | None:
    uri = text.startswith("ssh://")
    found = (_URI if uri else _HOP).fullmatch(text)
    if not found or (found["port"] and not read_port(found["port"])):
        return None
    user = found["user"] or ""
    return Hop(urllib.parse.unquote(user) if uri else user, found["host"].strip("[]"), read_port(found["port"] or ""))


def _check_jump(line: Line) -> None:
    if line.rest.lower() == "none":
        return
    if line.rest.partition("#")[0].rstrip().lower() == "none":
        raise line.refused("with a comment behind it ssh takes `none` for the name of a jump node")
    if read_hops(line.rest) is None:
        raise line.refused("it wants jump nodes as [user@]host[:port] or ssh://[user@]host[:port], between commas")


def _check_tokens(line: Line, word: str) -> None:
    allowed = TOKENS.get(line.keyword)
    if allowed is None:
        return
    for found in _TOKEN.finditer(word):
        if found[0].startswith("%"):
            if not found[1] or found[1] not in allowed:
                raise line.refused(f"botd does not fill in {found[0]} here")
        elif line.keyword not in ("identityfile", "userknownhostsfile") or not found[3]:
            raise line.refused(f"botd does not fill in {found[0]} here")
        elif found[2] not in os.environ:
            raise line.refused(f"{found[2]} is not in the environment")
