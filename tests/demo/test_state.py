from __future__ import annotations

from dataclasses import replace

import pytest

from botd.demo.machine import SOUND, UNNOTICED, DemoJob, Health, Mount, Node, Sshd, Standing
from botd.demo.state import ClusterState, InvalidUpdate, Times

START = 1_000_000.0
PERSON = Standing(drain=True, reason="HW: sda missing -jd", reason_by="jd", reason_at=START - 60)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, health: Health = SOUND, standing: Standing = UNNOTICED, *, job: bool = False) -> ClusterState:
    node = Node("n0", 0, 4, 1000, ("savio2",), "", "", START - 500, health.powered, health, standing)
    other = replace(node, name="n1", index=1, up=True, health=Health(), standing=Standing())
    jobs = [DemoJob(7, "ivo", "wrap", "savio2", ("n0", "n1"), 4, START - 100)] if job else []
    return ClusterState([node, other], jobs, clock, Times(boot_s=8, cycle_s=1, slurmd_timeout_s=20))


def later(state: ClusterState, clock: Clock, seconds: float) -> None:
    """Lets time pass as the demo's loop does: from one due moment to the next."""
    end = clock.now + seconds
    while (due := state.next_due()) is not None and due <= end:
        clock.now = due
        state.settle()
    clock.now = end


def test_a_node_without_power_answers_no_more(clock: Clock) -> None:
    state = make(clock)
    state.power_off("n0")
    assert not state.nodes["n0"].answers
    assert state.nodes["n1"].answers


def test_slurm_sets_a_silent_node_down_after_its_timeout(clock: Clock) -> None:
    state = make(clock, job=True)
    state.power_off("n0")
    later(state, clock, 19)
    assert state.base(state.nodes["n0"]) == "ALLOCATED"
    later(state, clock, 2)
    standing = state.nodes["n0"].standing
    assert (state.base(state.nodes["n0"]), standing.responding, standing.reason) == ("DOWN", False, "Not responding")


def test_a_lost_node_ends_its_jobs_on_every_node(clock: Clock) -> None:
    state = make(clock, job=True)
    state.power_off("n0")
    later(state, clock, 21)
    assert state.running == []
    assert [(job.job_id, job.state, job.ended_at) for job in state.ended] == [(7, "NODE_FAIL", START + 20)]
    assert state.base(state.nodes["n1"]) == "IDLE"


def test_power_on_brings_the_node_back_after_its_boot(clock: Clock) -> None:
    state = make(clock, Health(powered=False))
    state.power_on("n0")
    later(state, clock, 7)
    assert not state.nodes["n0"].answers
    later(state, clock, 2)
    assert state.nodes["n0"].answers
    assert state.nodes["n0"].booted_at == START + 8


def test_a_rebooted_node_is_down_until_somebody_resumes_it(clock: Clock) -> None:
    state = make(clock, job=True)
    state.power_cycle("n0")
    later(state, clock, 10)
    standing = state.nodes["n0"].standing
    assert (state.base(state.nodes["n0"]), standing.responding) == ("DOWN", True)
    assert standing.reason == "Node unexpectedly rebooted"
    assert state.running == []
    state.update("n0", "resume", "", "root")
    assert (state.base(state.nodes["n0"]), state.nodes["n0"].standing.reason) == ("IDLE", "")


def test_a_reboot_keeps_the_drain_and_the_reason_of_a_person(clock: Clock) -> None:
    state = make(clock, standing=PERSON)
    for _ in range(2):
        state.power_cycle("n0")
        later(state, clock, 10)
    standing = state.nodes["n0"].standing
    assert standing.drain
    assert (standing.reason, standing.reason_by) == ("HW: sda missing -jd : Node unexpectedly rebooted", "jd")


def test_a_power_cycle_is_off_and_then_on(clock: Clock) -> None:
    state = make(clock)
    state.power_cycle("n0")
    assert not state.nodes["n0"].health.powered
    later(state, clock, 1)
    assert state.nodes["n0"].health.powered
    assert not state.nodes["n0"].up


def test_power_off_in_the_middle_of_a_boot_ends_the_boot(clock: Clock) -> None:
    state = make(clock, Health(powered=False))
    state.power_on("n0")
    later(state, clock, 4)
    state.power_off("n0")
    later(state, clock, 60)
    assert not state.nodes["n0"].up


def test_a_dead_supply_stays_off(clock: Clock) -> None:
    state = make(clock, Health(powered=False, power_dead=True))
    state.power_on("n0")
    later(state, clock, 60)
    assert not state.nodes["n0"].health.powered


def test_a_boot_mends_what_lived_in_memory_only(clock: Clock) -> None:
    mounts = {"/global/scratch": Mount.HUNG, "/tmp": Mount.READ_ONLY}
    sick = Health(slurmd=False, sshd=Sshd.HUNG, left_over=("daria",), missing_mb=9, mounts=mounts, load=2)
    state = make(clock, sick)
    state.power_cycle("n0")
    later(state, clock, 10)
    assert state.nodes["n0"].health == Health(missing_mb=9, mounts={"/tmp": Mount.READ_ONLY})


def test_a_boot_does_not_mend_a_lost_key(clock: Clock) -> None:
    state = make(clock, Health(sshd=Sshd.NO_KEY))
    state.power_cycle("n0")
    later(state, clock, 10)
    assert state.nodes["n0"].health.sshd is Sshd.NO_KEY


@pytest.mark.parametrize("word", ["drain", "DOWN"])
def test_drain_and_down_need_a_reason(clock: Clock, word: str) -> None:
    with pytest.raises(InvalidUpdate, match="You must specify a reason"):
        make(clock).update("n0", word, "", "root")


def test_a_drained_node_carries_who_said_why_and_when(clock: Clock) -> None:
    state = make(clock)
    state.update("n0", "drain", "no IB", "kmf")
    assert state.nodes["n0"].standing == Standing(drain=True, reason="no IB", reason_by="kmf", reason_at=START)


def test_a_node_with_a_job_goes_on_with_it_when_drained(clock: Clock) -> None:
    state = make(clock, job=True)
    state.update("n0", "drain", "no IB", "kmf")
    assert state.base(state.nodes["n0"]) == "ALLOCATED"
    assert [job.job_id for job in state.running] == [7]


def test_down_ends_the_jobs(clock: Clock) -> None:
    state = make(clock, job=True)
    state.update("n0", "down", "gone", "kmf")
    assert state.running == []


def test_resume_of_a_node_that_is_still_dead_lasts_one_timeout(clock: Clock) -> None:
    gone = Standing(down=True, responding=False, reason="Not responding", reason_by="root")
    state = make(clock, Health(powered=False), gone)
    state.update("n0", "resume", "", "root")
    assert (state.base(state.nodes["n0"]), state.nodes["n0"].standing.responding) == ("IDLE", False)
    later(state, clock, 21)
    assert state.base(state.nodes["n0"]) == "DOWN"


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("n9", "resume", "Invalid node name"),
        ("n0", "resume", "Invalid node state"),
        ("n0", "explode", "Invalid node state"),
    ],
)
def test_slurm_refuses_what_it_cannot_do(clock: Clock, name: str, word: str, message: str) -> None:
    with pytest.raises(InvalidUpdate, match=message):
        make(clock).update(name, word, "why", "root")


def test_it_tells_the_watcher_of_each_change(clock: Clock) -> None:
    state = make(clock)
    seen: list[str] = []
    state.watch = seen.append
    state.power_off("n1")
    assert set(seen) == {"n1"}


def test_an_undrain_takes_the_reason_along_unless_the_node_is_down_besides(clock: Clock) -> None:
    for down, reason in ((False, ""), (True, "no IB")):
        state = make(clock, standing=Standing(down=down, drain=True, reason="no IB", reason_by="jd", reason_at=START))
        state.update("n0", "undrain", "", "root")
        standing = state.nodes["n0"].standing
        assert (standing.down, standing.drain, standing.reason) == (down, False, reason)
