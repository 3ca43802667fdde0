"""How to get to a node: what ssh_config and the settings make of its name."""

from __future__ import annotations

import functools
import logging
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from botd.settings import SshSettings
from botd.transport.ssh.account import in_home, own_name
from botd.transport.ssh.config import words
from botd.transport.ssh.config.lines import Line
from botd.transport.ssh.config.reader import Said, SshConfig
from botd.transport.ssh.config.values import LISTS, Hop, expand, expand_path, read_hops, read_port

LOG = logging.getLogger(__name__)

KNOWN_HOSTS = {
    "userknownhostsfile": ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
}
"""The known_hosts files where nothing names others (ssh_config(5)). New keys go into the first of the user's."""

NOWHERE = Path("/dev/null")
NOTHING_SAID = Said("", {}, ())


class NoWay(Exception):
    """Raised for a name that there is no way to; the text says why."""


@dataclass(frozen=True, slots=True)
class SshRoute:
    """The way to one node.

    `jumps` are the routes to the jump nodes on the way, the nearest first, which have none themselves. `known_hosts`
    are the files that its host key may stand in, under `key_alias` where there is one.
    """

    name: str
    hostname: str
    user: str
    port: int
    key_files: tuple[str, ...] = ()
    key_alias: str = ""
    known_hosts: tuple[Path, ...] = ()
    jumps: tuple[SshRoute, ...] = ()


class Routes:
    """The routes of all nodes. `known_hosts` is the file of the settings, which wins over those of ssh_config.

    Lines that are not followed are told in the log. Raises ConfigError for an ssh_config that cannot be used.
    """

    def __init__(self, settings: SshSettings, path: Path | None, known_hosts: Path | None = None) -> None:
        self._user = settings.user
        self._port = settings.port
        self._known_hosts = known_hosts
        self._config = SshConfig(path) if path else None
        self._tell()
        self.route = functools.lru_cache(maxsize=65_536)(self._route)
        self._jump = functools.lru_cache(maxsize=65_536)(self._make_jump)

    @property
    def known_hosts(self) -> tuple[Path, ...]:
        """The known_hosts files of a name that ssh_config says nothing of."""
        return self._files(NOTHING_SAID, {})

    def _route(self, node: str) -> SshRoute:
        """The route to a node. Raises NoWay."""
        said = self._said(node, self._user)
        user = self._user or said.word("user") or own_name()
        return self._make(node, said, user, 0, self._jumps(node, user, 0, said, ()))

    def _make_jump(self, hop: Hop, trail: tuple[str, ...]) -> tuple[SshRoute, ...]:
        """The routes to the nearest jump node, those before it first."""
        if hop.name in trail:
            raise NoWay(f'ssh_config leads through the jump node "{hop.name}" in a circle')
        route, said = self._behind(hop)
        return (*self._jumps(hop.name, route.user, hop.port, said, (*trail, hop.name)), route)

    def _behind(self, hop: Hop) -> tuple[SshRoute, Said]:
        """The route to a jump node by its own stanza, and that. [ssh] user, which is for nodes, comes behind."""
        said = self._said(hop.name, hop.user)
        user = hop.user or said.word("user") or self._user or own_name()
        return self._make(hop.name, said, user, hop.port, ()), said

    def _jumps(self, name: str, user: str, port: int, said: Said, trail: tuple[str, ...]) -> tuple[SshRoute, ...]:
        """The routes to the jump nodes before this name. As with ssh, which runs itself with -J, the ProxyJump of the
        nearest counts, and those of the others do not.
        """
        if said.values.get("proxycommand") and said.values["proxycommand"].rest.lower() != "none":
            raise NoWay(f'ssh_config has a ProxyCommand for "{name}", which botd does not run; use ProxyJump')
        line = said.values.get("proxyjump")
        if line is None or line.rest.lower() == "none":
            return ()
        text = expand(line.rest, self._tokens(name, said, user, port))
        hops = read_hops(text)
        if not hops:
            raise NoWay(f'{line}: "{text[:80]}" cannot be read as jump nodes')
        nearest, *others = hops
        return (*self._jump(nearest, trail), *(self._behind(hop)[0] for hop in others))

    def _make(self, name: str, said: Said, user: str, port: int, jumps: tuple[SshRoute, ...]) -> SshRoute:
        tokens = self._tokens(name, said, user, port)
        return SshRoute(
            name=name,
            hostname=said.hostname,
            user=user,
            port=int(tokens["p"]),
            key_files=tuple(expand_path(file, tokens) for file in said.key_files if file.lower() != "none"),
            key_alias=said.word("hostkeyalias").lower(),
            known_hosts=self._files(said, tokens),
            jumps=jumps,
        )

    def _said(self, name: str, user: str) -> Said:
        return self._config.lookup(name, user) if self._config else Said(name, {}, ())

    def _tokens(self, name: str, said: Said, user: str, port: int) -> Mapping[str, str]:
        """What `%` and a letter stand for (ssh_config(5), TOKENS)."""
        here = socket.gethostname()
        return {
            "%": "%",
            "d": in_home("~"),
            "h": said.hostname,
            "i": str(os.getuid()),
            "k": said.word("hostkeyalias").lower() or name,
            "l": here,
            "L": here.partition(".")[0],
            "n": name,
            "p": str(port or read_port(said.word("port")) or self._port),
            "r": user,
            "u": own_name(),
        }

    def _files(self, said: Said, tokens: Mapping[str, str]) -> tuple[Path, ...]:
        if self._known_hosts:
            return (self._known_hosts,)
        user, everybody = (said.values[each].words if each in said.values else KNOWN_HOSTS[each] for each in LISTS)
        own = [Path(expand_path(file, tokens)) for file in user if file.lower() != "none"] or [NOWHERE]
        return (*own, *(Path(in_home(file)) for file in everybody if file.lower() != "none"))

    def _tell(self) -> None:
        """One line in the log for each keyword that is not followed, with the first place where it stands."""
        told: Iterable[Line] = self._config.told if self._config else ()
        for line in {line.keyword: line for line in reversed(list(told))}.values():
            LOG.warning("%s: %s is not followed: %s", line, line.written, words.TOLD[line.keyword].why)
        passed = self._config.trust if self._config and self._known_hosts else None
        if passed:
            LOG.warning("%s: %s is not followed: [ssh] known_hosts decides", passed, passed.written)
