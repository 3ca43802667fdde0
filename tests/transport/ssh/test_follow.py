"""A log of a node that grows, followed on a real sshd: from its last lines to when nobody reads it any more."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from botd.transport.ssh.follow import command_of
from botd.transport.ssh.nodes import SshTransport
from tests.conftest import leave_out, need_program
from tests.transport.ssh.conftest import Make, run
from tests.transport.sshd import Sshd, wait_until


class Reader:
    """Who follows a log, until `leave`."""

    def __init__(self, transport: SshTransport, address: str, command: str) -> None:
        self.text = b""
        self.why: str | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(transport, address, command), daemon=True)
        self._thread.start()

    def _follow(self, transport: SshTransport, address: str, command: str) -> None:
        self.why = transport.follow("n1", address, command, self._take, node_deadline_s=20)

    def _take(self, data: bytes) -> bool:
        self.text += data
        return not self._left.is_set()

    def leave(self) -> None:
        self._left.set()
        self._thread.join(20)
        assert self.why is not None


@pytest.fixture
def sshd(own: Callable[..., Sshd]) -> Sshd:
    return own()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "it's a $(touch pwned) log; `id` {node}"
    path.write_text("".join(f"line {number}\n" for number in range(1, 31)))
    return path


@pytest.fixture
def follow(sshd: Sshd, transport: Make) -> Iterator[Callable[[str], Reader]]:
    made, readers = transport(sshd), list[Reader]()

    def begin(command: str) -> Reader:
        readers.append(Reader(made, sshd.address, command))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.leave()


def tails(path: Path) -> list[int]:
    """The processes on this machine that follow a file."""
    words = {p.pid: p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])}
    return [pid for pid, line in words.items() if "-F" in line and str(path) in line]


def test_the_last_lines_come_and_then_each_new_one(log: Path, follow: Callable[[str], Reader]) -> None:
    filled = log.rename(log.with_name(log.name.replace("{node}", "n1")))
    reader = follow(command_of(str(log), "n1"))
    wait_until(lambda: b"line 30\n" in reader.text)
    assert reader.text.splitlines()[0] == b"line 11"
    with filled.open("a") as file:
        file.write("one more\n")
    wait_until(lambda: reader.text.endswith(b"line 30\none more\n"))


def test_a_log_that_was_rotated_is_followed_on(tmp_path: Path, follow: Callable[[str], Reader]) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    reader = follow(command_of(str(path), "n1"))
    wait_until(lambda: b"old\n" in reader.text)
    path.rename(tmp_path / "log.1")
    path.write_text("new\n")
    wait_until(lambda: reader.text.endswith(b"new\n"))


def test_when_nobody_reads_it_any_more_nothing_is_left_on_the_node(tmp_path: Path, sshd: Sshd, transport: Make) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    reader = Reader(transport(sshd), sshd.address, command_of(str(path), "n1"))
    wait_until(lambda: b"old\n" in reader.text)
    assert tails(path)
    reader.leave()
    assert reader.why == ""
    wait_until(lambda: not tails(path))


def test_the_connection_is_one_that_was_kept_and_is_kept_afterwards(
    tmp_path: Path, sshd: Sshd, transport: Make
) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    made = transport(sshd)
    run(made, {"n1": sshd.address})
    reader = Reader(made, sshd.address, command_of(str(path), "n1"))
    wait_until(lambda: b"old\n" in reader.text)
    reader.leave()
    heard = run(made, {"n1": sshd.address})
    assert "kept" in heard.login().detail
    assert len(sshd.sessions()) == 1


def test_what_the_command_says_is_heard_and_how_it_ended(tmp_path: Path, follow: Callable[[str], Reader]) -> None:
    reader = follow(command_of(str(tmp_path / "none"), "n1"))
    wait_until(lambda: b"cannot open" in reader.text)
    short = follow("sh -c 'echo gone; exit 3'")
    wait_until(lambda: short.why is not None)
    assert short.text == b"gone\n"
    assert short.why == "the command ended on the node with 3"


def test_a_node_without_a_way_in_says_why(transport: Make, sshd: Sshd) -> None:
    made = transport(sshd)
    assert "ssh unresolved" in made.follow("n1", None, "true", lambda data: True, node_deadline_s=5)


def test_a_login_shell_that_hangs_is_left_alone(own: Callable[..., Sshd], tmp_path: Path, transport: Make) -> None:
    go = tmp_path / "go"
    sshd = own(options=f'ForceCommand while [ ! -e {go} ]; do sleep 0.05; done; eval "$SSH_ORIGINAL_COMMAND"')
    made = transport(sshd, command_timeout=1.0)
    try:
        first = made.follow("n1", sshd.address, "true", lambda data: True, node_deadline_s=20)
        assert first == "the login shell did not begin within 1 s"
        again = made.follow("n1", sshd.address, "true", lambda data: True, node_deadline_s=20)
        assert "an earlier login shell still hangs" in again
    finally:
        go.touch()


def test_a_unit_of_the_journal_is_a_command_of_its_own() -> None:
    command = command_of("journal:slurmd@x.service", "n1")
    assert command == "journalctl --no-pager -o short-iso -n 20 -f -u slurmd@x.service"
    dry = subprocess.run(["sh", "-nc", command_of("journal:a;b", "n1")], capture_output=True)
    assert dry.returncode == 0
    assert "'a;b'" in command_of("journal:a;b", "n1")


# ---- a real journal ----

JOURNALD = """
mount -t tmpfs none /run && mount -t tmpfs none /var/log && mount -t tmpfs none /etc/systemd || exit
printf '[Journal]\\nStorage=volatile\\nAudit=\\nReadKMsg=no\\n' >/etc/systemd/journald.conf
mkdir -p /run/systemd/journal
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
exec "$0"
"""


class Journal:
    """A systemd-journald of its own, which nothing else on this machine writes to or sees."""

    def __init__(self, daemon: subprocess.Popen[bytes]) -> None:
        inside = Path(f"/proc/{daemon.pid}")
        wait_until(lambda: (inside / "exe").readlink().name == "systemd-journald")  # after its mounts, no earlier
        self.enter = f"{need_program('nsenter')} --mount={inside}/ns/mnt "
        self._place = str(inside / "root/run/systemd/journal/socket")
        wait_until(self._hears)

    def write(self, unit: str, text: str) -> None:
        """As systemd-journald(8) takes it of root; the unit is then one of those by which `journalctl -u` finds it."""
        fields = {"MESSAGE": text, "SYSLOG_IDENTIFIER": unit, "OBJECT_SYSTEMD_UNIT": f"{unit}.service"}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.connect(self._place)
            to.send("".join(f"{name}={value}\n" for name, value in fields.items()).encode())

    def _hears(self) -> bool:
        with suppress(OSError):
            self.write("test", "begun")
            return True
        return False


@pytest.fixture
def journal() -> Iterator[Journal]:
    if os.geteuid() != 0:
        leave_out("a mount namespace needs root: run `make test` as root")
    program = shutil.which("systemd-journald", path="/lib/systemd:/usr/lib/systemd")
    if program is None:
        leave_out("systemd-journald is not installed; `make test` as root installs it")
    words = [need_program("unshare"), "-m", "--propagation", "private", "sh", "-c", JOURNALD, program]
    daemon = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Journal(daemon)
    finally:
        daemon.terminate()
        daemon.wait(60)


def test_a_unit_of_a_real_journal_comes_with_its_last_lines_and_grows(
    journal: Journal, follow: Callable[[str], Reader]
) -> None:
    for number in range(25):
        journal.write("slurmd", f"entry {number}.")
        journal.write("sshd", f"other {number}.")
    reader = follow(journal.enter + command_of("journal:slurmd", "n1"))
    wait_until(lambda: b"entry 24." in reader.text)
    assert re.findall(rb"entry (\d+)", reader.text) == [b"%d" % number for number in range(5, 25)]
    assert all(re.match(rb"\d{4}-\d\d-\d\dT[\d:+-]+ \S+ slurmd\[\d+\]: ", line) for line in reader.text.splitlines())
    journal.write("sshd", "other 25.")
    journal.write("slurmd", "entry 25.")
    wait_until(lambda: b"entry 25." in reader.text)
    assert b"other" not in reader.text
    assert len(followers()) == 1
    reader.leave()
    wait_until(lambda: not followers())


def followers() -> list[int]:
    words = {p.pid: p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])}
    return [pid for pid, line in words.items() if line[:1] == ["journalctl"] and line[-1] == "slurmd"]


def test_who_may_not_read_the_journal_is_told_so(journal: Journal, follow: Callable[[str], Reader]) -> None:
    journal.write("slurmd", "entry 0.")
    as_nobody = f"{need_program('setpriv')} --reuid 65534 --regid 65534 --clear-groups "
    reader = follow(journal.enter + as_nobody + command_of("journal:slurmd", "n1"))
    wait_until(lambda: reader.why is not None)
    assert b"insufficient permissions" in reader.text
    assert b"'systemd-journal' group" in reader.text
    assert reader.why == "the command ended on the node with 1"


# ---- behind a jump node ----


def test_a_log_of_a_node_behind_a_jump_node_is_followed_through_it(
    own: Callable[..., Sshd], transport: Make, tmp_path: Path
) -> None:
    log = tmp_path / "slurmd.log"
    log.write_text("line 30\n")
    jump, inner = (own(f"sshd{place}", f"127.0.5.{place}") for place in (1, 2))
    config = tmp_path / "ssh_config"
    config.write_text(f"Host n*\n ProxyJump {jump.address}:{jump.port}\n")
    made = transport(inner, known=jump.known_hosts_lines() + inner.known_hosts_lines(), config=str(config))
    reader = Reader(made, inner.address, command_of(str(log), "n1"))
    try:
        wait_until(lambda: b"line 30\n" in reader.text)
        with log.open("a") as file:
            file.write("line 31\n")
        wait_until(lambda: b"line 31\n" in reader.text)
        assert (jump.logins(), inner.logins()) == (1, 1)
    finally:
        reader.leave()
    wait_until(lambda: not tails(log))
