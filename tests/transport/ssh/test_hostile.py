"""Nodes that send without end, past what they may, or as somebody else: bounded, and closed."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from botd.answers import LoginAnswer, Output, SshState
from botd.transport.ssh.script import Fragment
from tests.fuzz.strategies import at_most_mb
from tests.program import wait_until
from tests.transport.ssh.conftest import Make, run
from tests.transport.ssh.hostile import (
    Behave,
    HostileNode,
    answer_and_go_on,
    flood,
    flood_beside,
    flood_errors,
    hostile_node,
)
from tests.transport.sshd import Sshd, make_key

Start = Callable[[Behave], HostileNode]


@pytest.fixture
def hostile(tmp_path: Path, key: Path) -> Iterator[Start]:
    """Starts a node that lets botd in and then behaves as the test says."""
    with contextlib.ExitStack() as stack:
        yield lambda behave: stack.enter_context(hostile_node(tmp_path, behave))


BABBLED = Output(truncated=True, detail="the node printed more than 64 KiB besides the checks' output")
CLOSED = Output(detail="the connection was lost: the node sent more than it may")


@pytest.mark.parametrize(
    ("behave", "answer"), [(flood, BABBLED), (flood_errors, BABBLED), (flood_beside, CLOSED)], ids=lambda v: str(v)[:20]
)
def test_a_node_that_sends_without_end_is_cut_off(
    hostile: Start, transport: Make, behave: Behave, answer: Output
) -> None:
    node = hostile(behave)
    made = transport(node)
    with at_most_mb(16):
        heard = run(made, {f"n{number}": node.address for number in range(8)})
    assert [heard.outputs(f"n{number}") for number in range(8)] == [{"hello": answer}] * 8
    wait_until(lambda: not any(each.is_active() for each in node.transports))


def test_what_the_login_shell_says_on_standard_error_is_quoted_from_its_beginning(
    hostile: Start, transport: Make
) -> None:
    def refuse(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        for word in (b"no home ", b"directory", b"." * 60_000):
            channel.sendall_stderr(word)
        channel.close()

    node = hostile(refuse)
    detail = run(transport(node), {"n1": node.address}).outputs()["hello"].detail
    assert detail.startswith('the command ended without it: "no home directory....')
    assert len(detail) < 600


def test_a_connection_that_does_not_rest_is_not_kept(hostile: Start, transport: Make) -> None:
    """What goes on for ever comes in the channel that is closed, and beside it."""
    node = hostile(answer_and_go_on)
    made = transport(node)
    for count in (1, 2):
        assert run(made, {"n1": node.address}).outputs() == {"hello": Output("hello\n", 0)}
        assert len(node.transports) == count
        wait_until(lambda: not any(each.is_active() for each in node.transports))


@pytest.mark.parametrize(
    "said",
    [bytes(1 << 20), b"SSH-2.0-x\r\n" + struct.pack(">IBB", 0xFFFFFFF4, 4, 20) + bytes(1 << 20)],
    ids=["a banner without end", "a packet of four gigabytes"],
)
def test_a_login_takes_no_more_than_a_login_needs(hostile: Start, transport: Make, said: bytes) -> None:
    with socket.create_server(("127.0.5.2", 0)) as listener, contextlib.ExitStack() as stack:

        def serve() -> None:
            sock = stack.enter_context(listener.accept()[0])
            with contextlib.suppress(OSError):
                for _ in range(64):
                    sock.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        with at_most_mb(8):
            answer = run(transport(hostile(flood), port=listener.getsockname()[1]), {"n1": "127.0.5.2"}).login()
    assert answer.state is SshState.REFUSED
    assert "the node sent more than it may" in answer.detail


# ---- rekeys ----

BIG = tuple(Fragment(f"f{number}", "head -c 3400 /dev/zero | tr '\\0' x", 20) for number in range(30))


def test_a_rekey_with_the_same_host_key_goes_unnoticed(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own(options="RekeyLimit 16K\nLogLevel DEBUG1")
    made = transport(sshd)
    for _ in range(2):
        outputs = run(made, {"n1": sshd.address}, BIG).outputs()
        assert outputs == {each.name: Output("x" * 3400, 0) for each in BIG}
    assert sshd.log().count("rekey out after") > 2
    assert sshd.logins() == 1


def test_a_host_key_that_changes_at_a_rekey_ends_the_session(hostile: Start, transport: Make, tmp_path: Path) -> None:
    other = paramiko.PKey.from_path(make_key(tmp_path / "other"))

    def change(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        transport.add_server_key(other)
        transport.renegotiate_keys()
        channel.sendall(b"x")

    node = hostile(change)
    for policy in ("reject", "accept-any"):
        heard = run(transport(node, host_key_policy=policy), {"n1": node.address})
        assert heard.login() == LoginAnswer(SshState.UP)
        assert heard.outputs() == {
            "hello": Output(detail="the connection was lost: the host key changed while connected")
        }
