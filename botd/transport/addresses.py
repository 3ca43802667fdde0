"""From names to addresses: a hosts file, then the resolver, which is never trusted to answer, then what Slurm knows.

getaddrinfo(3) cannot be interrupted, so look-ups run in a few daemon threads and one question for many names
ends when its time is up, with or without them.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from botd.config import resolve_path
from botd.errors import ConfigError
from botd.model import SlurmNode
from botd.nodeset import fill_in
from botd.settings import Config

LOG = logging.getLogger(__name__)

GOOD_S = 300.0
"""How long an address is believed."""

BAD_S = 30.0
"""How long a name without an address is not asked for again."""

LIMIT_S = 5.0
"""How long one question may take, for all its names together: the default of resolv.conf(5) for one server."""

MAX_THREADS = 32

_NO_SUCH = (socket.EAI_NONAME, socket.EAI_NODATA)
"""What getaddrinfo(3) says where a name server has said that there is none. All else is that nobody could say."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
Lookup = Callable[[str], str | None]
Monotonic = Callable[[], float]


class LookupUnavailable(Exception):
    """Raised by a look-up when the resolver cannot say now, which is not the same as no such name."""


@dataclass(frozen=True, slots=True)
class _Known:
    address: str | None
    until: float
    answered: bool


def node_names(nodes: Iterable[str], template: str) -> dict[str, str]:
    """The name to look up for each node: the template, filled in. A node without a cluster leaves no final dot."""
    return {node: fill_in(template, node).rstrip(".") for node in nodes}


def slurm_names(node: SlurmNode) -> list[str]:
    """Where Slurm says that a node is: NodeAddr, then NodeHostName; none that only repeats its name or is nowhere.

    Both repeat it where slurm.conf(5) says no more and slurmd has not registered from elsewhere, as that of a cloud
    node which is off.
    """
    return [name for name in (node.address, node.hostname) if name not in ("", node.node) and not _is_nowhere(name)]


def _is_nowhere(name: str) -> bool:
    """Whether it is an address of no single machine: `0.0.0.0` would lead to this one."""
    address = ipaddress.ip_address(name) if _literal(name) else None
    return address is not None and (address.is_unspecified or address.is_multicast)


def socket_address(address: str, port: int) -> tuple[socket.AddressFamily, SocketAddress]:
    """The family and the form that `sendto` takes of an address in digits. Never asks a resolver.

    Raises ValueError for a name, or for an address of a family that this machine does not have.
    """
    try:
        found = socket.getaddrinfo(
            address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{address!r} is not an address") from error
    return found[0][0], found[0][4]  # type: ignore[return-value]


def read_hosts(path: Path) -> dict[str, str]:
    """Address by name (lower case), from a file in the form of hosts(5); the first line of a name counts.

    Raises ConfigError, naming the line, for an address that is none, and when the file cannot be read.
    """
    hosts: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the hosts file {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        # 10.0.0.17   n0017.savio3 n0017   # replaced in May
        address, *names = line.partition("#")[0].split() or [""]
        if address and not _literal(address):
            raise ConfigError(f"{path} line {number}: {address[:60]!r} is not an address")
        for name in names:
            hosts.setdefault(name.lower(), address)
    return hosts


def look_up(name: str) -> str | None:
    """The first address that the system's resolver has for a name, None when there is no such name.

    Raises LookupUnavailable when no name server could say.
    """
    if "\0" in name:
        return None  # getaddrinfo(3) would look up what stands before it
    if name.lower().rstrip(".").endswith(".invalid"):
        return None  # reserved for names that are none (RFC 6761, 6.4): known without a name server
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)[0][4][0])
    except socket.gaierror as error:
        if error.errno in _NO_SUCH:
            return None
        raise LookupUnavailable(name) from error
    except UnicodeError:
        return None  # a label of more than 63 characters, by Python's idna codec
    except OSError as error:  # such as no more open files
        raise LookupUnavailable(name) from error


class Resolver:
    """Addresses of many names at once, from any thread. Answers are kept: good ones 300 s, failures 30 s.

    While no name server answers, an address that was good before is still given. Raises ConfigError when the
    hosts file is unusable at the start; later a broken file is logged once and the last good one stays.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Monotonic = time.monotonic,
        lookup: Lookup = look_up,
        limit_s: float = LIMIT_S,
    ) -> None:
        name = config.nodes.hosts_file
        self._hosts = _HostsFile(resolve_path(config, name)) if name else None
        self._clock = clock
        self._limit_s = limit_s
        self._known: dict[str, _Known] = {}
        self._changed = threading.Condition()
        self._lookups = _Lookups(lookup, self._learn)

    def resolve_all(self, names: Mapping[str, str]) -> dict[str, str | None]:
        """The address of each key's name, None where it has none or none was learnt within the limit."""
        hosts = self._hosts.read() if self._hosts else {}
        wanted = set(names.values())
        found: dict[str, str | None] = {name: _literal(hosts.get(name.lower(), name)) for name in wanted}
        found.update(self._resolve([name for name, address in found.items() if address is None]))
        return {key: found[name] for key, name in names.items()}

    def resolve_first(self, names: Mapping[str, Sequence[str]]) -> dict[str, str | None]:
        """The address of each key: that of the first of its names which has one. Takes as long as `resolve_all`."""
        found = self.resolve_all({name: name for each in names.values() for name in each})
        return {key: next(filter(None, map(found.get, each)), None) for key, each in names.items()}

    def has_none(self, name: str) -> bool:
        """Whether a name that was just asked for has no address: not where nobody could say whether it has one."""
        with self._changed:
            known = self._known.get(name)
            return known is not None and known.answered and known.address is None and self._fresh(name)

    def _resolve(self, names: list[str]) -> dict[str, str | None]:
        """Answers from memory, then from the threads for as long as the limit allows."""
        end = time.monotonic() + self._limit_s
        with self._changed:
            asked = {name for name in names if not self._fresh(name)}
            self._lookups.ask(asked, until=end)
            self._changed.wait_for(lambda: all(map(self._fresh, asked)), timeout=self._limit_s)
            return {name: known.address if (known := self._known.get(name)) else None for name in names}

    def _fresh(self, name: str) -> bool:
        known = self._known.get(name)
        return known is not None and self._clock() < known.until

    def _learn(self, name: str, address: str | None, answered: bool) -> None:
        """Called by the threads. A resolver that could not be asked does not unlearn an address."""
        with self._changed:
            old = self._known.get(name)
            if not answered and old:
                address = old.address
            good = address is not None and answered
            self._known[name] = _Known(address, self._clock() + (GOOD_S if good else BAD_S), answered)
            self._changed.notify_all()


class _Lookups:
    """A few daemon threads that ask the resolver: one that hangs must not keep the program from ending.

    A thread ends when nothing is left to ask.
    """

    def __init__(self, lookup: Lookup, learn: Callable[[str, str | None, bool], None]) -> None:
        self._lookup = lookup
        self._learn = learn
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, float]] = deque()
        self._asking: set[str] = set()
        self._threads = 0

    def ask(self, names: Iterable[str], *, until: float) -> None:
        """Queues the names that nobody is asking for yet; one not begun at `until` is dropped."""
        with self._lock:
            for name in sorted(set(names) - self._asking):
                self._asking.add(name)
                self._waiting.append((name, until))
            for _ in range(min(MAX_THREADS, len(self._asking)) - self._threads):
                self._threads += 1
                threading.Thread(target=self._work, name="lookup", daemon=True).start()

    def _work(self) -> None:
        while (name := self._next()) is not None:
            address, answered = self._answer(name)
            with self._lock:
                self._asking.discard(name)
            self._learn(name, address, answered)

    def _next(self) -> str | None:
        """The next name whose time is not over; without one this thread no longer counts."""
        with self._lock:
            while self._waiting:
                name, until = self._waiting.popleft()
                if time.monotonic() < until:
                    return name
                self._asking.discard(name)
            self._threads -= 1
            return None

    def _answer(self, name: str) -> tuple[str | None, bool]:
        try:
            return self._lookup(name), True
        except LookupUnavailable:
            return None, False
        except Exception:  # the thread goes on to the other names
            LOG.exception("the look-up of %r failed", name[:80])
            return None, False


class _HostsFile:
    """The names in a file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._stat()
        self._hosts = read_hosts(path)

    def read(self) -> Mapping[str, str]:
        stamp = self._stat()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._hosts = read_hosts(self._path)
            except ConfigError as error:
                LOG.warning("%s; the addresses read before stay in use", error)
        return self._hosts

    def _stat(self) -> tuple[int, int, int]:
        try:
            stat = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _literal(text: str) -> str | None:
    """The address itself in its usual form when the text is one in digits, else None."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
