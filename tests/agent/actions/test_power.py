"""A node is switched: drained first, announced, looked at again, one packet, and done when it is well again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from botd.audit import verify
from botd.ledger.chain import read_chain
from botd.model import Change, State
from botd.transport.bmc.outcome import Answered, NoAnswer
from tests.agent.actions.works import DRAINED, NODES, ROLES, Works, works
from tests.program import wait_until

NODE = NODES[0]
PASSWORD = "correct horse battery"
CYCLE, ON, OFF, HARD_OFF = "02", "01", "05", "00"
TO_THE_END = ["requested", "reserved", "announced", "re-read", "sending", "sent", "verifying", "succeeded"]
OURS = "botd: power-cycle 1 by kmf"
DRAIN = ["update", f"nodename={NODE}", "state=drain", f"reason={OURS}"]
UNDRAIN = ["update", f"nodename={NODE}", "state=undrain"]
DOWN = "down*|2026-11-26T19:59:00|slurm|Not responding"


def cycle(at_work: Works, **more: Any) -> dict[str, Any]:
    return at_work.press("power-cycle", NODE, login="kmf", **more)


def boots(at_work: Works) -> None:
    """From now on a node that is switched on boots, and one that is switched off is off."""

    def switched() -> None:
        data = at_work.bmc.packets()[-1].split()[1]
        if data in (CYCLE, ON):
            at_work.powers[NODE] = "on"
            at_work.boot(NODE, at_work.clock() + timedelta(seconds=20))
            at_work.hall.later(seconds=60)
        elif data in (OFF, HARD_OFF):
            at_work.powers[NODE] = "off"

    at_work.bmc.after = switched


def moves(at_work: Works) -> list[str]:
    with at_work.hall.ledger.read() as db:
        return [made.target for made in at_work.hall.ledger.actions.moves(db, at_work.actions()[-1].id)]


def words(at_work: Works) -> list[str]:
    with at_work.hall.ledger.read() as db:
        return [made.words for made in at_work.hall.ledger.actions.moves(db, at_work.actions()[-1].id)]


def state_of(at_work: Works) -> str:
    return (at_work.helper.directory / "nodes" / NODE).read_text().split("|")[0]


def overdue(at_work: Works, seconds: float = 1200) -> None:
    at_work.reach("verifying")
    at_work.hall.later(seconds=seconds)
    at_work.drive()


def much_later(at_work: Works) -> None:
    """So much later that no cap is in the way any more, and everybody has to log in again."""
    at_work.hall.later(hours=7)
    at_work.held = {login: at_work.hall.log_in(login, PASSWORD, at_work.code(login)) for login in at_work.held}
    at_work.refresh()


# ---- to a good end ----


@pytest.mark.scene("an action to its end")
def test_a_cycle_drains_sends_one_packet_and_is_done_when_the_node_is_well_again(at_work: Works) -> None:
    boots(at_work)
    assert cycle(at_work)["ok"]
    at_work.drive()
    assert moves(at_work) == TO_THE_END
    assert (at_work.bmc.packets(), at_work.helper.heard()) == ([f"127.9.0.1 {CYCLE}"], [DRAIN])
    assert words(at_work)[2] == f'draining it first: "{OURS}"'
    assert state_of(at_work) == "drained"  # going back is an action of its own
    assert verify(read_chain(at_work.hall.ledger.path)).broken_at is None


@pytest.mark.scene("an action to its end")
def test_a_node_that_is_off_is_switched_on(at_work: Works) -> None:
    boots(at_work)
    at_work.powers[NODE] = "off"
    at_work.helper.put(NODE, DOWN)
    at_work.refresh()
    assert cycle(at_work)["code"] == "wrong-state"
    at_work.press("power-on", NODE, login="kmf")
    at_work.drive()
    assert (at_work.states(), at_work.bmc.packets()) == (["succeeded"], [f"127.9.0.1 {ON}"])
    assert at_work.helper.heard() == [
        ["update", f"nodename={NODE}", "state=drain", "reason=botd: power-on 1 by kmf"]
    ]  # so that it gets no jobs before somebody has looked


@pytest.mark.scene("an action to its end")
def test_a_node_is_off_when_it_reads_off_twice(at_work: Works) -> None:
    boots(at_work)
    at_work.press("power-off", NODE, login="kmf")
    at_work.drive()
    assert (at_work.states(), at_work.bmc.packets()) == (["succeeded"], [f"127.9.0.1 {OFF}"])


def test_the_drain_of_somebody_else_is_not_replaced(at_work: Works) -> None:
    boots(at_work)
    at_work.helper.put(NODE, "drained|2026-11-26T19:59:00|slurm|Kill task failed")
    at_work.refresh()
    cycle(at_work)
    at_work.drive()
    assert (at_work.states(), at_work.helper.heard()) == (["succeeded"], [])
    assert words(at_work)[2] == "it is drained already"


def test_a_second_press_of_power_off_within_the_hour_is_the_hard_one(at_work: Works) -> None:
    caps = "[caps]\nnode_hard_per_6h = 5\nhard_per_hour = '6'\ngroup_hard_per_hour = '6'\n\n[protected]"
    at_work.roles = ROLES.replace("[protected]", caps)
    at_work.press("power-off", NODE, login="kmf")
    overdue(at_work, 300)
    assert at_work.states() == ["failed"]
    at_work.refresh()
    boots(at_work)
    at_work.press("power-off", NODE, login="kmf")
    at_work.drive()
    assert at_work.states() == ["failed", "succeeded"]
    assert [packet.split()[1] for packet in at_work.bmc.packets()] == [OFF, HARD_OFF]


def test_later_it_is_a_soft_one_again(at_work: Works) -> None:
    at_work.press("power-off", NODE, login="kmf")
    overdue(at_work, 300)
    much_later(at_work)
    at_work.press("power-off", NODE, login="kmf")
    at_work.reach("verifying")
    assert [packet.split()[1] for packet in at_work.bmc.packets()] == [OFF, OFF]


# ---- to a bad one ----


@pytest.mark.scene("the node never comes back")
def test_a_node_that_never_comes_back_has_failed(at_work: Works) -> None:
    cycle(at_work)
    overdue(at_work)
    assert (at_work.states(), at_work.actions()[0].code) == (["failed"], "not-seen")
    assert "has not booted" in at_work.actions()[0].words
    assert (at_work.helper.heard(), state_of(at_work)) == ([DRAIN], "drained")


@pytest.mark.scene("the node comes back sick")
def test_a_node_that_comes_back_sick_has_failed_and_is_said_to_have_booted(at_work: Works) -> None:
    boots(at_work)
    at_work.bad[NODE] = State.FAIL
    at_work.bmc.answers = NoAnswer("no answer to the command")
    cycle(at_work)
    overdue(at_work)
    stored = at_work.actions()[0]
    assert (stored.state, stored.code) == ("failed", "not-well")
    assert stored.words == "it booted at 2026-11-26T20:01:25.000Z, and is not well: ping"


@pytest.mark.scene("the answer of the BMC is lost")
def test_what_was_not_answered_and_shows_itself_has_succeeded(at_work: Works) -> None:
    boots(at_work)
    at_work.bmc.answers = NoAnswer("no answer to the command")
    cycle(at_work)
    at_work.drive()
    assert (at_work.states(), len(at_work.bmc.packets())) == (["succeeded"], 1)


@pytest.mark.scene("the answer of the BMC is lost")
def test_what_was_not_answered_and_does_not_show_is_unknown_and_blocks_the_node(at_work: Works) -> None:
    at_work.bmc.answers = NoAnswer("no answer to the command")
    cycle(at_work)
    overdue(at_work)
    assert (at_work.states(), len(at_work.bmc.packets())) == (["unknown"], 1)
    much_later(at_work)
    assert cycle(at_work)["code"] == "busy"


def test_a_node_whose_readings_are_not_new_has_not_come_back(at_work: Works) -> None:
    boots(at_work)
    at_work.sweeps_work = False
    cycle(at_work)
    overdue(at_work)
    assert at_work.states() == ["unknown"]


@pytest.mark.scene("the clock is set back an hour")
def test_by_a_clock_that_was_set_back_nothing_has_failed(at_work: Works) -> None:
    cycle(at_work)
    at_work.reach("verifying")
    at_work.hall.now -= timedelta(hours=1)
    at_work.drive()
    assert at_work.states() == ["unknown"]


def test_a_bmc_that_says_no_has_done_nothing_and_the_node_goes_back(at_work: Works) -> None:
    at_work.bmc.answers = Answered(0xC1, None)
    cycle(at_work)
    at_work.drive()
    assert (at_work.states(), at_work.helper.heard()) == (["failed"], [DRAIN, UNDRAIN])


# ---- what changes between look and sending ----


def in_the_grace(at_work: Works, happens: Callable[[], object]) -> None:
    """Presses, has something happen while it is announced, and goes on."""
    at_work.tick_s = 0
    cycle(at_work)
    at_work.reach("announced")
    wait_until(lambda: at_work.ticks)  # it is drained by then
    happens()
    at_work.tick_s = 5
    at_work.drive()


def test_anybody_may_stop_it_in_the_grace_and_the_node_goes_back(at_work: Works) -> None:
    at_work.token("eve")
    in_the_grace(at_work, lambda: at_work.letter("halt", "eve", {"id": 1}))
    assert (at_work.states(), at_work.bmc.packets()) == (["refused"], [])
    assert at_work.helper.heard() == [DRAIN, UNDRAIN]
    assert words(at_work)[-1] == "our drain was taken back"


def test_a_stop_of_everything_takes_the_drain_back_too(at_work: Works) -> None:
    at_work.token("eve")
    in_the_grace(at_work, lambda: at_work.letter("stop", "eve", {"reason": "smoke"}))
    assert (at_work.states(), at_work.helper.heard()[-1], at_work.bmc.packets()) == (["refused"], UNDRAIN, [])


@pytest.mark.scene("a job starts between look and packet")
def test_a_job_that_starts_between_look_and_press_ends_it(at_work: Works) -> None:
    in_the_grace(at_work, lambda: at_work.jobs.update({NODE: ("4711",)}))
    assert (at_work.actions()[0].code, at_work.helper.heard()[-1]) == ("live-job", UNDRAIN)
    assert at_work.bmc.packets() == []


def test_jobs_that_are_not_known_any_more_end_it(at_work: Works) -> None:
    in_the_grace(at_work, lambda: at_work.silent.add("jobs"))
    assert (at_work.states(), at_work.actions()[0].code) == (["refused"], "jobs-unknown")
    assert at_work.bmc.packets() == []


@pytest.mark.scene("a person drains in that moment")
def test_a_persons_reason_of_that_moment_stays(at_work: Works) -> None:
    theirs = "drained|2026-11-26T20:00:07|jd|RMA open"
    in_the_grace(at_work, lambda: at_work.helper.put(NODE, theirs))
    assert at_work.actions()[0].code in ("human-reason", "evidence-changed")
    assert (at_work.helper.heard(), at_work.bmc.packets()) == ([DRAIN], [])


def test_a_node_that_is_off_by_then_is_left(at_work: Works) -> None:
    in_the_grace(at_work, lambda: at_work.powers.update({NODE: "off"}))
    assert (at_work.actions()[0].code, at_work.bmc.packets()) == ("evidence-changed", [])


@pytest.mark.scene("the reason changes")
def test_a_drain_of_another_moment_is_not_taken_back(at_work: Works) -> None:
    again = f"drained|2026-11-26T20:07:00|slurm|{OURS}"
    at_work.token("eve")

    def happens() -> None:
        at_work.helper.put(NODE, again)
        at_work.letter("halt", "eve", {"id": 1})

    in_the_grace(at_work, happens)
    assert (at_work.states(), at_work.helper.heard()) == (["refused"], [DRAIN])
    assert words(at_work)[-1] == "the node was drained again with our reason; that stays"


def test_a_node_that_cannot_be_drained_is_not_switched(at_work: Works) -> None:
    at_work.helper.says("scontrol", "slurm_update error: Invalid user id")
    cycle(at_work)
    at_work.drive()
    assert (at_work.states(), at_work.bmc.packets()) == (["failed"], [])


@pytest.mark.scene("Slurm does not answer")
def test_an_answer_of_slurm_that_is_lost_drains_nothing_and_switches_nothing(at_work: Works) -> None:
    at_work.helper.says("scontrol", "slurm_update error: Socket timed out on send/recv operation")
    cycle(at_work)
    at_work.drive()
    assert (at_work.states(), at_work.actions()[0].code, at_work.bmc.packets()) == (["refused"], "wrong-state", [])


# ---- which BMC ----


def test_another_bmc_than_last_time_is_sent_nothing_until_somebody_has_looked(at_work: Works) -> None:
    boots(at_work)
    at_work.bmc.guid = "a1" * 16
    at_work.press("identify", NODE, login="kmf")
    at_work.drive()
    at_work.bmc.guid = "b2" * 16
    cycle(at_work)
    at_work.drive()
    assert (at_work.states(), at_work.actions()[1].code) == (["succeeded", "failed"], "other-bmc")
    assert at_work.helper.heard()[-1] == UNDRAIN
    at_work.refresh()
    assert at_work.press("identify", NODE, login="kmf")["code"] == "other-bmc"
    assert at_work.letter("seen", "kmf", {"id": 2, "reason": "the blade was swapped"})["ok"]
    at_work.press("identify", NODE, login="kmf")
    at_work.drive()
    assert at_work.states()[-1] == "succeeded"
    assert len(at_work.bmc.packets()) == 2


def test_only_who_may_rearm_takes_another_bmc_for_the_nodes(at_work: Works) -> None:
    at_work.bmc.guid = "a1" * 16
    at_work.press("identify", NODE)
    at_work.drive()
    at_work.bmc.guid = "b2" * 16
    at_work.press("identify", NODE)
    at_work.drive()
    assert at_work.letter("seen", "anna", {"id": 2, "reason": "me"})["code"] == "not-allowed"
    assert at_work.press("identify", NODE)["code"] == "other-bmc"


# ---- dry runs, places ----


def test_a_dry_run_drains_nothing_and_sends_nothing(tmp_path: Path, make_site: Any) -> None:
    with works(tmp_path, make_site, mode="dry-run") as at_work:
        cycle(at_work)
        at_work.drive()
        assert moves(at_work) == ["requested", "reserved", "announced", "re-read", "would-have"]
        assert (at_work.helper.heard(), at_work.bmc.packets()) == ([], [])


def test_an_agent_that_ends_in_the_grace_sends_nothing(at_work: Works) -> None:
    at_work.tick_s = 0
    cycle(at_work)
    at_work.reach("announced")
    at_work.driver._worker.close()
    wait_until(at_work.driver.is_idle)
    assert (at_work.states(), at_work.bmc.packets()) == (["announced"], [])


@pytest.mark.parametrize("action", ["power-cycle", "power-on", "power-off"])
def test_what_is_protected_is_never_switched(at_work: Works, action: str) -> None:
    at_work.roles = ROLES.replace('nodes = "n0009.savio2"', f'nodes = "{NODE}"')
    assert at_work.press(action, NODE, login="kmf")["code"] == "protected"


# ---- storms ----


def fell_ill(at_work: Works, before: str) -> None:
    """Every node is silent for a minute, of which the record has this before."""
    at = at_work.clock() - timedelta(minutes=1)
    at_work.site.store.changes.record(Change(node, "ssh", before, "fail", at, is_bad=True) for node in NODES)


@pytest.mark.scene("a storm of a whole rack")
def test_nodes_that_fall_ill_together_are_a_storm_and_none_is_switched(at_work: Works) -> None:
    fell_ill(at_work, "ok")
    ill = [node for node in NODES if node != DRAINED]
    assert {at_work.press("power-cycle", node, login="kmf")["code"] for node in ill} == {"storm"}


def test_nodes_that_were_ill_when_the_record_began_are_none(at_work: Works) -> None:
    fell_ill(at_work, "")
    assert cycle(at_work)["ok"]
