"""What a simulated node prints: the answers to the checks' commands, in the frames of the remote script.

The commands are known by the text that the checks give them. What this shell does not simulate it answers with the
check's own sample; a test holds what it does simulate against a real shell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botd.answers import Source
from botd.checks import command_for, site_checks
from botd.demo.machine import Mount, Node
from botd.demo.scenarios import USERS
from botd.demo.state import ClusterState
from botd.demo.tools.base import iso
from botd.model import Check
from botd.settings import Config
from botd.transport.ssh.script import MAX_OUTPUT, TIMED_OUT

USER = "botd"
"""The login that the demo is run with."""

OWN_UID, FIRST_UID = 1500, 12_000
"""The uid of that login, and of the first of the site's users."""

LOG_AGE_S = 5 * 3600
"""Errors in slurmd's log are at most so old: a slurmd in trouble goes on complaining."""

BLOCK = 4096

SIZES_GB: Mapping[str, tuple[int, int]] = {"/global/scratch": (1_800_000, 61), "/global/software": (8_000, 48)}
"""Size and used percent of the shared file systems; any other is a local disk of 200 GB."""

_NONCE = re.compile(r"printf '[^']*' (\S+) \"\$1\"")

Said = tuple[str, int]
"""Output and exit status."""


@dataclass(frozen=True)
class Session:
    """What the script of one session brings: the frames, and whether a fragment never returns."""

    frames: bytes
    hangs: bool


class NodeShell:
    """The shell of all simulated nodes. `checks` are those of the configuration that botd runs with."""

    def __init__(self, state: ClusterState, config: Config) -> None:
        self._state = state
        self._checks = [check for check in site_checks(config).values() if check.source is Source.COMMAND]
        self._restart = config.actions.restart_slurmd
        self._mounts = {check.name: check.title for check in self._checks if check.parent == "df"}

    def run_script(self, name: str, script: str) -> Session:
        """The frames that the script of `botd.transport.ssh.script.build_script` makes a node print.

        Raises ValueError when the text is no such script.
        """
        nonce, probes = read_script(script)
        node = self._state.nodes[name]
        commands = {
            command_for(check, name, guarded=guarded): check for check in self._checks for guarded in (True, False)
        }
        frames, hangs = [f"\x1e{nonce} \x1f{nonce}\n".encode()], False
        for probe, command in probes:
            said = self._say(node, commands.get(command), command)
            hangs |= said is None
            if said:
                frames.append(_frame(nonce, probe, *said))
        return Session(b"".join(frames), hangs)

    def run_command(self, name: str, command: str) -> Said:
        """What a command that somebody types prints, and its exit status."""
        node = self._state.nodes[name]
        if self._restart and command.strip() == self._restart:
            self._state.restart_slurmd(name)
            self._state.journal.note("ssh", name, command.strip())
            return "", 0
        answer = self._typed(node).get(command.strip())
        if answer:
            return answer(), 0
        first = (command.split() or [""])[0]
        return f"/bin/sh: 1: {first}: not found\n", 127

    def log(self, name: str) -> str:
        """The end of slurmd's log."""
        node = self._state.nodes[name]
        started = f"[{iso(node.booted_at)}.{node.index % 1000:03d}] slurmd started on {iso(node.booted_at)}\n"
        return started + self._log(node)

    def stamp(self) -> str:
        """The time, as slurmd writes it."""
        return f"{iso(self._state.now())}.000"

    def _say(self, node: Node, check: Check | None, command: str) -> Said | None:
        """Output and status of one fragment, None when it never returns."""
        if check is None:
            return self.run_command(node.name, command)
        if check.name in self._mounts:
            return self._df(
                node, self._mounts[check.name], guarded=command == command_for(check, node.name, guarded=True)
            )
        answer = self._answers(node).get(check.name)
        if answer or check.sample:
            return answer() if answer else check.sample, 0
        return self.run_command(node.name, command)

    def _answers(self, node: Node) -> dict[str, Callable[[], str]]:
        """What the commands of the checks print that depend on how the node is."""
        return {
            "uptime": lambda: self._uptime(node),
            "load": lambda: self._load(node) + f"{node.cores}\n",
            "users": lambda: f"{USER}\n" + self._users(node),
            "dstate": lambda: _stuck(node),
            "memory": lambda: _memory(node),
            "slurmd": lambda: f"pid {'2219' if node.health.slurmd else ''}\nslurm 22.05.8\n",
            "slurmd_log": lambda: self._log(node),
        }

    def _typed(self, node: Node) -> dict[str, Callable[[], str]]:
        return {
            "hostname": lambda: f"{node.name}\n",
            "uname -r": lambda: f"{node.health.kernel}\n",
            "id -un": lambda: f"{USER}\n",
            "uptime": lambda: f" up {(self._state.now() - node.booted_at) / 3600:.1f} hours\n",
            "cat /proc/uptime": lambda: self._uptime(node),
            "cat /proc/loadavg": lambda: self._load(node),
            "true": lambda: "",
        }

    def _uptime(self, node: Node) -> str:
        # 350735.47 234388.90
        seconds = max(0.0, self._state.now() - node.booted_at)
        return f"{seconds:.2f} {seconds * node.cores * 0.4:.2f}\n"

    def _load(self, node: Node) -> str:
        # 0.13 0.22 0.20 1/211 29417
        busy = self._state.used_cores(node.name) * 0.97 + node.health.load * node.cores
        return f"{busy + 0.04:.2f} {busy + 0.02:.2f} {busy:.2f} 2/{300 + node.cores} {20_000 + node.index}\n"

    def _users(self, node: Node) -> str:
        # 1500 botd
        # 12003 daria
        here = {*self._state.users_of(node.name), *node.health.left_over}
        uids = {OWN_UID: USER, **{FIRST_UID + USERS.index(user): user for user in here}}
        return "".join(f"{uid} {uids[uid]}\n" for uid in sorted(uids))

    def _log(self, node: Node) -> str:
        # [2026-11-23T20:16:54.211] error: Unable to register: Unable to contact slurm controller (connect failure)
        at = max(node.standing.reason_at, self._state.now() - LOG_AGE_S)
        return "".join(f"[{iso(at)}.{node.index % 1000:03d}] {line}\n" for line in node.health.log)

    def _df(self, node: Node, path: str, *, guarded: bool) -> Said | None:
        mount = node.health.mounts.get(path, Mount.FINE)
        # What is not in the mount table is looked for again after a first statfs, which an automounter waits for.
        table = {Mount.MISSING: "mount \nmount \nwithin rw\n", Mount.READ_ONLY: "mount ro\n"}.get(mount, "mount rw\n")
        if mount is Mount.STUCK and guarded:
            return table, TIMED_OUT
        if mount in (Mount.HUNG, Mount.STUCK):
            self._state.hang_statfs(node.name, path)
            return None
        return f"{table}{_statfs(node, path, mount)}\n", 0


def read_script(script: str) -> tuple[str, list[tuple[str, str]]]:
    """The nonce of a script and the (name, command) of each of its probes. Raises ValueError for another text."""
    nonce = _NONCE.search(script)
    _, found, probes = script.partition("\n}\n")
    words = shlex.split(probes)
    if not nonce or not found or len(words) % 4 or any(word != "probe" for word in words[::4]):
        raise ValueError("not a script of probes")
    return nonce[1], list(zip(words[1::4], words[3::4], strict=True))


def _frame(nonce: str, name: str, text: str, status: int) -> bytes:
    """One frame, cut where `head -c` of the script cuts; `$( )` drops newlines at the end."""
    body = f"{text}\n{status}".encode()[: MAX_OUTPUT + 5].rstrip(b"\n")
    return f"\x1e{nonce} {name}\n".encode() + body + f"\x1f{nonce}\n".encode()


def _stuck(node: Node) -> str:
    # 4711 rpc_wait_bit_killable daria/dd
    return "".join(f"{41_000 + node.index + i} {what}\n" for i, what in enumerate(node.health.stuck))


def _memory(node: Node) -> str:
    # MemTotal:       24029360 kB
    total = (node.memory_mb + 412 - node.health.missing_mb) * 1024
    lines = {"MemTotal:": total, "MemAvailable:": total * 9 // 10}
    return "".join(f"{name:<15} {kb:>8} kB\n" for name, kb in lines.items())


def _statfs(node: Node, path: str, mount: Mount) -> str:
    # 4096 248515606 113203562 100562026
    size_gb, used_percent = SIZES_GB.get(path, (200, 11 + node.index % 60))
    if mount is Mount.MISSING:
        size_gb, used_percent = 50, 34  # the directory below, on the node's own disk
    blocks = size_gb * 10**9 // BLOCK
    free = 0 if mount is Mount.FULL else blocks * (100 - used_percent) // 100
    return f"{BLOCK} {blocks} {free} {free}"
