"""How to get to a node: what ssh_config and the settings make of its name."""

from __future__ import annotations

import functools
import getpass
import re
from dataclasses import dataclass
from pathlib import Path

import paramiko

from botd.errors import ConfigError
from botd.settings import SshSettings


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one node.

    `jumps` are the jump nodes on the way, as `[user@]name[:port]`. `refusal` says why there is no way.
    """

    name: str
    hostname: str
    user: str
    port: int
    key_files: tuple[str, ...] = ()
    jumps: tuple[str, ...] = ()
    refusal: str = ""


class Routes:
    """The routes of all nodes. Raises ConfigError for an ssh_config that cannot be used."""

    def __init__(self, settings: SshSettings, path: Path | None) -> None:
        self._user = settings.user
        self._port = settings.port
        self._config = _read_ssh_config(path) if path else None
        # Looking a name up costs a millisecond, and more where `%l` asks the resolver.
        self.route = functools.lru_cache(maxsize=65_536)(self._route)

    def jump(self, text: str) -> Route:
        """The route to a jump node written `[user@]name[:port]`; the jump nodes of jump nodes are not followed."""
        user, _, rest = text.rpartition("@")
        name, colon, port = rest.rpartition(":")
        if not colon or not port.isdigit():
            name, port = rest, ""
        found = self.route(name.strip("[]"))
        return Route(found.name, found.hostname, user or found.user, int(port or found.port), found.key_files)

    def _route(self, node: str) -> Route:
        found = self._config.lookup(node) if self._config else {}
        jumps = found.get("proxyjump", "none")
        refusal = ""
        if jumps == "none" and found.get("proxycommand"):
            refusal = "ssh_config has a ProxyCommand for this node, which botd does not run; use ProxyJump"
        return Route(
            name=node,
            hostname=found.get("hostname", node),
            user=self._user or found.get("user") or getpass.getuser(),
            port=int(found.get("port", self._port)),
            key_files=tuple(found.get("identityfile", ())),
            jumps=() if jumps == "none" else tuple(jump.strip() for jump in jumps.split(",")),
            refusal=refusal,
        )


def _read_ssh_config(path: Path) -> paramiko.SSHConfig:
    try:
        text = path.read_text(encoding="utf-8")
        if re.search(r"^\s*match\b.*\bexec\b", text, re.IGNORECASE | re.MULTILINE):
            raise ConfigError(f"{path}: botd does not run the commands of `Match exec`; use `Match host`")
        return paramiko.SSHConfig.from_text(text)
    except (OSError, UnicodeDecodeError, paramiko.SSHException) as error:
        raise ConfigError(f"cannot read the ssh_config {path}: {error}") from error
