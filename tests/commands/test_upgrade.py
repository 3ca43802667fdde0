"""An upgrade while actions wait: the agent is reloaded, then one of a newer schema goes on; nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from botd.audit import verify
from botd.commands.demo_people import add_people
from botd.config import load_config
from botd.demo import DemoCluster
from botd.demo.code import STEP_S
from botd.ledger import Ledger
from botd.ledger.chain import read_chain
from botd.ledger.schema import SCHEMA as LEDGER
from botd.store.schema import SCHEMA as STORE
from tests.older import make_older, rows, version_of
from tests.press.site import PASSWORD, People
from tests.program import PATIENCE_S, Program, free_port, wait_until

NODES = 16
BOOT_S = 5.0
"""Long enough that an action is seen while it is verified."""

ROLES = """
[[role]]
name = "apprentice"
actions = ["drain"]
nodes = "all"
approve_by = "approve"

[[role]]
name = "admin"
actions = ["*"]
nodes = "all"
may = ["approve"]

[protected]
nodes = ""
"""
PEOPLE = {"anna": ("apprentice",), "bert": ("admin",), "kmf": ("admin",)}


class Apart(Program):
    """The agent and the web part as systemd has them: each a process, and a socket that hears what the agent tells."""

    def __init__(self, cluster: DemoCluster, port: int) -> None:
        self.tools = cluster.tools
        self.ears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ears.bind(str(cluster.directory / "notify"))
        self.ears.settimeout(PATIENCE_S)
        super().__init__(cluster.config_path, port)

    def start(self) -> None:
        self.process = self._begin("web")
        self.agent = self._begin("agent", NOTIFY_SOCKET=self.ears.getsockname())
        self.hear("READY=1")
        wait_until(self.is_well)

    def _begin(self, part: str, **environment: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "botd", part, "--config", str(self.config_path)]
        return subprocess.Popen(words, stderr=subprocess.DEVNULL, env={**os.environ, **environment})

    def hear(self, word: str) -> None:
        """Waits until the agent says it."""
        while not self.ears.recv(4096).decode().startswith(word):
            pass

    def reload(self) -> None:
        """Has the agent begin anew in its process."""
        self.agent.send_signal(signal.SIGHUP)
        self.hear("RELOADING")
        self.hear("READY=1")

    def orders(self, node: str) -> list[str]:
        """What Slurm and the node's BMC were told."""
        heard = subprocess.run([self.tools / "heard", "--json"], capture_output=True, text=True, check=True).stdout
        return [order["words"] for order in json.loads(heard)["orders"] if order["node"] == node]

    def stop(self) -> None:
        for process in (self.agent, self.process):
            process.terminate()
            process.wait(PATIENCE_S)


@pytest.fixture
def people() -> Iterator[People]:
    """Who presses on it."""
    port = free_port()
    with DemoCluster(NODES, f"127.0.0.1:{port}", boot_s=BOOT_S) as cluster:
        (cluster.directory / "roles.toml").write_text(ROLES)
        add_people(str(cluster.config_path), PASSWORD, cluster.secrets, PEOPLE)
        program = Apart(cluster, port)
        try:
            made = People(program, cluster.secrets)
            for login in PEOPLE:
                made.log_in(login)
            yield made
        finally:
            program.stop()
            program.ears.close()


def test_what_waits_and_what_is_verified_outlive_a_reload_and_an_upgrade(people: People) -> None:
    program = people.program
    assert isinstance(program, Apart)
    idle = program.json("/api/v1/status?groups=all&checks=ping&max_age=100000")["nodes"]
    first, second = [each["node"] for each in idle if each["slurm"]["state"] == "idle"][:2]

    def state(number: int) -> str:
        return str(people.call("GET", f"/api/v2/actions/{number}", "kmf").document.get("state"))

    def press(login: str, action: str, node: str) -> int:
        def taken() -> set[int]:
            proof = {"otp": people.fresh(login)} if action == "power-cycle" else {}
            return people.press(login, action, people.evidence(login, [node]), proof=proof).ids

        (number,) = wait_until(taken, 3 * STEP_S)  # a press that came as the node was read has used its code
        return int(number)

    waiting, cycled = press("anna", "drain", first), press("bert", "power-cycle", second)
    assert state(waiting) == "awaiting"
    wait_until(lambda: state(cycled) in ("verifying", "succeeded"))  # the latter where this was not looked at in time

    program.reload()
    wait_until(lambda: state(waiting) == "awaiting")
    assert state(cycled) in ("verifying", "succeeded")

    program.stop()
    config = load_config(str(program.config_path))
    places = Ledger(config).path, Path(sa.make_url(config.store.url).database or "")
    newest = [version_of(place) for place in places]
    changes = rows(places[1], "changes")
    make_older(places[0], LEDGER, "0002")
    make_older(places[1], STORE, "0004")
    program.start()
    assert [version_of(place) for place in places] == newest
    assert rows(places[1], "changes")[: len(changes)] == changes
    wait_until(lambda: state(waiting) == "awaiting")  # until the agent has told anew who is logged in, it is nobody's
    assert people.end_of(cycled)["state"] == "succeeded"
    assert program.orders(second).count("power cycle") == 1

    assert program.orders(first) == []
    agreed = people.call("POST", f"/api/v2/actions/{waiting}/approve", "kmf", {"proof": {"otp": people.fresh("kmf")}})
    assert agreed.status == 204, agreed
    assert people.end_of(waiting)["state"] == "succeeded"
    assert program.orders(first) == [f"state=drain reason=botd: drain {waiting} by anna"]
    assert verify(read_chain(places[0])).broken_at is None
