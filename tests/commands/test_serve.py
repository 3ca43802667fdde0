"""`botd serve`: two processes that are started again when they end, and that end with the one that started them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from botd.commands.ending import stop_event
from botd.commands.serve import Child, check_port, check_user
from botd.config import parse_config
from botd.errors import ConfigError
from tests.program import Program, endless_request, free_port, is_gone, wait_until

CONFIG = """
[server]
listen = "127.0.0.1:{port}"
[slurm]
sinfo_file = "sinfo.txt"
squeue = "{folder}/squeue"
timeout = 600
[sweep]
checks = ["jobs"]
[groups]
directories = []
"""


class Served(Program):
    """`botd serve` whose first sweep hangs in squeue, and whose standard error is kept."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.folder = folder
        path = folder / "botd.toml"
        path.write_text(CONFIG.format(port=port, folder=folder))
        (folder / "sinfo.txt").write_text("NODELIST REASON\nn1 bad GPU\n")
        squeue = folder / "squeue"
        squeue.write_text("#!/bin/sh\nsleep 600\n")
        squeue.chmod(0o755)
        self.port = port
        self.seen: set[psutil.Process] = set()
        super().__init__(path, port)

    @property
    def words(self) -> list[str]:
        return [sys.executable, "-m", "botd", "serve", "--config", str(self.config_path)]

    def start(self) -> None:
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(self.words, stderr=log, start_new_session=True)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def family(self) -> list[psutil.Process]:
        """Supervisor, agent, gunicorn, two workers, and squeue with its sleep, once all of them are there."""

        def found() -> list[psutil.Process]:
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children(recursive=True)]

        family = wait_until(lambda: self.is_well() and len(all_of_them := found()) == 7 and all_of_them)
        self.seen.update(family)
        return family


class InTerminal(Served):
    """The same in a terminal, which can be closed, also where the tests themselves run under nohup."""

    def start(self) -> None:
        self.terminal, inside = pty.openpty()
        words = [
            "env",
            "--default-signal=HUP",
            "setsid",
            "-c",
            *self.words[:3],
            "--log-level",
            "error",
            *self.words[3:],
        ]
        self.process = subprocess.Popen(words, stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)


def close_terminal(program: Served) -> None:
    assert isinstance(program, InTerminal)
    os.close(program.terminal)


def sends(number: signal.Signals) -> Callable[[Served], None]:
    return lambda program: program.process.send_signal(number)


@contextmanager
def running(make: type[Served], folder: Path) -> Iterator[Served]:
    program = make(folder)
    try:
        yield program
    finally:
        program.process.terminate()
        program.process.wait()
        for process in program.seen:  # an agent that was killed leaves its squeue behind
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.mark.parametrize(
    ("make", "end"),
    [
        pytest.param(Served, sends(signal.SIGINT), id="Ctrl-C"),
        pytest.param(Served, sends(signal.SIGTERM), id="SIGTERM"),
        pytest.param(Served, sends(signal.SIGKILL), id="SIGKILL"),
        pytest.param(InTerminal, close_terminal, id="closed terminal"),
    ],
)
def test_whatever_ends_it_all_that_it_started_ends_too(tmp_path: Path, make: type[Served], end) -> None:
    """Also while a sweep hangs in a command and a worker in a request."""
    with running(make, tmp_path) as program:
        family = program.family()
        with endless_request(program.port):
            end(program)
            wait_until(lambda: all(map(is_gone, family)))
    if make is Served:
        assert not re.search("memory|SIGKILL|killing|Traceback|alembic", program.log())


def test_under_nohup_a_closed_terminal_is_nothing(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop_event()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    """Also the web server, whose port is free again only when the workers have followed it."""
    with running(Served, tmp_path) as program:
        _, agent, *_ = family = program.family()
        gunicorn = next(one for one in family if "gunicorn" in one.cmdline() and one.ppid() == program.process.pid)
        for process in (agent, gunicorn):
            process.kill()
        wait_until(lambda: {agent, gunicorn}.isdisjoint(program.family()) and program.is_well())
        # The workers of the dead gunicorn may have answered that, with their last breath.
        wait_until(lambda: agent_pid(program) not in (None, agent.pid))


def agent_pid(program: Served) -> int | None:
    """The agent that /healthz tells of, None while nobody answers."""
    try:
        pid: int | None = json.loads(program.get("/healthz")[1])["agent"]["pid"]
    except OSError:
        return None
    return pid


def test_a_child_that_cannot_work_at_all_is_told_from_one_that_died() -> None:
    for status, hopeless in ((2, True), (1, False)):
        child = Child("x", [sys.executable, "-c", f"raise SystemExit({status})"], {})
        child.start()
        child._process.wait()
        assert child.failed_to_start() is hopeless


def test_a_child_that_does_not_end_is_made_to(caplog) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a child inherits that
    try:
        child = Child("deaf", ["sleep", "600"], dict(os.environ))
        child.start()
    finally:
        signal.signal(signal.SIGTERM, before)
    child.ask_to_end()
    child.stop(0)
    assert child._process.returncode == -signal.SIGKILL
    assert "does not stop process=deaf" in caplog.text


def test_a_free_port_passes() -> None:
    check_port(f"127.0.0.1:{free_port()}")


def test_a_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"cannot listen on .*Address already in use"):
            check_port(f"127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize(
    "listen",
    [
        "nonsense",
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        ":5000",
        "127.0.0.1:99999",
        "127.0.0.1:0",
        "127.0.0.1:-1",
        "127.0.0.1:http",
        "127.0.0.1:" + "9" * 5000,
        "no.such.host.invalid:5000",
        "a" * 70 + ":5000",
        "192.0.2.1:5000",
    ],
)
def test_what_nobody_can_listen_on_is_a_sentence(listen: str) -> None:
    with pytest.raises(ConfigError, match="cannot listen on"):
        check_port(listen)


def test_one_user_does_not_act_unless_that_is_meant() -> None:
    with pytest.raises(ConfigError, match=r"run the two as two users .*, or set \[actions\] one_user = true"):
        check_user(parse_config({"actions": {"mode": "on"}}))
    for actions in ({}, {"mode": "dry-run"}, {"mode": "on", "one_user": True}):
        check_user(parse_config({"actions": actions}))
