"""Transports that log in, the sshds that they log in to, and what a run delivers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from botd.answers import Delivery, LoginAnswer, Output, Source, SshState
from botd.settings import SshSettings
from botd.transport.ssh.nodes import Resolve, SshTransport, resolve_names
from botd.transport.ssh.script import Fragment
from tests.transport.ssh.hostile import HostileNode
from tests.transport.sshd import Sshd, make_key, running_sshd

HELLO = (Fragment("hello", "echo hello", 20),)


class Heard:
    """What a run delivered."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    def login(self, node: str = "n1") -> LoginAnswer:
        """The one answer to the login of a node."""
        (found,) = [d.answer for d in self.deliveries if d.node == node and d.source is Source.LOGIN]
        assert isinstance(found, LoginAnswer)
        return found

    def states(self) -> dict[str, SshState]:
        return {d.node: self.login(d.node).state for d in self.deliveries}

    def outputs(self, node: str = "n1") -> dict[str, Output]:
        """The outputs of a node by check, each of which came once."""
        found = [(d.check, d.answer) for d in self.deliveries if d.node == node and d.source is Source.COMMAND]
        assert len(found) == len(dict(found))
        return {check: answer for check, answer in found if isinstance(answer, Output)}


Make = Callable[..., SshTransport]


def run(
    transport: SshTransport,
    targets: Mapping[str, str | None],
    fragments: Sequence[Fragment] = HELLO,
    *,
    fresh: bool = False,
    deadline_s: float = 60,
) -> Heard:
    heard = Heard()
    transport.run(targets, lambda node: fragments, heard, node_deadline_s=deadline_s, fresh=fresh)
    return heard


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "id")


@pytest.fixture
def own(tmp_path: Path, key: Path) -> Iterator[Callable[..., Sshd]]:
    """Starts sshds for one test, which may do with them what it likes."""
    with contextlib.ExitStack() as stack:

        def start(name: str = "sshd", address: str = "127.0.2.1", **options: object) -> Sshd:
            options.setdefault("key", key)
            return stack.enter_context(running_sshd(tmp_path / name, [address], **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[Make]:
    """Makes transports that know the host keys of an sshd and have its key; they are closed after the test."""
    with contextlib.ExitStack() as stack:

        def make(
            sshd: Sshd | HostileNode,
            *,
            known: str | None = None,
            passphrase: str = "",
            resolve: Resolve = resolve_names,
            **settings: object,
        ) -> SshTransport:
            path = tmp_path / "known_hosts"
            path.write_text(sshd.known_hosts_lines() if known is None else known)
            defaults = SshSettings(
                user=sshd.user,
                port=sshd.port,
                key_file=str(sshd.host_keys[0].parent / "id"),
                known_hosts=str(path),
                connect_timeout=20,
                command_timeout=20,
            )
            mine = tmp_path / "id"
            if mine.exists():
                defaults = dataclasses.replace(defaults, key_file=str(mine))
            made = SshTransport(dataclasses.replace(defaults, **settings), passphrase=passphrase, resolve=resolve)  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield make
