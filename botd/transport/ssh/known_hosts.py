"""The host keys that are known: known_hosts files, read once into dicts, and what a shown key is worth.

paramiko's own reader compares every line with all lines before it (2 s for 4,000 lines, paramiko 5.1). The
format is that of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: plain names, comma lists, `[name]:port`, the wildcards
`*` and `?`, negation with `!`, hashed names and `@revoked`. `@cert-authority` is not supported; such lines are
named in the log and left out, as are lines that cannot be read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from botd.transport.ssh.patterns import Patterns, read_patterns

LOG = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What a host key that a node showed is worth."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


class HostKey(NamedTuple):
    """One public host key: its type (`ssh-ed25519`) and its bytes as they travel."""

    type: str
    blob: bytes


class _Entry(NamedTuple):
    key: HostKey
    revoked: bool


class _Pattern(NamedTuple):
    patterns: Patterns
    entry: _Entry

    def matches(self, name: str) -> bool:
        return self.patterns.match(name)


class _Hashed(NamedTuple):
    salt: bytes
    digest: bytes
    entry: _Entry

    def matches(self, name: str) -> bool:
        return hmac.digest(self.salt, name.encode(), "sha1") == self.digest


def fingerprint(blob: bytes) -> str:
    """The fingerprint of a public key as ssh-keygen(1) prints it: `SHA256:` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def key_names(alias: str, hosts: Iterable[str], port: int) -> list[str]:
    """The names under which a key may stand: the alias alone where there is one (HostKeyAlias), and without a port."""
    return [alias] if alias else names_for(hosts, port)


def names_for(hosts: Iterable[str], port: int) -> list[str]:
    """The names under which a key may stand, the one that decides first: `[name]:port` before `name`."""
    names = (name for host in hosts for name in ([host] if port == 22 else [f"[{host}]:{port}", host]))
    return list(dict.fromkeys(name.lower() for name in names))


class KnownHosts:
    """The keys of some known_hosts files. Safe to use from several threads.

    Looking for a name among hashed ones costs a microsecond for each hashed line; each name is looked for once
    between two changes of the files. Files that do not exist hold no keys.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._lock = threading.Lock()
        self._stamps: list[tuple[int, ...] | None] = []
        self._remembered: dict[str, list[_Entry]] = {}
        self._book = _Book()
        self.refresh()

    def refresh(self) -> None:
        """Reads the files again if one of them has changed."""
        with self._lock:
            stamps = [_stamp(path) for path in self._paths]
            if stamps != self._stamps:
                self._stamps, self._book = stamps, _read(self._paths)

    @property
    def count(self) -> int:
        """How many names and patterns there are keys of."""
        with self._lock:
            return len(self._book.plain) + len(self._book.patterns) + len(self._book.hashed)

    def types(self, names: Sequence[str]) -> list[str]:
        """The types of the keys that are known under the deciding one of these names (see `names_for`)."""
        with self._lock:
            return list(dict.fromkeys(key.type for key in self._deciding(names)))

    def judge(self, names: Sequence[str], key: HostKey) -> Verdict:
        """What this key is worth for a node with these names.

        The first name with any key decides. A key of another type than the known ones counts as changed, and
        not as unknown as with OpenSSH: who can take a node's place would only need to show another type.
        """
        with self._lock:
            if any(entry.revoked and entry.key == key for name in names for entry in self._entries(name)):
                return Verdict.REVOKED
            known = self._deciding(names)
        if not known:
            return Verdict.UNKNOWN
        return Verdict.KNOWN if key in known else Verdict.CHANGED

    def remember(self, name: str, key: HostKey) -> None:
        """Takes the key for known from now on, and appends it to the first file in one write.

        A file that cannot be written is named in the log; the key then is known until the program ends.
        """
        line = f"{name} {key.type} {base64.b64encode(key.blob).decode()}\n"
        with self._lock:
            if key in self._deciding([name]):
                return
            self._remembered.setdefault(name, []).append(_Entry(key, revoked=False))
            try:
                _append(self._paths[0], line)
            except OSError as error:
                LOG.error("cannot add the host key of %s to %s: %s", name, self._paths[0], error.strerror)

    def _deciding(self, names: Sequence[str]) -> list[HostKey]:
        """The keys of the first name that has any."""
        for name in names:
            if keys := [entry.key for entry in self._entries(name) if not entry.revoked]:
                return keys
        return []

    def _entries(self, name: str) -> list[_Entry]:
        return self._book.entries(name) + self._remembered.get(name, [])


class Shelf:
    """The known_hosts files of all nodes: some may have their own. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, ...], KnownHosts] = {}

    def known(self, paths: tuple[Path, ...]) -> KnownHosts:
        """The keys in these files, which are read when they are first asked for."""
        with self._lock:
            if paths not in self._known:
                self._known[paths] = KnownHosts(paths)
            return self._known[paths]

    def refresh(self) -> None:
        """Reads those again that have changed."""
        for known in list(self._known.values()):
            known.refresh()


class _Book:
    """The lines of all files, by the way in which their names are found."""

    def __init__(self) -> None:
        self.plain: dict[str, list[_Entry]] = {}
        self.patterns: list[_Pattern] = []
        self.hashed: list[_Hashed] = []
        self._found: dict[str, list[_Entry]] = {}

    def add(self, hosts: str, entry: _Entry) -> None:
        """Files one line under its names. Raises ValueError for names that cannot be read."""
        if hosts.startswith("|"):
            self.hashed.append(_hashed(hosts, entry))
        elif any(char in hosts for char in "*?!"):
            self.patterns.append(_Pattern(read_patterns(hosts.lower().split(",")), entry))
        else:
            for name in hosts.lower().split(","):
                self.plain.setdefault(name, []).append(entry)

    def entries(self, name: str) -> list[_Entry]:
        """All entries that a name has, in any form."""
        if name not in self._found:
            others: list[_Pattern | _Hashed] = [*self.patterns, *self.hashed]
            self._found[name] = self.plain.get(name, []) + [line.entry for line in others if line.matches(name)]
        return self._found[name]


def _read(paths: Iterable[Path]) -> _Book:
    book = _Book()
    for path in paths:
        for number, line in _lines(path):
            try:
                _read_line(book, line)
            except ValueError as error:
                LOG.warning("%s line %d is left out: %s", path, number, error)
    return book


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are neither empty nor comments, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        LOG.error("cannot read the host keys in %s: %s", path, error.strerror)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield number, stripped


def _read_line(book: _Book, line: str) -> None:
    # @revoked n0000.savio1,10.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI... comment
    words = line.split(None, 4)
    marker = words.pop(0) if words[0].startswith("@") else ""
    if marker == "@cert-authority":
        raise ValueError("host certificates are not supported")
    if marker not in ("", "@revoked"):
        raise ValueError("its marker is not known")
    if len(words) < 3:
        raise ValueError("it has no name, type and key")
    book.add(words[0], _Entry(_key(words[1], words[2]), revoked=bool(marker)))


def _key(key_type: str, text: str) -> HostKey:
    """The key in two words of a line. The bytes begin with the length and the name of the type (RFC 4253, 6.6)."""
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("its key is not base64") from None
    if not blob.startswith(len(key_type).to_bytes(4, "big") + key_type.encode()):
        raise ValueError("its key is not of the type that it names")
    return HostKey(key_type, blob)


def _hashed(hosts: str, entry: _Entry) -> _Hashed:
    # |1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=
    try:
        _, version, salt, digest = hosts.split("|")
        if version == "1":
            return _Hashed(base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True), entry)
    except ValueError:
        pass
    raise ValueError("its hashed name cannot be read")


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What changes when a file does; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _append(path: Path, line: str) -> None:
    """Adds a line, also behind one that does not end."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        ended = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
        os.write(descriptor, (line if ended else "\n" + line).encode())
    finally:
        os.close(descriptor)
