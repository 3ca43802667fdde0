"""The whole of botd acts on the lab: a press by HTTP ends in the real Slurm, at a slurmd, and once at a real BMC."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
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
from tests.press.site import LONG, PASSWORD, People
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

HELPER = """\
#!/bin/sh
read -r line
case "$line" in "drain "*) [ ! -x {folder}/before-drain ] || {folder}/before-drain >&2 ;; esac
printf '%s\\n' "$line" | {folder}/real-helper
"""
"""Stands before the helper: what a test lays there happens between the look of the press and the drain."""

JOB = """\
#!/bin/sh
cd {here} && exec {python} -m tests.lab do {lab} submit_job {node}
"""

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
    installed(tmp_path / "real-helper", Path("/usr/bin"), str(lab.slurm.config))
    helper = tmp_path / "helper"
    helper.write_text(HELPER.format(folder=tmp_path))
    text = (lab.directory / "botd.toml").read_text().replace(f"{lab.directory}/botd.db", f"{tmp_path}/botd.db")
    text = text.replace("[sweep]\nleast_age = 0\n", "")
    # What changes is to be seen without waiting for the next list.
    text = text.replace("timeout = 6\n\n[groups]", "timeout = 6\nrefresh = 3600\n\n[groups]")
    text = text.replace('user = "root"', f'user = "{user}"').replace("timeout = 6", "timeout = 18")
    config = tmp_path / "botd.toml"
    config.write_text(text + ACTIONS.format(helper=helper, user=bmc.USER, lab=lab.directory))
    (tmp_path / "roles.toml").write_text(ROLES)
    names = {node: f"{node.partition('.')[0]}-ipmi.{node.partition('.')[2]}" for node in RELAYS}
    (tmp_path / "hosts").write_text("".join(f"{RELAYS[node]} {name}\n" for node, name in names.items()))
    for path in tmp_path.iterdir():
        path.chmod(0o755 if path.name.endswith("helper") else 0o644)
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


# ---- while a node is power cycled ----


def a_job_starts(lab: Lab, people: People) -> None:
    """It will, after the look of the press and before the drain."""
    job = people.program.config_path.with_name("before-drain")
    job.write_text(JOB.format(here=Path.cwd(), python=sys.executable, lab=lab.directory, node=NODE))
    job.chmod(0o755)


def a_person_drains(lab: Lab, people: People) -> None:
    """In that moment, for a reason of their own."""
    lab.do("drain", NODE, RMA)


def slurmctld_stops(lab: Lab, people: People) -> None:
    """It comes back when botd has had to do without it."""
    lab.do("stop_slurmctld")


def the_agent_is_killed(lab: Lab, people: People) -> None:
    """`kill -9`; the next one settles what it finds."""
    os.kill(people.program.json("/healthz")["agent"]["pid"], signal.SIGKILL)


RMA = "RMA open -jd"
Happens = Callable[[Lab, People], None]
MEANWHILE: tuple[tuple[str, Happens], ...] = (
    ("requested", a_job_starts),
    ("announced", a_person_drains),
    ("announced", slurmctld_stops),
    ("announced", the_agent_is_killed),
    ("verifying", a_person_drains),
    ("verifying", slurmctld_stops),
    ("verifying", the_agent_is_killed),
)


@pytest.mark.scene("lab: a power cycle meets a job, a person, or a part that stops")
@pytest.mark.parametrize(("step", "happens"), MEANWHILE if LONG else MEANWHILE[:1])
def test_what_happens_before_the_packet_ends_it_and_after_it_nothing_is_sent_again(
    lab: Lab, people: People, notes: Notes, step: str, happens: Happens
) -> None:
    if step == "requested":
        happens(lab, people)
    number = switch(people, "power-cycle", NODE)
    if step != "requested":
        wait_until(lambda: document(people, number)["state"] == step)
        happens(lab, people)
    if happens is slurmctld_stops:
        wait_until(lambda: document(people, number)["state"] in ENDS or (lab.node(NODE).is_on and notes.switched(NODE)))
        lab.do("start_slurmctld")
    wait_until(people.program.is_well)
    done = end(people, number)
    told, jobs = reason(lab, NODE), lab.slurm.run("squeue", "-h", "-w", NODE, "-o", "%T").split()
    lab.do("cancel_jobs", NODE)
    lab.do("make_idle", NODE)
    if step == "verifying":
        assert (done["state"], notes.switched(NODE)) == ("succeeded", ["power cycle"]), done
    else:
        assert (done["state"] in ("refused", "failed"), notes.switched(NODE)) == (True, []), done
    assert jobs == (["RUNNING"] if happens is a_job_starts else [])
    assert (RMA in told) is (happens is a_person_drains)


def switch(people: People, action: str, node: str) -> int:
    """The action that a press became, which takes a code that was not used."""

    refused = dict[str, str]()

    def taken() -> set[int]:
        seen = people.evidence("anna", [node])
        if seen == refused:
            return set()  # it would be refused again
        answer = people.press("anna", action, seen, proof={"otp": people.fresh("anna")})
        assert answer.ids or answer.code in ("proof-refused", "evidence-changed"), answer
        refused.update(seen if answer.code == "evidence-changed" else {})
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
