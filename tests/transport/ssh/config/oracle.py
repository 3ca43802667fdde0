"""What OpenSSH itself makes of a name: `ssh -G`, asked for the node and for each jump node on its way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from botd.transport.ssh.config.values import read_hops
from botd.transport.ssh.routes import SshRoute
from tests.conftest import need_program


class Way(NamedTuple):
    """Where a name leads, over which jump nodes, and which host keys are trusted there."""

    hostname: str
    user: str
    port: int
    alias: str
    known_hosts: tuple[str, ...]
    jumps: tuple[Way, ...] = ()


class Refused(Exception):
    """Raised where ssh ends with an error, and for a ProxyCommand, which botd never runs."""


def way_of(route: SshRoute) -> Way:
    """botd's route in the same form. ssh takes a name in small letters once it has read its configuration."""
    files = tuple(str(path) for path in route.known_hosts if str(path) != "/dev/null")
    jumps = tuple(map(way_of, route.jumps))
    return Way(route.hostname.lower(), route.user, route.port, route.key_alias, files, jumps)


def ask_ssh(config: Path, name: str, user: str = "", port: int = 0, trail: tuple[str, ...] = ()) -> Way:
    """What ssh does with this name. Raises Refused."""
    said = _dump(config, name, user, port)
    if said.get("proxycommand", "none") != "none":
        raise Refused("ProxyCommand")
    jumps: tuple[Way, ...] = ()
    if said.get("proxyjump", "none") != "none":
        nearest, *others = read_hops(said["proxyjump"]) or []
        if nearest.name in trail:
            raise Refused("in a circle")
        first = ask_ssh(config, nearest.name, nearest.user, nearest.port, (*trail, nearest.name))
        # ssh reaches the others with -J, which wins over what their own stanzas say of the way.
        rest = [_way(_dump(config, hop.name, hop.user, hop.port), ()) for hop in others]
        jumps = (*first.jumps, first._replace(jumps=()), *rest)
    return _way(said, jumps)


def _way(said: dict[str, str], jumps: tuple[Way, ...]) -> Way:
    files = [file for each in ("userknownhostsfile", "globalknownhostsfile") for file in said[each].split()]
    # `ssh -G` prints the second before it fills in its `~` (main in ssh.c, 9.2).
    known = tuple(os.path.expanduser(file) for file in files if file != "none")
    return Way(said["hostname"], said["user"], int(said["port"]), said.get("hostkeyalias", "").lower(), known, jumps)


def _dump(config: Path, name: str, user: str, port: int) -> dict[str, str]:
    options = [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
    command = [need_program("ssh"), "-G", "-F", str(config), *options, "--", name]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Refused(done.stderr)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
