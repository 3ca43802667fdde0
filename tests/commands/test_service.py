"""botd as systemd has it: agent and web part beside a socket that hears them, reloaded, and started by a socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from botd.config import load_config
from botd.model import SweepState
from botd.store import Store
from tests.program import PATIENCE_S, free_port, is_gone, wait_until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
UNITS = ("botd-agent.service", "botd-web.service", "botd-slurm-helper@.service")
EXPOSED = 2.5
"""docs/deployment.rst says it too: what `systemd-analyze security` (252) may count at most, of 10."""

CONFIG = """
[store]
url = "sqlite:///botd.db"
[ledger]
url = "sqlite:///ledger.db"
[slurm]
sinfo_file = "sinfo.txt"
squeue = "{folder}/squeue"
timeout = 600
[sweep]
checks = ["jobs"]
[groups]
directories = []
[ssh]
host_key_policy = "accept-any"
[access]
roles_file = "roles.toml"
"""

MORE = """
[[check]]
name = "more"
help = "One more."
command = "true"
value = "exit"
"""

ROLES = '[[role]]\nname = "admin"\nusers = ["kmf"]\nactions = ["*"]\nnodes = "all"\n[protected]\nnodes = ""\n'


class Site:
    """A folder with a configuration whose sweeps hang in squeue, and a manager that hears what is told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "botd.toml"
        self.write(CONFIG.format(folder=folder))
        (folder / "sinfo.txt").write_text("NODELIST REASON\nn1 bad GPU\n")
        (folder / "squeue").write_text("#!/bin/sh\nsleep 600\n")
        (folder / "squeue").chmod(0o755)
        self.write_roles(ROLES)
        self.ears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ears.bind(str(folder / "notify"))
        self.ears.settimeout(PATIENCE_S)

    def write(self, text: str) -> None:
        self.config.write_text(text)
        self.config.chmod(0o600)

    def write_roles(self, text: str) -> None:
        (self.folder / "roles.toml").write_text(text)
        (self.folder / "roles.toml").chmod(0o600)

    def heard(self, word: str) -> str:
        """Returns the next datagram that begins with a word. Only what says that it lives may come before it."""
        while (told := self.ears.recv(4096).decode()) == "WATCHDOG=1" and word != "WATCHDOG":
            pass
        assert told.startswith(f"{word}="), told + self.log()
        return told

    def log(self) -> str:
        return (self.folder / "log").read_text()

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process that this manager has started, and that ends when it is told to."""
        environment = {
            **os.environ,
            "BOTD_CONFIG": str(self.config),
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "WATCHDOG_USEC": "2000000",
        }
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(words, stderr=log, stdout=log, env=environment, cwd=ROOT)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(PATIENCE_S)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.ears.close()


AGENT = (sys.executable, "-m", "botd", "agent")
WEB = (sys.executable, "-m", "botd", "web")


# ---- the agent ----


def test_the_agent_says_that_it_is_ready_that_it_lives_and_that_it_ends(site: Site) -> None:
    with site.running(*AGENT) as process:
        assert "STATUS=" in site.heard("READY")
        site.heard("WATCHDOG")
        process.terminate()
        site.heard("STOPPING")
        assert process.wait(PATIENCE_S) == 0


def test_sighup_has_the_agent_begin_anew_in_the_same_process_and_its_sweep_is_not_forgotten(site: Site) -> None:
    with site.running(*AGENT) as process:
        site.heard("READY")
        store = Store(load_config(str(site.config)))
        first = wait_until(store.sweeps.running)[0]
        wait_until(lambda: psutil.Process(process.pid).children())  # squeue
        hung = psutil.Process(process.pid).children(recursive=True)
        site.write(CONFIG.format(folder=site.folder) + MORE)
        process.send_signal(signal.SIGHUP)
        site.heard("RELOADING")
        site.heard("READY")
        assert process.poll() is None
        before, after = [line for line in site.log().splitlines() if "agent started" in line]
        assert before.split("checks=")[1] != after.split("checks=")[1]
        wait_until(lambda: all(map(is_gone, hung)))
        second = wait_until(store.sweeps.running)[0]
        assert store.sweeps.get(first.id).state == SweepState.CUT
        assert second.id > first.id
        process.send_signal(signal.SIGHUP)  # not once only
        site.heard("RELOADING")
        site.heard("READY")


@pytest.mark.parametrize("what", ["configuration", "roles"])
def test_the_agent_keeps_what_it_has_where_the_new_cannot_be_used(site: Site, what: str) -> None:
    with site.running(*AGENT) as process:
        site.heard("READY")
        if what == "roles":
            site.write_roles("[[role]]\nname = 7\n")
        else:
            site.write(CONFIG.format(folder=site.folder) + "[swep]\n")
        process.send_signal(signal.SIGHUP)
        site.heard("RELOADING")
        assert "the old one stays" in site.heard("READY")
        assert site.log().count("agent started") == 1
        assert "not reloaded" in site.log()
        site.heard("WATCHDOG")


# ---- the web part ----


def asked(port: int, host: str = "localhost") -> int:
    """The status of `GET /api/v1/checks` under a name."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/checks", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:  # a worker that ends
        return 0


def workers(process: subprocess.Popen[bytes]) -> set[int]:
    return {child.pid for child in psutil.Process(process.pid).children()}


def test_a_socket_of_systemd_starts_the_web_part_which_reloads_all_or_nothing(site: Site) -> None:
    Store(load_config(str(site.config))).create()
    port = free_port()
    passed = [word for name in ("BOTD_CONFIG", "NOTIFY_SOCKET", "WATCHDOG_USEC", "PATH") for word in ("-E", name)]
    with site.running("systemd-socket-activate", "-l", f"127.0.0.1:{port}", *passed, *WEB) as process:
        wait_until(lambda: "Listening on" in site.log())
        assert wait_until(lambda: asked(port)) == 200
        site.heard("READY")
        site.heard("WATCHDOG")
        assert asked(port, "botd.example.org") == 421
        old = workers(process)

        site.write(CONFIG.format(folder=site.folder) + "[swep]\n")
        process.send_signal(signal.SIGHUP)
        site.heard("RELOADING")
        assert "the old one stays" in site.heard("READY")
        assert "swep" in site.log()
        assert workers(process) == old

        site.write(CONFIG.format(folder=site.folder) + '[server]\nnames = ["botd.example.org"]\n')
        process.send_signal(signal.SIGHUP)
        site.heard("RELOADING")
        assert "new configuration" in site.heard("READY")
        wait_until(lambda: asked(port, "botd.example.org") == 200)
        assert not workers(process) & old
        process.terminate()
        site.heard("STOPPING")
        assert process.wait(PATIENCE_S) == 0


def test_the_web_part_does_not_start_on_a_configuration_that_cannot_be_used(site: Site) -> None:
    site.write("[swep]\n")
    with site.running(*WEB) as process:
        assert process.wait(PATIENCE_S) == 2
    assert "swep" in site.log()
    assert "Traceback" not in site.log()


# ---- the units ----


def analyzed(*words: str) -> str:
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout + done.stderr


def test_systemd_has_nothing_to_say_of_the_units(tmp_path: Path) -> None:
    """The programs that they name are not in their places here: stand-ins are."""
    made = []
    for path in [*DEPLOY.glob("*.service"), *DEPLOY.glob("*.socket")]:
        text = path.read_text().replace("/opt/botd/bin/botd", "/bin/true")
        made.append(tmp_path / path.name)
        made[-1].write_text(text.replace("/usr/local/libexec/botd-slurm-helper", "/bin/true"))
    (tmp_path / "botd-slurm-helper@1.service").write_text((tmp_path / "botd-slurm-helper@.service").read_text())
    made = [path for path in made if "@" not in path.name]
    assert analyzed("verify", "--man=no", *map(str, made)) == ""


@pytest.mark.parametrize("name", UNITS)
def test_the_units_are_shut_as_far_as_the_documentation_says(name: str) -> None:
    analyzed("security", "--offline=yes", f"--threshold={int(EXPOSED * 10)}", str(DEPLOY / name))
