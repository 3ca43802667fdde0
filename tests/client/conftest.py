"""A running botd on a simulated cluster, `bofhbot` in a process of its own, and servers that are hostile."""

from __future__ import annotations

import getpass
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import pytest

from botd.commands.demo_people import PEOPLE, add_people
from botd.demo import DemoCluster
from botd.demo.code import code
from botd.demo.files import ROLES_FILE
from tests.program import DemoProgram, free_port, wait_until
from tests.transport.sshd import make_key

NODES = 32
PASSWORD = "as in the demo"
HOSTILE = "<b>bad</b> \x1b[31mred\x1b[0m \u202egnp.exe \x9b1m; echo $(id) `id` 'quoted"
APPRENTICE = """
[[role]]
name = "apprentice"
actions = ["drain"]
nodes = "bigmem"
approve_by = "approve"
"""
PROGRAM = (sys.executable, "-c", "from botd.client.cli import run; run()")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProgram]:
    """A small cluster, every node of it read, on which nothing changes any more; one node's reason is hostile."""
    port = free_port()
    with DemoCluster(NODES, f"127.0.0.1:{port}", boot_s=0.5, slurmd_timeout_s=0.5) as cluster:
        people = tmp_path_factory.mktemp("people")
        proofs = f'allowed_signers = "{signers(people)}"\nunmunge = "{people}/unmunge"'  # the latter a test lays there
        config = cluster.config_text().replace("interval = 60", "interval = 0")
        config = config.replace("[access]\n", f"[access]\n{proofs}\n")
        cluster.config_path.write_text(config, encoding="utf-8")
        with (cluster.config_path.parent / ROLES_FILE).open("a", encoding="utf-8") as roles:
            roles.write(APPRENTICE)
        codes = people / "codes"
        more = {"anna": (*PEOPLE["anna"], "apprentice"), getpass.getuser(): ("admin",)}
        add_people(str(cluster.config_path), PASSWORD, codes, {**PEOPLE, **more})
        running = DemoProgram(cluster, port)
        try:
            wait_until(lambda: running.is_well() and running.get("/api/v1/group-list")[0] == 200)
            every = running.json("/api/v1/status?groups=all&max_age=100000")["nodes"]
            node = next(node["node"] for node in every if node["slurm"]["state"] == "idle")
            running.tool("scontrol", "update", f"nodename={node}", "state=drain", f"reason={HOSTILE}")
            running.json("/api/v1/sinfo?max_age=0")
            running.json("/api/v1/status?groups=all&max_age=0")
            running.codes, running.keys = codes, people  # type: ignore[attr-defined]
            yield running
        finally:
            running.stop()


def signers(folder: Path) -> Path:
    """A file of allowed signers, with a key for each of the demo's people beside it."""
    path = folder / "allowed_signers"
    keys = {login: make_key(folder / login).with_suffix(".pub").read_text() for login in PEOPLE}
    path.write_text("".join(f'{login} namespaces="botd-action@demo" {key}' for login, key in keys.items()))
    path.chmod(0o644)
    return path


@dataclass
class Home:
    """A person's home, and what they run in it."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)
    seen: str = ""

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """`bofhbot` on pipes."""
        command = [*PROGRAM, *words]
        return subprocess.run(command, env=self.environ, input=stdin, capture_output=True, text=True, timeout=120)

    def good(self, *words: str) -> str:
        """What it prints where it succeeds."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout

    def sites(self, text: str) -> None:
        """Writes the file of sites."""
        path = self.path / ".config" / "bofhbot.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home where nothing is configured."""
    return made_home(tmp_path)


def made_home(path: Path) -> Home:
    keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return Home(path, {**keep, "HOME": str(path), "LANG": "C.UTF-8", "TERM": "xterm"})


@pytest.fixture
def at_home(home: Home, program: DemoProgram) -> Home:
    """The home of somebody who asks the running botd."""
    home.environ["BOFHBOT_URL"] = program.base
    return home


def log_in(home: Home, program: DemoProgram, login: str) -> str:
    """What somebody at a terminal sees who logs in. Where the code was used, by another test, it is the next one."""
    secret = (program.codes / login).read_text()  # type: ignore[attr-defined]
    status, seen = _try_to_log_in(home, program, login, used := code(secret, time.time()))
    if "this code was used already" in seen:
        fresh = wait_until(lambda: (now := code(secret, time.time())) != used and now)
        status, seen = _try_to_log_in(home, program, login, fresh)
    assert status == 0, seen
    return seen


def _try_to_log_in(home: Home, program: DemoProgram, login: str, typed: str) -> tuple[int | None, str]:
    child = pexpect.spawn(PROGRAM[0], [*PROGRAM[1:], "login", login], env=home.environ, encoding="utf-8", timeout=60)
    child.logfile_read = io.StringIO()
    child.expect(f"password of {login} at {program.base}: ")
    child.sendline(PASSWORD)
    child.expect("code of the moment: ")
    child.sendline(typed)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.logfile_read.getvalue()


@pytest.fixture(scope="session")
def kmf(program: DemoProgram, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home of the administrator, who is logged in."""
    return logged_in("kmf", program, tmp_path_factory)


@pytest.fixture(scope="session")
def anna(program: DemoProgram, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home of the student, who is logged in."""
    return logged_in("anna", program, tmp_path_factory)


def logged_in(login: str, program: DemoProgram, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Somebody's home, with a session and a site to sign for. A code serves once, and so does this."""
    home = made_home(tmp_path_factory.mktemp(login))
    home.environ["BOFHBOT_URL"] = program.base
    home.sites(f'[sites.demo]\nurl = "{program.base}"\nssh_key = "{program.keys / login}"\n')  # type: ignore[attr-defined]
    home.seen = log_in(home, program, login)
    return home


class Hostile:
    """Something that listens, keeps what it was asked, and answers what a test says, byte by byte."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                try:
                    self.asked.append(client.recv(65536))
                    self._answer(client)
                except OSError:  # who asked has gone away
                    pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def answering(answer: bytes | Callable[[socket.socket], None]) -> Iterator[Hostile]:
    """A server with one answer for everybody."""
    hostile = Hostile(answer if callable(answer) else lambda client: client.sendall(answer))
    try:
        yield hostile
    finally:
        hostile.close()


def http(body: bytes, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    """An answer of HTTP."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode() + body
