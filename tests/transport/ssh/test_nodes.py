"""The ssh transport against real sshds on loopback addresses, and against sockets that misbehave on purpose."""

from __future__ import annotations

import contextlib
import errno
import getpass
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from botd.answers import Delivery, LoginAnswer, Output, Source, SshState
from botd.errors import ConfigError
from botd.settings import Config, SshSettings
from botd.transport.ssh import nodes
from botd.transport.ssh.answers import connect_answer
from botd.transport.ssh.nodes import SshTransport
from botd.transport.ssh.places import Places
from botd.transport.ssh.round import LoginRound
from botd.transport.ssh.routes import Routes
from botd.transport.ssh.script import Fragment
from botd.transport.ssh.session import WINDOW
from tests.conftest import need_program
from tests.program import wait_until
from tests.transport.ssh.conftest import HELLO, Heard, Make, run
from tests.transport.sshd import Sshd, free_port, make_key, running_sshd

ADDRESSES = [f"127.0.1.{i}" for i in range(1, 9)]
BANNER = b"SSH-2.0-OpenSSH_9.2\r\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that no test hurts, on all ADDRESSES, with host keys of three types."""
    directory = tmp_path_factory.mktemp("sshd")
    key = make_key(directory / "id")
    with running_sshd(directory, ADDRESSES, key=key, kinds=("ed25519", "rsa", "ecdsa")) as sshd:
        yield sshd


@contextlib.contextmanager
def server(answer: Callable[[socket.socket], None], address: str = "127.0.3.1") -> Iterator[int]:
    """A server that does with each connection what the test says, and holds it open; its port."""
    held: list[socket.socket] = []
    with socket.create_server((address, 0), backlog=200) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept()[0])
                    with contextlib.suppress(OSError):
                        answer(held[-1])

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for sock in held:
        sock.close()


# ---- how a login ends ----


def test_a_login_that_works_is_up_and_its_fragments_answer(shared: Sshd, transport: Make) -> None:
    both = (Fragment("a", "echo one", 20), Fragment("b", "echo two; exit 3", 20))
    heard = run(transport(shared), {"n1": ADDRESSES[0], "n2": ADDRESSES[1]}, both)
    assert heard.states() == {"n1": SshState.UP, "n2": SshState.UP}
    assert heard.outputs("n1") == heard.outputs("n2") == {"a": Output("one\n", 0), "b": Output("two\n", 3)}
    assert all(d.took_s is not None and d.took_s > 0 for d in heard.deliveries)


def test_without_fragments_only_the_login_is_done(shared: Sshd, transport: Make) -> None:
    heard = run(transport(shared), {"n1": ADDRESSES[0]}, ())
    assert [d.source for d in heard.deliveries] == [Source.LOGIN]
    assert heard.login() == LoginAnswer(SshState.UP)


def test_a_node_without_an_address_is_unresolved(shared: Sshd, transport: Make) -> None:
    heard = run(transport(shared), {"n1": None, "n2": "not-an-address", "n3": ADDRESSES[0]})
    assert heard.states() == {"n1": SshState.UNRESOLVED, "n2": SshState.UNRESOLVED, "n3": SshState.UP}


def test_a_port_that_nobody_listens_on_is_refused(shared: Sshd, transport: Make) -> None:
    heard = run(transport(shared, port=free_port("127.0.4.1")), {"n1": "127.0.4.1"})
    assert heard.login() == LoginAnswer(SshState.REFUSED, "connection refused")
    assert heard.outputs() == {}


def test_a_node_that_never_takes_the_connection_is_a_timeout(shared: Sshd, transport: Make) -> None:
    """A listener whose queue is full drops what comes, as a node that is dead does (Linux)."""
    with socket.create_server(("127.0.3.9", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(3):
            filler = stack.enter_context(contextlib.closing(socket.socket()))
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        heard = run(transport(shared, port=full.getsockname()[1], connect_timeout=0.5), {"n1": "127.0.3.9"})
    assert heard.login() == LoginAnswer(SshState.TIMEOUT, "no answer within 0.5 s")


@pytest.mark.parametrize(
    ("code", "state", "detail"),
    [
        (errno.EHOSTUNREACH, SshState.TIMEOUT, "no route to host"),
        (errno.ENETUNREACH, SshState.TIMEOUT, "network is unreachable"),
        (errno.ETIMEDOUT, SshState.TIMEOUT, "connection timed out"),
        (errno.ECONNREFUSED, SshState.REFUSED, "connection refused"),
        (errno.ECONNRESET, SshState.REFUSED, "connection reset by peer"),
    ],
)
def test_what_the_kernel_says_of_a_connection_is_passed_on(code: int, state: SshState, detail: str) -> None:
    assert connect_answer(OSError(code, os.strerror(code))) == LoginAnswer(state, detail)


def test_a_server_that_says_nothing_is_hung(shared: Sshd, transport: Make) -> None:
    with server(lambda sock: None) as port:
        heard = run(transport(shared, port=port, connect_timeout=0.5), {"n1": "127.0.3.1"})
    assert heard.login() == LoginAnswer(SshState.HUNG, "the connection opened, but sshd said nothing within 0.5 s")


def test_a_server_that_stalls_after_its_banner_is_hung(shared: Sshd, transport: Make) -> None:
    with server(lambda sock: sock.sendall(BANNER)) as port:
        heard = run(transport(shared, port=port, connect_timeout=0.5), {"n1": "127.0.3.1"})
    assert heard.login() == LoginAnswer(SshState.HUNG, "the key exchange did not end within 0.5 s")


def test_a_server_that_closes_at_once_is_refused(shared: Sshd, transport: Make) -> None:
    def close(sock: socket.socket) -> None:
        sock.shutdown(socket.SHUT_RDWR)

    with server(close) as port:
        heard = run(transport(shared, port=port), {"n1": "127.0.3.1"})
    assert heard.login() == LoginAnswer(SshState.REFUSED, "closed the connection before saying anything")


@pytest.mark.parametrize("said", [BANNER, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\x00\x1b]0;x\x07\r\n" * 3, b"S"])
def test_a_server_that_closes_in_the_middle_is_refused(shared: Sshd, transport: Make, said: bytes) -> None:
    def say_and_close(sock: socket.socket) -> None:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)

    with server(say_and_close) as port:
        answer = run(transport(shared, port=port), {"n1": "127.0.3.1"}).login()
    assert answer.state is SshState.REFUSED
    assert answer.detail
    assert answer.detail.isprintable()
    assert len(answer.detail) < 300


def test_a_login_that_hangs_in_authentication_is_hung(own: Callable[..., Sshd], transport: Make) -> None:
    command = f"AuthorizedKeysCommand /bin/sleep 60\nAuthorizedKeysCommandUser {getpass.getuser()}"
    sshd = own(options=f"{command}\nAuthorizedKeysFile none")
    answer = run(transport(sshd, connect_timeout=3), {"n1": sshd.address}).login()
    assert answer == LoginAnswer(SshState.HUNG, f'the authentication as "{sshd.user}" did not end within 3 s')


# ---- host keys ----


def test_a_changed_host_key_is_not_accepted(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    other = Path(f"{make_key(tmp_path / 'other')}.pub").read_text()
    known = f"[{ADDRESSES[0]}]:{shared.port} {other}"
    for policy in ("reject", "accept-new"):
        heard = run(transport(shared, known=known, host_key_policy=policy), {"n1": ADDRESSES[0]})
        assert heard.login() == LoginAnswer(
            SshState.HOST_KEY, f"the host key has changed: it showed ssh-ed25519 {_shown(shared, 0)}"
        )
        assert heard.outputs() == {}


def _shown(sshd: Sshd, number: int) -> str:
    """The fingerprint of one of an sshd's host keys, by ssh-keygen."""
    command = ["ssh-keygen", "-lf", f"{sshd.host_keys[number]}.pub"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]


def test_an_unknown_host_key_is_rejected_and_named(shared: Sshd, transport: Make) -> None:
    answer = run(transport(shared, known=""), {"n1": ADDRESSES[0]}).login()
    assert answer == LoginAnswer(
        SshState.HOST_KEY, f"the host key is not known: it showed ssh-ed25519 {_shown(shared, 0)}"
    )


def test_accept_new_takes_an_unknown_key_and_writes_it_down(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    first = transport(shared, known="", host_key_policy="accept-new")
    assert run(first, {"n1": ADDRESSES[0]}).login().state is SshState.UP
    written = (tmp_path / "known_hosts").read_text()
    assert written.startswith(f"[n1]:{shared.port} ssh-ed25519 ")
    assert written.count("\n") == 1
    strict = transport(shared, known=written)
    assert run(strict, {"n1": ADDRESSES[0], "n2": ADDRESSES[0]}).states() == {
        "n1": SshState.UP,
        "n2": SshState.HOST_KEY,
    }


def test_accept_any_takes_even_a_changed_key(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    other = Path(f"{make_key(tmp_path / 'other')}.pub").read_text()
    anyone = transport(shared, known=f"n1 {other}", host_key_policy="accept-any")
    assert run(anyone, {"n1": ADDRESSES[0]}).login().state is SshState.UP


def test_a_revoked_host_key_is_not_accepted(shared: Sshd, transport: Make) -> None:
    lines = shared.known_hosts_lines()
    revoked = "".join(f"@revoked * {line.partition(' ')[2]}\n" for line in lines.splitlines()[:1])
    answer = run(transport(shared, known=lines + revoked), {"n1": ADDRESSES[0]}).login()
    assert answer.state is SshState.HOST_KEY
    assert answer.detail.startswith("the host key is revoked")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_node_known_by_one_of_its_keys_is_asked_for_that_one(shared: Sshd, transport: Make, number: int) -> None:
    text = Path(f"{shared.host_keys[number]}.pub").read_text()
    heard = run(transport(shared, known=f"n1 {text}"), {"n1": ADDRESSES[0]})
    assert heard.login().state is SshState.UP


def test_a_key_that_is_added_to_the_file_is_known_in_the_next_run(
    shared: Sshd, transport: Make, tmp_path: Path
) -> None:
    made = transport(shared, known="")
    assert run(made, {"n1": ADDRESSES[0]}).login().state is SshState.HOST_KEY
    (tmp_path / "known_hosts").write_text(shared.known_hosts_lines())
    assert run(made, {"n1": ADDRESSES[0]}).login().state is SshState.UP


# ---- keys ----


@pytest.mark.parametrize(("kind", "passphrase"), [("rsa", ""), ("ecdsa", ""), ("ed25519", "s3cret"), ("rsa", "s3cret")])
def test_every_kind_of_key_logs_in(
    own: Callable[..., Sshd], transport: Make, tmp_path: Path, kind: str, passphrase: str
) -> None:
    mine = make_key(tmp_path / "mine", kind, passphrase)
    sshd = own(key=mine)
    made = transport(sshd, key_file=str(mine), passphrase=passphrase)
    assert run(made, {"n1": sshd.address}).login() == LoginAnswer(SshState.UP)


def test_a_key_that_is_not_authorised_is_refused_and_named(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    answer = run(transport(shared, key_file=str(stranger)), {"n1": ADDRESSES[0]}).login()
    assert answer.state is SshState.AUTH
    assert f'user "{shared.user}" was refused' in answer.detail
    assert str(stranger) in answer.detail
    assert "SHA256:" in answer.detail
    assert "PRIVATE" not in answer.detail


def test_without_any_key_the_answer_says_what_to_set(shared: Sshd, transport: Make) -> None:
    answer = run(transport(shared, key_file=""), {"n1": ADDRESSES[0]}).login()
    assert answer.state is SshState.AUTH
    assert "set [ssh] key_file" in answer.detail


@pytest.mark.parametrize(
    ("passphrase", "problem"), [("", "has a passphrase; set BOTD_SSH_PASSPHRASE"), ("wr0ng", "the passphrase is wrong")]
)
def test_a_key_that_cannot_be_opened_stops_the_program_without_telling_the_passphrase(
    tmp_path: Path, passphrase: str, problem: str
) -> None:
    settings = SshSettings(key_file=str(make_key(tmp_path / "id", passphrase="s3cret")))
    with pytest.raises(ConfigError, match=problem) as caught:
        SshTransport(settings, passphrase=passphrase)
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "no key\n"])
def test_a_key_file_that_holds_no_key_stops_the_program(tmp_path: Path, text: str | None) -> None:
    if text:
        (tmp_path / "id").write_text(text)
    with pytest.raises(ConfigError, match="cannot read the ssh key"):
        SshTransport(SshSettings(key_file="id"), base=Config(path=str(tmp_path / "botd.toml")))


def test_the_keys_of_the_agent_log_in_when_asked(
    shared: Sshd, transport: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_program("ssh-agent")
    path = str(tmp_path / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(Path(path).exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        subprocess.run(["ssh-add", "-q", str(shared.host_keys[0].parent / "id")], check=True, capture_output=True)
        targets = {f"n{i}": address for i, address in enumerate(ADDRESSES)}
        with_agent = run(transport(shared, key_file="", agent=True), targets)
        without = run(transport(shared, key_file=""), {"n1": ADDRESSES[0]})
    finally:
        agent.kill()
        agent.wait()
    assert set(with_agent.states().values()) == {SshState.UP}
    assert without.login().state is SshState.AUTH


# ---- commands ----


def test_a_fragment_that_hangs_costs_only_itself(shared: Sshd, transport: Make) -> None:
    both = (Fragment("slow", "sleep 60", 60), *HELLO)
    heard = run(transport(shared, command_timeout=4), {"n1": ADDRESSES[0]}, both)
    assert heard.outputs() == {
        "hello": Output("hello\n", 0),
        "slow": Output(timed_out=True, detail="did not end within 4 s"),
    }


def test_a_fragment_that_floods_costs_only_itself(shared: Sshd, transport: Make) -> None:
    outputs = run(transport(shared), {"n1": ADDRESSES[0]}, (Fragment("flood", "yes", 20), *HELLO)).outputs()
    assert outputs["flood"].truncated
    assert outputs["hello"] == Output("hello\n", 0)


def test_many_fragments_with_much_output_all_answer(shared: Sshd, transport: Make) -> None:
    """Together they print more than one command may usually send."""
    many = [Fragment(f"f{number}", "head -c 3400 /dev/zero | tr '\\0' x", 20) for number in range(WINDOW // 3400 + 20)]
    outputs = run(transport(shared), {"n1": ADDRESSES[0]}, many).outputs()
    assert outputs == {each.name: Output("x" * 3400, 0) for each in many}


def test_a_connection_uses_a_cipher_that_checks_packets_itself(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own(options="LogLevel DEBUG1")
    run(transport(sshd), {"n1": sshd.address})
    assert "client->server cipher: aes128-gcm@openssh.com" in sshd.log()


def test_an_sshd_without_such_a_cipher_is_logged_in_to_with_another(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own(options="Ciphers aes256-ctr")
    assert run(transport(sshd), {"n1": sshd.address}).outputs() == {"hello": Output("hello\n", 0)}


def test_a_fault_with_an_output_is_answered_for_logged_and_costs_that_node_only(
    shared: Sshd, transport: Make, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    def deliver(delivery: Delivery) -> None:
        if delivery.node == "n1" and delivery.answer == Output("hello\n", 0):
            raise ZeroDivisionError
        heard(delivery)

    both = {"n1": ADDRESSES[0], "n2": ADDRESSES[1]}
    transport(shared).run(both, lambda node: HELLO, deliver, node_deadline_s=20)
    assert heard.outputs("n2") == {"hello": Output("hello\n", 0)}
    assert "the command answer of n1 could not be delivered" in caplog.text


def test_a_login_shell_that_greets_changes_nothing(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own(options="ForceCommand echo Welcome; echo '==='; eval \"$SSH_ORIGINAL_COMMAND\"")
    assert run(transport(sshd), {"n1": sshd.address}).outputs() == {"hello": Output("hello\n", 0)}


def test_a_login_shell_that_never_stops_talking_is_cut_off(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own(options="ForceCommand yes")
    heard = run(transport(sshd), {"n1": sshd.address})
    assert heard.login().state is SshState.UP
    assert heard.outputs()["hello"].truncated
    assert "more than 64 KiB" in heard.outputs()["hello"].detail
    wait_until(lambda: not sshd.sessions())


def test_an_account_without_a_shell_is_quoted(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own(options="ForceCommand echo This account is currently not available.")
    (output,) = run(transport(sshd), {"n1": sshd.address}).outputs().values()
    assert output == Output(detail='the command ended without it: "This account is currently not available."')


def test_a_connection_that_breaks_in_the_middle_says_so(
    own: Callable[..., Sshd], transport: Make, tmp_path: Path
) -> None:
    sshd = own()
    begun = tmp_path / "begun"
    slow = (Fragment("slow", f"touch {begun}; sleep 60", 60),)
    heard = Heard()
    thread = threading.Thread(
        target=transport(sshd).run,
        args=({"n1": sshd.address}, lambda node: slow, heard),
        kwargs={"node_deadline_s": 60},
    )
    thread.start()
    wait_until(begun.exists)
    sshd.drop_sessions()
    thread.join(60)
    assert heard.outputs() == {"slow": Output(detail="the connection was lost")}


def test_an_answer_is_delivered_before_the_slow_ones_are_in(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    """The slow fragment ends only once the quick one has been delivered."""
    flag = tmp_path / "delivered"
    slow = Fragment("slow", f"while [ ! -e {flag} ]; do sleep 0.05; done; echo seen", 20)
    heard = Heard()

    def deliver(delivery: Delivery) -> None:
        heard(delivery)
        if delivery.check == "hello":
            flag.touch()

    transport(shared).run({"n1": ADDRESSES[0]}, lambda node: (slow, *HELLO), deliver, node_deadline_s=60)
    assert heard.outputs()["slow"] == Output("seen\n", 0)


def test_a_node_is_answered_for_within_its_deadline(shared: Sshd, transport: Make) -> None:
    heard = run(transport(shared), {"n1": ADDRESSES[0]}, (Fragment("slow", "sleep 600", 600),), deadline_s=4)
    assert heard.outputs()["slow"].timed_out
    assert sum(d.took_s or 0 for d in heard.deliveries) < 300


# ---- connections that are kept ----


def test_a_kept_connection_is_used_again(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own()
    made = transport(sshd)
    heard = [run(made, {"n1": sshd.address}) for _ in range(3)]
    assert [h.outputs()["hello"].status for h in heard] == [0, 0, 0]
    assert [h.login().detail for h in heard] == ["", *["on a connection that was kept"] * 2]
    assert sshd.logins() == 1


def test_fresh_proves_the_login_again_and_keeps_the_new_connection(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own()
    made = transport(sshd)
    for fresh in (False, True, False):
        assert run(made, {"n1": sshd.address}, fresh=fresh).login().state is SshState.UP
    assert sshd.logins() == 2
    wait_until(lambda: len(sshd.sessions()) == 1)


def test_a_kept_connection_that_died_is_replaced_in_the_same_run(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own()
    made = transport(sshd)
    run(made, {"n1": sshd.address})
    sshd.drop_sessions()
    heard = run(made, {"n1": sshd.address})
    assert heard.login() == LoginAnswer(SshState.UP)
    assert heard.outputs()["hello"].status == 0
    assert sshd.logins() == 2


def test_a_kept_connection_that_has_gone_silent_is_replaced_in_the_same_run(
    own: Callable[..., Sshd], transport: Make
) -> None:
    sshd = own()
    made = transport(sshd)
    run(made, {"n1": sshd.address})
    silent = [p for s in sshd.sessions() for p in [s, *s.children(recursive=True)]]
    for process in silent:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    heard = run(made, {"n1": sshd.address})
    for process in silent:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
    assert heard.login() == LoginAnswer(SshState.UP)
    assert heard.outputs()["hello"].status == 0


def test_an_sshd_that_stopped_is_refused_though_a_connection_was_kept(
    own: Callable[..., Sshd], transport: Make
) -> None:
    sshd = own()
    made = transport(sshd)
    run(made, {"n1": sshd.address})
    sessions = sshd.sessions()
    sshd.stop_listening()
    assert run(made, {"n1": sshd.address}).login().state is SshState.REFUSED
    wait_until(lambda: not any(session.is_running() for session in sessions))


@pytest.mark.parametrize(("keep", "left"), [(0, 0), (2, 2)])
def test_no_more_connections_stay_open_than_may(
    own: Callable[..., Sshd], transport: Make, keep: int, left: int
) -> None:
    sshd = own()
    run(transport(sshd, keep=keep), {f"n{i}": sshd.address for i in range(5)})
    wait_until(lambda: len(sshd.sessions()) == left)


def test_those_that_were_kept_first_stay_when_there_is_no_room_for_all(
    own: Callable[..., Sshd], transport: Make
) -> None:
    sshd = own()
    made = transport(sshd, keep=1)
    for node in ("n1", "n2", "n1", "n2"):
        run(made, {node: sshd.address})
    assert sshd.logins() == 3


def test_a_connection_is_not_kept_longer_than_it_may(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own()
    made = transport(sshd, keep_for=0.001)
    for _ in range(2):
        assert run(made, {"n1": sshd.address}).login() == LoginAnswer(SshState.UP)
    assert sshd.logins() == 2


def test_close_closes_what_was_kept_and_the_transport_still_works(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own()
    made = transport(sshd)
    run(made, {"n1": sshd.address})
    made.close()
    wait_until(lambda: not sshd.sessions())
    assert run(made, {"n1": sshd.address}).login().state is SshState.UP


def test_two_runs_at_once_never_share_a_connection(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own()
    made = transport(sshd)
    run(made, {"n1": sshd.address})
    all_heard = [Heard() for _ in range(4)]
    threads = [
        threading.Thread(
            target=made.run, args=({"n1": sshd.address}, lambda node: HELLO, heard), kwargs={"node_deadline_s": 60}
        )
        for heard in all_heard
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [heard.outputs() for heard in all_heard] == [{"hello": Output("hello\n", 0)}] * 4
    wait_until(lambda: len(sshd.sessions()) == 1)


def test_connections_that_are_kept_cost_nothing_while_idle(shared: Sshd, transport: Make) -> None:
    others = _tasks()  # of this process, and no matter of these connections
    made = transport(shared)
    run(made, {f"n{i}": ADDRESSES[i % 8] for i in range(30)})
    before = _wakings(others)
    end_s = time.monotonic() + 1
    while (left_s := end_s - time.monotonic()) > 0:
        threading.Event().wait(left_s)
    # 30 threads that wake ten times a second would make 300.
    assert _wakings(others) - before < 150


def _tasks() -> set[Path]:
    """The threads of this process, each by its folder (proc(5))."""
    return set(Path("/proc/self/task").iterdir())


def _wakings(others: set[Path]) -> int:
    """How often the threads of this process have gone to sleep so far, without these others."""
    texts = [(path / "status").read_text() for path in _tasks() - others]
    return sum(int(text.partition("voluntary_ctxt_switches:")[2].split()[0]) for text in texts)


# ---- ssh_config ----


def config(tmp_path: Path, text: str) -> str:
    (tmp_path / "ssh_config").write_text(text)
    return str(tmp_path / "ssh_config")


def test_ssh_config_names_address_port_user_and_key(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    path = config(
        tmp_path,
        f"Host n*\n HostName {ADDRESSES[2]}\n Port {shared.port}\n User {shared.user}\n"
        f" IdentityFile {shared.host_keys[0].parent / 'id'}\n",
    )
    made = transport(shared, config=path, user="", key_file="", port=1)
    assert run(made, {"n1": None}).outputs() == {"hello": Output("hello\n", 0)}


def test_an_identity_file_that_is_missing_is_named_in_the_log(
    shared: Sshd, transport: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = transport(shared, config=config(tmp_path, f"IdentityFile {tmp_path}/missing\n"))
    assert run(made, {"n1": ADDRESSES[0]}).login().state is SshState.UP
    made = transport(shared, config=config(tmp_path, f"IdentityFile {tmp_path}/missing\n"), key_file="")
    assert run(made, {"n1": ADDRESSES[0]}).login().state is SshState.AUTH
    assert f"{tmp_path}/missing" in caplog.text


def test_a_proxy_command_is_never_run(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    made = transport(shared, config=config(tmp_path, f"Host n1\n ProxyCommand touch {tmp_path}/ran\n"))
    heard = run(made, {"n1": ADDRESSES[0], "n2": ADDRESSES[0]})
    assert heard.login("n1").state is SshState.UNRESOLVED
    assert "ProxyCommand" in heard.login("n1").detail
    assert heard.login("n2").state is SshState.UP
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("alias", ["rack-a", "Rack-A"])
def test_nodes_that_share_a_host_key_are_known_by_its_alias(
    shared: Sshd, transport: Make, tmp_path: Path, alias: str
) -> None:
    """The alias stands in known_hosts without brackets and port, and nothing else counts beside it."""
    path = config(tmp_path, f"Host n*\n HostKeyAlias {alias}  # diskless\n")
    text = Path(f"{shared.host_keys[0]}.pub").read_text()
    heard = run(transport(shared, config=path, known=f"rack-a {text}"), {"n1": ADDRESSES[0], "n2": ADDRESSES[1]})
    assert heard.states() == {"n1": SshState.UP, "n2": SshState.UP}
    assert run(transport(shared, config=path), {"n1": ADDRESSES[0]}).login().state is SshState.HOST_KEY


def test_a_new_host_key_is_written_down_under_its_alias(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    path = config(tmp_path, "HostKeyAlias rack-a\n")
    made = transport(shared, config=path, known="", host_key_policy="accept-new")
    assert run(made, {"n1": ADDRESSES[0], "n2": ADDRESSES[1]}).login("n2").state is SshState.UP
    assert (tmp_path / "known_hosts").read_text().startswith("rack-a ssh-ed25519 ")


def test_known_hosts_files_of_ssh_config_count_for_the_nodes_that_they_are_for(
    shared: Sshd, transport: Make, tmp_path: Path
) -> None:
    (tmp_path / "racks").write_text(shared.known_hosts_lines())
    text = f"""
        Host n1
          UserKnownHostsFile {tmp_path}/missing "{tmp_path}/racks"
        Host n2
          GlobalKnownHostsFile {tmp_path}/racks
          UserKnownHostsFile none
        Host n3
          UserKnownHostsFile {tmp_path}/missing
    """
    made = transport(shared, config=config(tmp_path, text), known_hosts="")
    assert run(made, {f"n{i}": ADDRESSES[0] for i in (1, 2, 3)}).states() == {
        "n1": SshState.UP,
        "n2": SshState.UP,
        "n3": SshState.HOST_KEY,
    }
    (tmp_path / "missing").write_text(shared.known_hosts_lines())
    assert run(made, {"n3": ADDRESSES[0]}).login("n3").state is SshState.UP, "a file that has changed is read again"


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("UserKnownHostsFile /x\nGlobalKnownHostsFile /y\n", "UserKnownHostsFile"),
        ("StrictHostKeyChecking no\n", "StrictHostKeyChecking"),
        ("VerifyHostKeyDNS yes\n", "VerifyHostKeyDNS"),
        ("KnownHostsCommand /bin/echo %H\n", "KnownHostsCommand"),
        ("BindAddress 10.0.0.1\n", "BindAddress"),
        ("AddressFamily inet6\n", "AddressFamily"),
    ],
)
def test_a_line_that_is_not_followed_is_told_once_at_the_start(
    shared: Sshd, transport: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, keyword: str
) -> None:
    path = config(tmp_path, f"Host n*\n{text}Host *\n{text}")
    made = transport(shared, config=path)
    for _ in range(2):
        assert run(made, {"n1": ADDRESSES[0], "n2": ADDRESSES[1]}).login("n2").state is SshState.UP
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert told[0].startswith(f"{path} line 2: {keyword} is not followed: ")


def test_lines_that_agree_with_what_botd_does_are_not_told(
    shared: Sshd, transport: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "StrictHostKeyChecking yes # always\nCheckHostIP no\nKnownHostsCommand none\nAddressFamily any\nPort 22\n"
    transport(shared, config=config(tmp_path, text))
    assert not caplog.records


@pytest.mark.parametrize("text", ['Match exec "touch ran"\n User x\n', "Match host n1 exec ran\n", "Host 'x\n"])
def test_an_ssh_config_that_cannot_be_used_stops_the_program(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        SshTransport(SshSettings(config=config(tmp_path, text)))


@pytest.fixture
def jumps(own: Callable[..., Sshd]) -> list[Sshd]:
    """Two jump nodes, and a node behind them that they can reach."""
    return [own(f"sshd{i}", f"127.0.5.{i}") for i in (1, 2, 3)]


@pytest.mark.parametrize("hops", [1, 2])
def test_a_node_behind_jump_nodes_is_reached_over_one_connection_to_each(
    jumps: list[Sshd], transport: Make, tmp_path: Path, hops: int
) -> None:
    inner = jumps[2]
    path = ",".join(f"{s.address}:{s.port}" for s in jumps[:hops])
    made = transport(
        inner,
        known="".join(s.known_hosts_lines() for s in jumps),
        config=config(tmp_path, f"Host n*\n ProxyJump {path}\n"),
    )
    heard = run(made, {f"n{i}": inner.address for i in range(3)})
    assert set(heard.states().values()) == {SshState.UP}
    assert heard.outputs("n2") == {"hello": Output("hello\n", 0)}
    assert [s.logins() for s in jumps] == [int(hops > 0), int(hops > 1), 3]
    wait_until(lambda: not any(s.sessions() for s in jumps))


def test_a_jump_node_with_an_unknown_key_lets_nobody_through(
    jumps: list[Sshd], transport: Make, tmp_path: Path
) -> None:
    outer, _, inner = jumps
    made = transport(inner, config=config(tmp_path, f"Host n*\n ProxyJump {outer.address}:{outer.port}\n"))
    heard = run(made, {"n1": inner.address, "n2": inner.address})
    for node in ("n1", "n2"):
        answer = heard.login(node)
        assert answer.state is SshState.HOST_KEY
        assert answer.detail.startswith(f'jump node "{outer.address}": ')
    assert inner.logins() == 0


def test_a_jump_node_is_reached_as_its_own_stanza_says(jumps: list[Sshd], transport: Make, tmp_path: Path) -> None:
    """Name, address, port, user, key alias and the way to it; the user of [ssh] is that of the nodes."""
    first, second, inner = jumps
    me = inner.user
    text = f"""
        Host n*
          ProxyJump ssh://{me}@gw-2.test
        Host gw-1
          HostName {first.address}
          Port {first.port}
          User {me}
        Host gw-2.test
          HostName {second.address}
          User nobody
          Port = {second.port}   # not 22
          HostKeyAlias gateway
          ProxyJump gw-1
    """
    key = Path(f"{second.host_keys[0]}.pub").read_text()
    known = f"gateway {key}\n{first.known_hosts_lines()}{inner.known_hosts_lines()}"
    made = transport(inner, config=config(tmp_path, text), known=known)
    heard = run(made, {f"n{i}": inner.address for i in range(3)})
    assert set(heard.states().values()) == {SshState.UP}
    assert [sshd.logins() for sshd in jumps] == [1, 1, 3]


def test_a_way_in_a_circle_is_that_nodes_answer(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    text = "Host n1\n ProxyJump gw1\nHost gw1\n ProxyJump gw2\nHost gw2\n ProxyJump gw1\n"
    heard = run(transport(shared, config=config(tmp_path, text)), {"n1": ADDRESSES[0], "n2": ADDRESSES[1]})
    assert heard.login("n1") == LoginAnswer(
        SshState.UNRESOLVED, 'ssh_config leads through the jump node "gw1" in a circle'
    )
    assert heard.login("n2").state is SshState.UP


def test_a_node_that_its_jump_node_cannot_reach_is_a_timeout(
    jumps: list[Sshd], transport: Make, tmp_path: Path
) -> None:
    outer, _, inner = jumps
    path = config(tmp_path, f"Host n*\n ProxyJump {outer.address}:{outer.port}\n")
    made = transport(inner, known=outer.known_hosts_lines(), config=path)
    inner.stop()
    answer = run(made, {"n1": inner.address}).login()
    assert answer == LoginAnswer(SshState.TIMEOUT, "the jump node could not connect to it")


def test_a_jump_node_that_forwards_nothing_is_named(own: Callable[..., Sshd], transport: Make, tmp_path: Path) -> None:
    outer = own(options="AllowTcpForwarding no")
    path = config(tmp_path, f"Host n*\n ProxyJump {outer.address}:{outer.port}\n")
    answer = run(transport(outer, config=path), {"n1": outer.address}).login()
    assert answer.state is SshState.REFUSED
    assert answer.detail.startswith("the jump node does not let botd through")


def test_a_dead_jump_node_answers_for_all_behind_it(jumps: list[Sshd], transport: Make, tmp_path: Path) -> None:
    outer, _, inner = jumps
    outer.stop()
    made = transport(inner, config=config(tmp_path, f"Host n*\n ProxyJump {outer.address}:{outer.port}\n"))
    heard = run(made, {f"n{i}": inner.address for i in range(5)})
    assert set(heard.states().values()) == {SshState.REFUSED}


# ---- many nodes ----


def test_nodes_that_stall_delay_nobody(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    """Room for four at once, and ten that stall in their login until all the 40 others have been answered for."""
    good = {f"n{i}": ADDRESSES[i % 8] for i in range(40)}
    bad = {f"bad{i}": "127.0.3.1" for i in range(10)}
    stalled: list[socket.socket] = []
    heard = Heard()

    def stall(sock: socket.socket) -> None:
        stalled.append(sock)
        sock.sendall(BANNER)

    def deliver(delivery: Delivery) -> None:
        heard(delivery)
        if delivery.check == "hello" and sum(d.check == "hello" for d in heard.deliveries) == len(good):
            for sock in stalled:
                sock.shutdown(socket.SHUT_RDWR)

    with server(stall) as port:
        made = transport(shared, config=config(tmp_path, f"Host bad*\n Port {port}\n"), parallel=4, connect_timeout=600)
        made.run({**bad, **good}, lambda node: HELLO, deliver, node_deadline_s=600)
    states = heard.states()
    assert {states[node] for node in good} == {SshState.UP}
    assert {states[node] for node in bad} == {SshState.REFUSED}, "they were not let past"


def test_no_more_nodes_work_at_once_than_may(
    own: Callable[..., Sshd], transport: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command says how many run beside it."""
    monkeypatch.setattr("botd.transport.ssh.places.SILENT_S", 60.0)  # on a busy machine they seem silent, and give way
    sshd = own(options="ForceCommand exec /bin/sh -s")
    busy = tmp_path / "busy"
    busy.mkdir()
    count = Fragment("count", f"f=$(mktemp -p {busy}); sleep 0.4; n=$(ls {busy} | wc -l); rm $f; echo $n", 20)
    heard = run(transport(sshd, parallel=2), {f"n{i}": sshd.address for i in range(8)}, (count,))
    assert {int(heard.outputs(f"n{i}")["count"].text) for i in range(8)} <= {1, 2}


def test_a_place_is_free_again_when_it_is_given_back_and_all_are_told() -> None:
    told: list[str] = []
    places = Places(2)
    places.join(lambda: told.append("free"))
    assert [places.take() for _ in range(3)] == [True, True, False]
    places.give()
    assert told == ["free"]
    assert [places.take() for _ in range(2)] == [True, False]


def test_silent_nodes_cost_no_threads(shared: Sshd, transport: Make) -> None:
    most = 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal most
        while not stop.wait(0.02):
            most = max(most, threading.active_count())

    before = threading.active_count()
    watcher = threading.Thread(target=watch)
    watcher.start()
    with server(lambda sock: None) as port:
        heard = run(transport(shared, port=port, connect_timeout=1), {f"n{i}": "127.0.3.1" for i in range(100)})
    stop.set()
    watcher.join()
    assert set(heard.states().values()) == {SshState.HUNG}
    assert most - before < 10


def test_no_threads_and_files_are_left_over(shared: Sshd, transport: Make) -> None:
    made = transport(shared, keep=0)
    process = psutil.Process()
    before = len(process.net_connections())
    run(made, {"n1": ADDRESSES[0]})
    wait_until(lambda: len(process.net_connections()) <= before)
    threads, files = threading.active_count(), process.num_fds()
    run(made, {f"n{i}": ADDRESSES[i % 8] for i in range(10)})
    wait_until(lambda: threading.active_count() <= threads and process.num_fds() <= files)


def test_a_fault_in_botd_itself_is_answered_for_and_logged(
    shared: Sshd, transport: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("botd.transport.ssh.login.Logins.log_in", fail)
    answer = run(transport(shared), {"n1": ADDRESSES[0]}).login()
    assert answer == LoginAnswer(SshState.HUNG, "botd failed, see its log: ZeroDivisionError")
    assert "a bug" in caplog.text


GOOD = {f"n{i}": "127.0.3.1" for i in range(50)}
MIDDLE: dict[str, str | None] = {**dict(list(GOOD.items())[:25]), "bad": "127.0.3.1", **GOOD}
"""50 nodes that nothing is wrong with, and in the middle of them one."""


@pytest.fixture
def quick(shared: Sshd, transport: Make) -> Iterator[SshTransport]:
    """A transport to a server that ends each connection at once: that costs no login, and every node is `refused`."""
    with server(lambda sock: sock.shutdown(socket.SHUT_RDWR)) as port:
        yield transport(shared, port=port)


def only_for_bad(owner: object, name: str) -> Callable[..., object]:
    """The function of this name, which fails for the one bad node."""
    function = getattr(owner, name)

    def fail(*arguments: object, **named: object) -> object:
        if any("bad" in (each, getattr(each, "name", ""), getattr(each, "node", "")) for each in arguments):
            raise ValueError("the reason")
        return function(*arguments, **named)

    return fail


@pytest.mark.parametrize(("owner", "name"), [(Routes, "_route"), (Routes, "_said"), (nodes, "_address")])
def test_a_fault_while_one_way_is_worked_out_is_that_nodes_answer(
    quick: SshTransport, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, owner: object, name: str
) -> None:
    monkeypatch.setattr(owner, name, only_for_bad(owner, name))
    if owner is Routes and name == "_route":
        quick._routes.route = quick._routes._route  # type: ignore[method-assign]
    states = (heard := run(quick, MIDDLE)).states()
    assert heard.login("bad") == LoginAnswer(SshState.UNRESOLVED, "botd failed, see its log: ValueError: the reason")
    assert {states[node] for node in GOOD} == {SshState.REFUSED}
    assert "the way to bad cannot be worked out" in caplog.text


@pytest.mark.parametrize("name", ["_connect", "_on_connected", "_on_first_bytes"])
def test_a_fault_in_the_loop_of_all_nodes_is_the_answer_of_one(
    quick: SshTransport, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(LoginRound, name, only_for_bad(LoginRound, name))
    states = (heard := run(quick, MIDDLE)).states()
    assert heard.login("bad") == LoginAnswer(SshState.HUNG, "botd failed, see its log: ValueError")
    assert {states[node] for node in GOOD} == {SshState.REFUSED}


def test_a_fault_while_the_fragments_of_one_node_are_made_is_that_nodes_answer(quick: SshTransport) -> None:
    def fragments(node: str) -> Sequence[Fragment]:
        if node == "bad":
            raise KeyError("no such option")
        return HELLO

    heard = Heard()
    quick.run(MIDDLE, fragments, heard, node_deadline_s=60)
    assert heard.login("bad").state is SshState.UNRESOLVED
    assert "KeyError: 'no such option'" in heard.login("bad").detail
    assert {heard.login(node).state for node in GOOD} == {SshState.REFUSED}


def test_an_answer_that_cannot_be_delivered_costs_no_other(quick: SshTransport) -> None:
    heard = Heard()

    def deliver(delivery: Delivery) -> None:
        if delivery.node.startswith("bad"):
            raise ZeroDivisionError
        heard(delivery)

    quick.run({"bad without an address": None, **MIDDLE}, lambda node: HELLO, deliver, node_deadline_s=60)
    assert heard.states() == dict.fromkeys(GOOD, SshState.REFUSED)


def test_names_of_ssh_config_are_looked_up_all_at_once(shared: Sshd, transport: Make, tmp_path: Path) -> None:
    """One after the other, names that the resolver is silent on would hold up the whole run."""
    asked: list[set[str]] = []

    def resolve(names: Iterable[str]) -> dict[str, str | None]:
        asked.append(set(names))
        return {name: None if "3" in name else ADDRESSES[0] for name in asked[-1]}

    made = transport(shared, config=config(tmp_path, "Host n*\n HostName %h.nodes.test\n"), resolve=resolve)
    heard = run(made, {f"n{i}": None for i in range(1, 5)} | {"m1": ADDRESSES[1]})
    assert asked == [{f"n{i}.nodes.test" for i in range(1, 5)}]
    assert heard.login("n3") == LoginAnswer(SshState.UNRESOLVED, '"n3.nodes.test" has no address')
    assert [heard.login(node).state for node in ("n1", "n4", "m1")] == [SshState.UP] * 3


def test_nothing_secret_is_logged(
    own: Callable[..., Sshd], transport: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = make_key(tmp_path / "mine", passphrase="s3cret")
    sshd = own(key=mine)
    with caplog.at_level(logging.DEBUG):
        made = transport(sshd, key_file=str(mine), passphrase="s3cret", host_key_policy="accept-new", known="")
        heard = run(made, {"n1": sshd.address})
    assert heard.login().state is SshState.UP
    assert "took the new host key of [n1]" in caplog.text
    body = "".join(mine.read_text().splitlines()[1:3])
    assert "s3cret" not in caplog.text
    assert body[:40] not in caplog.text
