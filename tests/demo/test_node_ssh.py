"""The simulated ssh servers through paramiko's client."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import paramiko
import pytest

from botd.answers import Output, Source
from botd.checks import command_for, site_checks
from botd.demo.machine import Mount, Sshd
from botd.transport.ssh.script import COMMAND, Fragment, FrameReader, build_script
from tests.demo.conftest import DemoSite
from tests.program import wait_until


def run_checks(
    demo: DemoSite, transport: paramiko.Transport, name: str, *, missing: str = "", timeout_s: float = 30
) -> dict[str, Output]:
    """All remote checks of a node over this connection, but not waiting for the `missing` one."""
    checks = [check for check in site_checks(demo.config).values() if check.source is Source.COMMAND]
    channel = transport.open_session(timeout=timeout_s)
    channel.settimeout(timeout_s)
    channel.exec_command(COMMAND)
    parts = [Fragment(check.name, command_for(check, name, guarded=True), check.timeout_s) for check in checks]
    channel.sendall(build_script("c0ffee", parts))
    channel.shutdown_write()
    reader = FrameReader("c0ffee")
    found: dict[str, Output] = {}
    while remote_names(demo) - set(found) - {missing}:
        found.update(reader.feed(channel.recv(65_536)))
    channel.close()
    return found


def remote_names(demo: DemoSite) -> set[str]:
    return {check.name for check in site_checks(demo.config).values() if check.source is Source.COMMAND}


def test_one_command_answers_every_remote_check(demo: DemoSite) -> None:
    name = demo.node(lambda node: node.up and not node.standing.reason).name
    with demo.login(name) as transport:
        found = run_checks(demo, transport, name)
    assert set(found) == remote_names(demo)
    assert {output.status for output in found.values()} == {0}


def test_a_kept_connection_serves_one_command_after_the_other(demo: DemoSite) -> None:
    name = demo.node(lambda node: node.up and not node.standing.reason).name
    with demo.login(name) as transport:
        uptimes = [float(run_checks(demo, transport, name)["uptime"].text.split()[0]) for _ in range(5)]
    assert uptimes == sorted(uptimes)
    assert len(uptimes) == 5


def test_each_address_is_its_own_node(demo: DemoSite) -> None:
    for name in [node.name for node in demo.nodes if node.answers and node.health.sshd is Sshd.UP][:4]:
        with demo.login(name) as transport:
            channel = transport.open_session()
            channel.exec_command("hostname")
            assert channel.recv(100) == f"{name}\n".encode()
            assert channel.recv_exit_status() == 0


def test_a_dead_sshd_refuses(demo: DemoSite) -> None:
    with pytest.raises(ConnectionRefusedError):
        demo.login(demo.node(lambda node: node.health.sshd is Sshd.REFUSED).name)


@pytest.mark.parametrize("fault", ["powered off", "cut off"])
def test_a_dead_node_does_not_answer_a_connection(demo: DemoSite, fault: str) -> None:
    node = demo.node(lambda node: not node.health.powered if fault == "powered off" else node.health.cut_off)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            socket.create_connection((node.address, demo.config.ssh.port), 0.3)


def test_a_hung_sshd_opens_the_connection_and_says_nothing(demo: DemoSite) -> None:
    node = demo.node(lambda node: node.health.sshd is Sshd.HUNG)
    with socket.create_connection((node.address, demo.config.ssh.port), 2) as wire:
        wire.sendall(b"SSH-2.0-test\r\n")
        wire.settimeout(0.3)
        with pytest.raises(TimeoutError):
            wire.recv(10)


def test_a_node_that_does_not_know_the_key_rejects_the_login(demo: DemoSite) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        demo.login(demo.node(lambda node: node.health.sshd is Sshd.NO_KEY).name)


def test_a_strange_key_is_rejected(demo: DemoSite, tmp_path: Path) -> None:
    node = demo.node(lambda node: node.answers and node.health.sshd is Sshd.UP)
    with paramiko.Transport(socket.create_connection((node.address, demo.config.ssh.port), 5)) as transport:
        transport.start_client(timeout=5)
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_publickey(demo.config.ssh.user, paramiko.RSAKey.generate(2048))


def test_a_reinstalled_node_has_another_host_key(demo: DemoSite) -> None:
    with pytest.raises(paramiko.SSHException, match="another host key"):
        demo.login(demo.node(lambda node: node.health.sshd is Sshd.REINSTALLED).name)


def test_a_hung_mount_costs_its_own_answer_and_is_stuck_afterwards(demo: DemoSite) -> None:
    name = demo.node(lambda node: Mount.HUNG in node.health.mounts.values()).name
    with demo.login(name) as transport:
        first = run_checks(demo, transport, name, missing="df_scratch")
        second = run_checks(demo, transport, name)
    assert remote_names(demo) - set(first) == {"df_scratch"}
    assert second["df_scratch"].timed_out


def test_a_command_that_the_node_does_not_know_ends_with_127(demo: DemoSite) -> None:
    with demo.login(demo.node(lambda node: node.up and not node.standing.reason).name) as transport:
        channel = transport.open_session()
        channel.exec_command("mpirun --np 2")
        assert channel.recv(100) == b"/bin/sh: 1: mpirun: not found\n"
        assert channel.recv_exit_status() == 127


def test_many_logins_at_once_all_come_in(demo: DemoSite) -> None:
    names = [node.name for node in demo.nodes if node.answers and node.health.sshd is Sshd.UP]
    done: list[str] = []

    def work(name: str) -> None:
        with demo.login(name, 60) as transport:
            run_checks(demo, transport, name, missing="df_scratch")
            done.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(names)


def wakeups(pid: int) -> int:
    """How often the threads of a process have given up the CPU of their own will (proc_pid_status(5))."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        line = next(line for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt"))
        total += int(line.split()[1])
    return total


def test_idle_connections_do_not_wake_the_demo(demo: DemoSite) -> None:
    pid = demo.cluster.pid
    assert pid
    names = [node.name for node in demo.nodes if node.answers and node.health.sshd is Sshd.UP][:15]
    transports = [demo.login(name) for name in names]
    for transport, name in zip(transports, names, strict=True):
        run_checks(demo, transport, name)
    before = wakeups(pid)
    time.sleep(1.0)  # paramiko's own servers would wake 150 times in this second
    after = wakeups(pid)
    for transport in transports:
        transport.close()
    assert after - before < 60


def test_power_off_silences_a_kept_connection_and_the_boot_resets_it(demo: DemoSite) -> None:
    name = demo.take_sound().name
    with demo.login(name) as transport:
        demo.set_power(name, "off")
        wait_until(lambda: not demo.pings(name))
        with pytest.raises(paramiko.SSHException, match="Timeout"):
            run_checks(demo, transport, name, timeout_s=1)
        assert transport.is_active()
        demo.set_power(name, "on")
        wait_until(lambda: demo.pings(name))
        wait_until(lambda: not transport.is_active())
    with demo.login(name) as transport:
        assert float(run_checks(demo, transport, name)["uptime"].text.split()[0]) < 60
