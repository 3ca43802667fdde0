"""A node goes back into service: only one that is out for no person's reason, and green at this moment."""

from __future__ import annotations

import pytest

from botd.model import State
from tests.agent.actions.works import NODES, Works

NODE = NODES[0]
DRAINED = "drained|2026-11-26T19:59:00|slurm|Kill task failed"
DOWN = "down|2026-11-26T19:59:00|slurm|Node unexpectedly rebooted"


@pytest.fixture
def out(at_work: Works) -> Works:
    """The node is drained for what is over."""
    return put(at_work, DRAINED)


def put(at_work: Works, row: str) -> Works:
    at_work.helper.put(NODE, row)
    at_work.refresh()
    return at_work


@pytest.mark.scene("an action to its end")
def test_a_drained_node_goes_back_once(out: Works) -> None:
    out.press("resume", NODE, login="kmf")
    out.drive()
    assert out.states() == ["succeeded"]
    assert out.helper.heard() == [["update", f"nodename={NODE}", "state=undrain"]]
    assert out.swept == [NODE, NODE]  # at the press, and right before it was sent


@pytest.mark.scene("an action to its end")
def test_a_node_that_is_down_is_resumed(at_work: Works) -> None:
    put(at_work, DOWN).press("resume", NODE, login="kmf")
    at_work.drive()
    assert at_work.states() == ["succeeded"]
    assert at_work.helper.heard() == [["update", f"nodename={NODE}", "state=resume"]]


def test_a_node_that_is_not_well_stays_out(out: Works) -> None:
    out.bad[NODE] = State.WARN
    answer = out.press("resume", NODE, login="kmf")
    assert (answer["code"], "ping" in answer["words"]) == ("wrong-state", True)


def test_readings_that_nobody_has_taken_now_are_none(out: Works) -> None:
    out.press("identify", NODE, login="kmf")
    out.drive()
    out.sweeps_work = False
    assert out.press("resume", NODE, login="kmf")["code"] == "wrong-state"
    out._read_at = out.clock()
    out.hall.later(seconds=11)
    assert out.press("resume", NODE, login="kmf")["code"] == "wrong-state"


def test_a_node_that_falls_ill_between_press_and_turn_stays_out(out: Works) -> None:
    out.press("resume", NODE, login="kmf")
    out.bad[NODE] = State.FAIL
    out.drive()
    assert (out.states(), out.actions()[0].code, out.helper.heard()) == (["refused"], "wrong-state", [])


@pytest.mark.scene("a person drains in that moment")
def test_a_persons_node_is_left_to_that_person(at_work: Works) -> None:
    put(at_work, "drained|2026-11-26T19:59:00|jd|bad GPU 3, RMA open")
    assert at_work.press("resume", NODE, login="kmf")["code"] == "human-reason"
    put(at_work, "drained|2026-11-26T19:59:00|kmf|bad GPU 3, RMA open")
    at_work.press("resume", NODE, login="kmf")
    at_work.drive()
    assert at_work.states() == ["succeeded"]


def test_what_a_person_pressed_is_that_persons(at_work: Works) -> None:
    at_work.press("drain", NODE, login="anna")
    at_work.drive()
    at_work.refresh()
    assert at_work.press("resume", NODE, login="kmf")["code"] == "human-reason"


@pytest.mark.scene("the reason changes")
def test_a_reason_that_changes_at_the_last_moment_stays(out: Works) -> None:
    out.press("resume", NODE, login="kmf")
    out.helper.put(NODE, "drained|2026-11-26T20:00:30|jd|RMA open")
    out.drive()
    assert (out.states(), out.helper.heard()) == (["refused"], [])


def test_a_node_in_service_is_not_resumed(at_work: Works) -> None:
    assert at_work.press("resume", NODE, login="kmf")["code"] == "wrong-state"


def test_a_draining_node_with_a_job_goes_back_and_a_down_one_with_a_job_does_not(at_work: Works) -> None:
    at_work.jobs[NODE] = ("4711",)
    put(at_work, "draining|2026-11-26T19:59:00|slurm|Kill task failed").press("resume", NODE, login="kmf")
    at_work.drive()
    assert at_work.states() == ["succeeded"]
    put(at_work, DOWN)
    assert at_work.press("resume", NODE, login="kmf")["code"] == "live-job"
