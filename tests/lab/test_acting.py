"""The whole of botd acts on the lab: a press by HTTP ends in the real Slurm, at a slurmd, and once at a real BMC."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from botd.commands.demo_people import add_people
from botd.config import load_config
from botd.ledger import Ledger
from tests.lab import bmc
from tests.lab.bmc import Bmc
from tests.lab.cluster import Lab
from tests.lab.orders import Notes
from tests.lab.program import LabProgram
from tests.libexec.helper import installed
from tests.press.site import PASSWORD, People
from tests.press.truth import ENDS, Caps, Figures, figures, read_ledger
from tests.program import wait_until
from tests.transport.bmc.lossy import Packet, is_answer, is_command, lossy

NODE = "n0001.savio3"
DEAD, UNTRUSTED = "n0002.savio3", "n0003.savio3"
RELAYS = {"n0000.savio2": "127.79.0.1", "n0001.savio2": "127.79.0.2", "n0002.savio2": "127.79.0.3"}

ACTIONS = """
[sweep]
interval = 0
least_age = 0

[nodes]
hosts_file = "hosts"

[access]
roles_file = "roles.toml"

[actions]
mode = "on"
one_user = true
clock = "trusted"
slurm = "{helper}"
bmc_user = "{user}"
bmc_password_file = "{lab}/bmc_password"
restart_slurmd = "sudo -n /run/restart-slurmd"
"""

CAPS = Caps(node_per_day=10, cycles_per_hour=10)

RESTART = """\
#!/bin/sh
echo started >>{lab}/bmc/$(hostname)/restarted
cd {here} && exec {python} -m tests.lab do {lab} restart_slurmd "$(hostname)"
"""
"""What stands in for systemctl on a node, which has none."""

ROLES = """
[[role]]
name = "student"
actions = ["identify", "drain", "resume", "restart-slurmd", "power-on", "power-off", "power-cycle"]
nodes = "savio2,savio3"

[caps]
hard_per_hour = "10"
group_hard_per_hour = "10"
node_hard_per_6h = 2

[breaker]
hard_in_60min = "10"

[protected]
nodes = ""
"""


@pytest.fixture
def user() -> str:
    """As whom botd logs in to nodes: as who may read all that its checks read."""
    return "root"


@pytest.fixture
def people(lab: Lab, tmp_path: Path, user: str) -> Iterator[People]:
    """anna, logged in at a botd that acts on the lab; some BMCs stand behind addresses that are not theirs."""
    helper = tmp_path / "helper"
    installed(helper, Path("/usr/bin"), str(lab.slurm.config))
    text = (lab.directory / "botd.toml").read_text().replace(f"{lab.directory}/botd.db", f"{tmp_path}/botd.db")
    text = text.replace("[sweep]\nleast_age = 0\n", "")
    text = text.replace('user = "root"', f'user = "{user}"').replace("command_timeout = 6", "command_timeout = 18")
    config = tmp_path / "botd.toml"
    config.write_text(text + ACTIONS.format(helper=helper, user=bmc.USER, lab=lab.directory))
    (tmp_path / "roles.toml").write_text(ROLES)
    names = {node: f"{node.partition('.')[0]}-ipmi.{node.partition('.')[2]}" for node in RELAYS}
    (tmp_path / "hosts").write_text("".join(f"{RELAYS[node]} {name}\n" for node, name in names.items()))
    for path in tmp_path.iterdir():
        path.chmod(0o755 if path == helper else 0o644)
    add_people(str(config), PASSWORD, tmp_path / "secrets", {"anna": ("student",)})
    program = LabProgram(lab, tmp_path)
    try:
        wait_until(program.is_well)
        made = People(program, tmp_path / "secrets")
        made.log_in("anna")
        yield made
    finally:
        program.stop()


@pytest.fixture
def notes(lab: Lab, people: People, request: pytest.FixtureRequest, found: dict[str, Figures]) -> Iterator[Notes]:
    """What the parts of the lab note during the test, by which it is counted under the name of its scene."""
    made = Notes.since_now(lab)
    yield made
    told = read_ledger(Ledger(load_config(str(people.program.config_path))).path)
    counted = figures(people.pressed, made.orders(), told, CAPS, people.nonces, made.jobs_ended())
    if scene := request.node.get_closest_marker("scene"):
        found[scene.args[0]] = found.get(scene.args[0], Figures()) + counted
    assert counted.is_clean, (counted, made.orders(), told.actions)


def ends(people: People, action: str, *nodes: str) -> dict[str, Any]:
    """What became of a press, by node."""
    answer = people.press("anna", action, people.evidence("anna", nodes))
    assert answer.status == 202, answer
    return {each["node"]: each for each in map(people.end_of, answer.ids)}


@pytest.mark.scene("lab: an action to its end")
def test_a_press_drains_in_the_real_slurm(lab: Lab, people: People, notes: Notes) -> None:
    done = ends(people, "drain", NODE)[NODE]
    assert (done["state"], done["certain"]) == ("succeeded", True), done
    found = next(node for node in lab.slurm.nodes() if node["name"] == NODE)
    assert (found["reason"], lab.slurm.states()[NODE]) == (f"botd: drain {done['id']} by anna", "drained")
    lab.do("make_idle", NODE)


@pytest.mark.parametrize("user", ["alice"])
@pytest.mark.scene("lab: an action to its end")
def test_a_slurmd_that_was_killed_is_started_by_the_one_command_that_sudo_allows(
    lab: Lab, people: People, notes: Notes
) -> None:
    """A node without that line of sudoers says so, and keeps the slurmd that it has."""
    for node in (DEAD, UNTRUSTED):
        text = RESTART.format(here=Path.cwd(), python=sys.executable, lab=lab.directory)
        lay(lab, node, "/run/restart-slurmd", text)
    lay(lab, DEAD, "/run/sudoers.d/alice", "alice ALL=(root) NOPASSWD: /run/restart-slurmd\n")
    lab.node(DEAD).enter("mount", "--bind", "/run/sudoers.d", "/etc/sudoers.d")
    lab.do("kill_slurmd", DEAD)

    before = lab.node(UNTRUSTED).order("status")["slurmd"]
    refused = ends(people, "restart-slurmd", UNTRUSTED)[UNTRUSTED]
    assert (refused["state"], refused["code"]) == ("failed", "node-refused"), refused
    assert "exit status 1: sudo: a password is required" in refused["words"]
    assert lab.node(UNTRUSTED).order("status")["slurmd"] == before

    wait_until(lambda: lab.slurm.states()[DEAD] == "down*", 60)
    wait_until(lambda: people.program.slurm(DEAD)["state"] == "down*")
    done = ends(people, "restart-slurmd", DEAD)[DEAD]
    assert (done["state"], done["certain"], done["words"]) == ("succeeded", True, ""), done
    assert lab.slurm.states()[DEAD] in ("idle", "down")
    lab.do("make_idle", DEAD)


@pytest.mark.scene("lab: the answer of the BMC is lost, late or doubled")
def test_whatever_the_network_does_a_bmc_is_told_once(lab: Lab, people: People, notes: Notes) -> None:
    """The answer is lost, the command comes late and twice, the command is lost: on one node each."""
    fates = {
        "n0000.savio2": lambda packet: () if is_answer(packet) else (0,),
        "n0001.savio2": lambda packet: (0.3, 0.6) if is_command(packet) else (0,),
        "n0002.savio2": lambda packet: () if is_command(packet) else (0,),
    }
    asked: dict[str, list[Packet]] = {node: [] for node in fates}
    with ExitStack() as relays:
        for node, fate in fates.items():

            def noted(packet: Packet, node: str = node, fate: Any = fate) -> Any:
                asked[node] += [packet] * (packet.to_bmc and packet.number > 0)
                return fate(packet)

            relays.enter_context(lossy(RELAYS[node], bmc.PORT, real(lab, node), noted, remembers=True))
        done = ends(people, "identify", *fates)
    states = {node: (each["state"], each["certain"]) for node, each in done.items()}
    assert states == {
        "n0000.savio2": ("unknown", False),
        "n0001.savio2": ("succeeded", True),
        "n0002.savio2": ("unknown", False),
    }
    assert [notes.identified(node) for node in fates] == [1, 1, 0]
    assert all(len(packets) <= 3 for packets in asked.values())  # the privilege, the command, the end of the session


@pytest.mark.scene("lab: the answer of the BMC is lost, late or doubled")
def test_a_node_is_cycled_once_whatever_the_network_does_and_is_well_again(
    lab: Lab, people: People, notes: Notes
) -> None:
    """The BMC's answer is lost on one node; on the other every packet to it comes late and twice."""
    lost = set[bytes]()

    def without_answer(packet: Packet) -> Any:
        if packet.to_bmc or not packet.number:
            return (0,)
        session = packet.data[6:10]
        if not lost and notes.switched("n0000.savio2"):
            lost.add(session)
        return () if session in lost else (0,)

    fates = {"n0000.savio2": without_answer, "n0001.savio2": lambda packet: (0.1, 0.3) if packet.to_bmc else (0,)}
    with ExitStack() as relays:
        for node, fate in fates.items():
            relays.enter_context(lossy(RELAYS[node], bmc.PORT, real(lab, node), fate, remembers=True))
        numbers = {node: switch(people, "power-cycle", node) for node in fates}
        done = {node: end(people, number) for node, number in numbers.items()}
    states = {node: (each["state"], each["certain"]) for node, each in done.items()}
    assert states == {"n0000.savio2": ("succeeded", False), "n0001.savio2": ("succeeded", True)}, done
    for node, each in done.items():
        assert notes.switched(node) == ["power cycle"]
        assert reason(lab, node).startswith(f"botd: power-cycle {each['id']} by anna")
        lab.do("make_idle", node)


@pytest.mark.scene("lab: an action to its end")
def test_a_node_is_switched_off_and_on_and_goes_back(lab: Lab, people: People, notes: Notes) -> None:
    off = end(people, switch(people, "power-off", NODE))
    assert (off["state"], notes.switched(NODE)) == ("succeeded", ["power soft off"]), off
    wait_until(lambda: not lab.node(NODE).is_on)  # its BMC says so a moment earlier
    on = end(people, switch(people, "power-on", NODE))
    assert (on["state"], lab.node(NODE).is_on) == ("succeeded", True), on
    assert notes.switched(NODE) == ["power soft off", "power on"]
    back = end(people, switch(people, "resume", NODE))
    # "*" until slurmctld has heard from it again
    assert (back["state"], lab.slurm.states()[NODE].rstrip("*")) == ("succeeded", "idle"), back


def switch(people: People, action: str, node: str) -> int:
    """The action that a press became, which takes a code that was not used."""

    def taken() -> set[int]:
        proof = {"otp": people.code("anna")}
        answer = people.press("anna", action, people.evidence("anna", [node]), proof=proof)
        assert answer.ids or answer.code in ("proof-refused", "evidence-changed"), answer
        time.sleep(0 if answer.ids else 1)  # the code was used: until the next one
        return answer.ids

    (number,) = wait_until(taken, 120)
    return number


def document(people: People, number: int) -> Any:
    return people.call("GET", f"/api/v2/actions/{number}", "anna").document


def end(people: People, number: int) -> Any:
    """What became of an action that may take its time."""
    return wait_until(lambda: (found := document(people, number))["state"] in ENDS and found, 240)


def reason(lab: Lab, node: str) -> str:
    """What Slurm has as the reason of a node."""
    found: str = next(found for found in lab.slurm.nodes() if found["name"] == node)["reason"]
    return found


def lay(lab: Lab, node: str, place: str, text: str) -> None:
    """Lays a file below /run, which is the node's own."""
    lab.node(node).enter("sh", "-c", 'printf %s "$1" | install -D -m 755 /dev/stdin "$2"', "sh", text, place)


def real(lab: Lab, node: str) -> Any:
    """A BMC of the lab as a relay knows it."""
    made = Bmc(lab.node(node))
    return SimpleNamespace(
        address=lab.node(node).bmc_address, port=bmc.PORT, wait_until_it_answers=lambda: wait_until(made.answers)
    )
