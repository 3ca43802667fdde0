"""The manager of services as a socket that hears datagrams: what reaches it, and that nothing fails without it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from botd.manager import Manager


@pytest.fixture(params=["path", "abstract"])
def ears(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that hears, and what NOTIFY_SOCKET says of it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@botd-test-{tmp_path}"[:100]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.setblocking(False)
        yield listener, name


def heard(listener: socket.socket) -> list[dict[str, str]]:
    """All that has come, datagram by datagram."""
    found = []
    while True:
        try:
            lines = listener.recv(4096).decode().split("\n")
        except BlockingIOError:
            return found
        found.append(dict(line.split("=", 1) for line in lines))


def test_it_hears_what_systemd_asks_for(ears: tuple[socket.socket, str]) -> None:
    listener, name = ears
    manager = Manager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"})
    assert manager.is_there
    manager.ready("at work")
    for _ in range(3):
        manager.alive()
    manager.stopping()
    assert heard(listener) == [{"READY": "1", "STATUS": "at work"}, {"WATCHDOG": "1"}, {"STOPPING": "1"}]


def test_the_end_before_a_new_beginning_is_none(ears: tuple[socket.socket, str]) -> None:
    """systemd 252 would kill what lives on after STOPPING=1."""
    listener, name = ears
    manager = Manager({"NOTIFY_SOCKET": name})
    manager.reloading()
    manager.stopping()
    told = heard(listener)
    assert [list(one) for one in told] == [["RELOADING", "MONOTONIC_USEC"]]
    manager.ready("again")
    manager.stopping()
    assert [list(one) for one in heard(listener)] == [["READY", "STATUS"], ["STOPPING"]]


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getppid())}],
)
def test_nobody_waits_for_a_watchdog_that_is_not_set_or_another_ones(
    ears: tuple[socket.socket, str], environment: dict[str, str]
) -> None:
    listener, name = ears
    manager = Manager({"NOTIFY_SOCKET": name, **environment})
    manager.alive()
    assert heard(listener) == []


def test_without_a_manager_or_with_one_that_is_gone_nothing_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        manager = Manager(environment)
        manager.ready("at work")
        manager.stopping()
    assert "cannot be told" in caplog.text
