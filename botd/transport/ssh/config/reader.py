"""What an ssh_config says of a name: the first line of each keyword among the stanzas that count for it.

A reader of its own, beside `ssh -G`, for three reasons: it refuses what it does not follow at the start, by file and
line, whatever node that line is for; it starts no program, and asks no resolver; and 10,000 names cost 10,000
processes there. The tests hold its answers against those of `ssh -G`.
"""

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botd.transport.ssh.account import own_name
from botd.transport.ssh.config import words
from botd.transport.ssh.config.conditions import Condition, HostIs, Matches, Moment, read_condition
from botd.transport.ssh.config.lines import Line, included_files, read_lines
from botd.transport.ssh.config.values import LISTS, check_value, expand
from botd.transport.ssh.patterns import Patterns, read_patterns

MAX_DEPTH = 16
"""Files that include each other, as in OpenSSH's readconf.c."""


@dataclass(frozen=True)
class Block:
    """Lines that count where all of these conditions hold; those of an included file have its Include's before them."""

    conditions: tuple[Condition, ...]
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """What the lines that count say of a name: the first of each keyword, and every IdentityFile."""

    hostname: str
    values: Mapping[str, Line]
    key_files: tuple[str, ...]

    def word(self, keyword: str) -> str:
        """The one word of this keyword, empty where nothing is said."""
        return self.values[keyword].word if keyword in self.values else ""


class SshConfig:
    """An ssh_config with all that it includes, read once.

    `told` are the lines that are not followed and refuse nothing, `trust` is the first that names known_hosts files.
    Raises ConfigError, naming file and line, for what
    cannot be read and for what botd does not follow where ssh would connect elsewhere or trust less.
    """

    def __init__(self, path: Path) -> None:
        self.told: list[Line] = []
        self._top = path
        self._unknown: Patterns | None = None
        blocks = list(self._read(path, (), 0))
        self._blocks = _Blocks(blocks)
        self.trust = next((line for block in blocks for line in block.lines if line.keyword in LISTS), None)
        self._final = any(isinstance(c, Matches) and c.final for block in blocks for c in block.conditions)

    def lookup(self, name: str, user: str = "") -> Said:
        """What is said of this name, for a login as `user` where that is decided already."""
        found = _Lookup(name, user)
        found.go_through(self._blocks.of(name))
        if self._final:
            found.go_through(self._blocks.of(found.begin_final()))
        return Said(found.hostname, found.values, tuple(dict.fromkeys(found.key_files)))

    def _read(self, path: Path, outer: tuple[Condition, ...], depth: int) -> Iterator[Block]:
        block = Block(outer)
        yield block
        for line in read_lines(path):
            if line.keyword in ("host", "match"):
                block = Block((*outer, read_condition(line)))
                yield block
            elif line.keyword == "include":
                if depth == MAX_DEPTH:
                    raise line.refused(f"files include each other more than {MAX_DEPTH} deep")
                for file in included_files(line, self._top):
                    yield from self._read(file, block.conditions, depth + 1)
                block = Block(block.conditions)
                yield block
            elif self._follows(line):
                block.lines.append(line)

    def _follows(self, line: Line) -> bool:
        """Whether the line counts. Raises ConfigError for one that must not be passed over."""
        if line.keyword == "ignoreunknown":
            self._unknown = self._unknown or read_patterns(",".join(line.words).lower().split(","))
        elif line.keyword in words.FOLLOWED:
            check_value(line)
            return True
        elif refused := words.REFUSED.get(line.keyword):
            if " ".join(line.words).lower() not in refused.harmless:
                raise line.refused(f"{line.written} is not followed: {refused.why}")
        elif told := words.TOLD.get(line.keyword):
            self.told += [line] if " ".join(line.words).lower() not in told.harmless else []
        elif line.keyword not in words.PASSED_OVER and not (self._unknown and self._unknown.match(line.keyword)):
            raise line.refused(f'"{line.written}" is no keyword that botd knows; IgnoreUnknown passes over it')
        return False


class _Blocks:
    """All blocks in their order, by the names that they can be for: a site may have written a Host for each node."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks
        self._anyone: list[int] = []
        self._named: dict[str, list[int]] = {}
        for number, block in enumerate(blocks):
            names = next((c.names for c in block.conditions if isinstance(c, HostIs) and c.names is not None), None)
            if names is None:
                self._anyone.append(number)
            for name in names or ():
                self._named.setdefault(name, []).append(number)

    def of(self, host: str) -> Iterator[Block]:
        """The blocks that can be for this host."""
        return (self._blocks[number] for number in heapq.merge(self._anyone, self._named.get(host, ())))


class _Lookup:
    """One name on its way through the blocks."""

    def __init__(self, name: str, user: str) -> None:
        self.values: dict[str, Line] = {}
        self.key_files: list[str] = []
        self._now = Moment(name, name, name, user or own_name(), final=False)
        self._given = bool(user)

    @property
    def hostname(self) -> str:
        """What the lines so far make of the name."""
        return self._now.hostname

    def begin_final(self) -> str:
        """What has become of the name, which Host means from here on (ssh.c, its second process_config_files)."""
        host = self.hostname if _is_address(self.hostname) else self.hostname.lower()
        self._now = self._now._replace(host=host, hostname=host, final=True)
        return host

    def go_through(self, blocks: Iterable[Block]) -> None:
        """Takes what the blocks say. A condition is looked at once, where it stands: later lines do not undo it."""
        held: dict[int, bool] = {}
        for block in blocks:
            for condition in block.conditions:
                if id(condition) not in held:
                    held[id(condition)] = condition.holds(self._now)
                if not held[id(condition)]:
                    break
            else:
                for line in block.lines:
                    self._take(line)

    def _take(self, line: Line) -> None:
        if line.keyword == "identityfile":
            self.key_files.append(line.word)
        elif line.keyword not in self.values and not self._comes_late(line):
            self.values[line.keyword] = line
            if line.keyword == "hostname":
                self._now = self._now._replace(hostname=expand(line.word, {"h": self._now.name, "%": "%"}))
            elif line.keyword == "user" and not self._given:
                self._now = self._now._replace(user=line.word)

    def _comes_late(self, line: Line) -> bool:
        """Whether the other of ProxyJump and ProxyCommand came first; `ProxyJump none` does not count as one. In the
        final pass the HostName is what has become of the name.
        """
        if line.keyword == "hostname":
            return self._now.final
        if line.keyword == "proxyjump":
            return "proxycommand" in self.values
        jump = self.values.get("proxyjump")
        return line.keyword == "proxycommand" and jump is not None and jump.rest.lower() != "none"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
