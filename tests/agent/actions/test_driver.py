"""An action on its way: each state in its order, sent once, and ended by what is read back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from botd.acting.actions import BY_NAME, Way
from botd.acting.cycles import Cycle
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Subject
from botd.audit import verify
from botd.inventory import build
from botd.ledger.actions import Budget
from botd.ledger.chain import read_chain
from botd.transport.bmc.outcome import Answered, NoAnswer, NotSent
from tests.agent.actions.works import DRAINED, NODES, ROLES, Works, works
from tests.agent.people.parts import START
from tests.conftest import Site

NODE = NODES[0]
DOWN = "down|2026-11-26T19:59:00|slurm|Not responding"
TO_THE_END = ["requested", "reserved", "re-read", "sending", "sent", "verifying", "succeeded"]


def moves(at_work: Works, number: int = 1) -> list[str]:
    with at_work.hall.ledger.read() as db:
        return [made.target for made in at_work.hall.ledger.actions.moves(db, number)]


@pytest.mark.scene("an action to its end")
def test_a_drain_is_sent_once_and_read_back(at_work: Works) -> None:
    at_work.press("drain", NODE)
    at_work.drive()
    assert moves(at_work) == TO_THE_END
    assert at_work.helper.heard() == [["update", f"nodename={NODE}", "state=drain", "reason=botd: drain 1 by anna"]]
    assert at_work.lists_wanted  # what it changed is shown from here on
    assert verify(read_chain(at_work.hall.ledger.path)).broken_at is None
    with at_work.hall.ledger.read() as db:
        assert at_work.hall.ledger.actions.locked(db) == []


@pytest.mark.scene("an action to its end")
def test_an_identify_is_one_packet_and_done_by_its_completion_code(at_work: Works) -> None:
    at_work.press("identify", NODE)
    at_work.drive()
    assert moves(at_work) == TO_THE_END
    assert at_work.bmc.packets() == ["127.9.0.1 f0"]


def test_a_bmc_that_says_no_is_a_failure_and_one_that_says_nothing_is_unknown(at_work: Works) -> None:
    at_work.bmc.answers = Answered(0xC1, None)
    at_work.press("identify", NODE)
    at_work.drive()
    at_work.bmc.answers = NoAnswer("no answer to the command")
    at_work.press("identify", NODES[1])
    at_work.reach("verifying")
    at_work.hall.later(seconds=5)
    at_work.drive()
    assert at_work.states() == ["failed", "unknown"]
    assert "0xc1" in at_work.actions()[0].words
    assert len(at_work.bmc.packets()) == 2


def test_what_was_not_sent_has_failed(at_work: Works) -> None:
    at_work.bmc.send = lambda *_, **__: NotSent("no-session", "no session within 2 s")  # type: ignore[method-assign]
    at_work.press("identify", NODE)
    at_work.drive()
    assert moves(at_work) == ["requested", "reserved", "re-read", "failed"]
    assert at_work.actions()[0].words == "no session within 2 s"


def test_a_node_that_another_has_changed_before_the_look_at_its_turn_is_left_alone(at_work: Works) -> None:
    at_work.press("drain", NODE)
    at_work.helper.put(NODE, "drained|2026-11-26T20:00:00|kmf|mine")
    at_work.drive()
    assert (at_work.states(), at_work.helper.heard()) == (["refused"], [])
    assert at_work.actions()[0].code in ("wrong-state", "evidence-changed")


@pytest.mark.scene("Slurm does not answer")
def test_what_slurm_does_not_answer_is_read_back_and_not_sent_again(at_work: Works) -> None:
    at_work.helper.says("scontrol", "slurm_update error: Socket timed out on send/recv operation")
    at_work.press("drain", NODE)
    at_work.reach("verifying")
    at_work.hall.later(seconds=60)
    at_work.drive()
    stored = at_work.actions()[0]
    assert (stored.state, stored.is_certain, len(at_work.helper.heard())) == ("unknown", False, 1)


def test_a_stop_between_two_steps_ends_it(at_work: Works) -> None:
    at_work.press("identify", NODE)
    send = at_work.bmc.send

    def stopped(*args: object, **more: object) -> object:
        at_work.letter("stop", "eve", {"reason": "smoke"})
        return send(*args, **more)  # type: ignore[arg-type]

    at_work.token("eve")
    at_work.bmc.send = stopped  # type: ignore[method-assign, assignment]
    at_work.drive()
    assert (at_work.states(), at_work.bmc.packets()) == (["refused"], [])


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["file", "link"])
def test_a_file_beside_the_ledger_stops_too(at_work: Works, make: Callable[[Path], None]) -> None:
    at_work.press("drain", NODE)
    make(at_work.hall.ledger.path.parent / "stop")
    at_work.drive()
    assert (at_work.states(), at_work.actions()[0].code) == (["refused"], "stopped")


def test_a_dry_run_goes_the_same_way_and_sends_nothing(tmp_path: Path, make_site: Callable[..., Site]) -> None:
    with works(tmp_path, make_site, mode="dry-run") as at_work:
        at_work.press("drain", NODE)
        at_work.press("identify", NODES[1])
        at_work.drive()
        assert at_work.states() == ["would-have", "would-have"]
        assert (at_work.helper.heard(), at_work.bmc.packets()) == ([], [])


def test_with_mode_off_no_press_is_taken(tmp_path: Path, make_site: Callable[..., Site]) -> None:
    with works(tmp_path, make_site, mode="off") as at_work:
        assert at_work.press("drain", NODE)["code"] == "actions-off"


def test_a_role_has_no_more_than_its_hour_allows(at_work: Works) -> None:
    at_work.press("drain", *NODES[4:8], login="bert")
    at_work.drive()
    assert sorted(at_work.states()) == ["refused", "refused", "succeeded", "succeeded"]
    assert {each.code for each in at_work.actions() if each.state == "refused"} == {"cap"}
    assert at_work.press("drain", NODES[9], login="bert")["code"] == "cap"


def test_a_batch_goes_through_few_places(at_work: Works) -> None:
    at_work.roles = ROLES.replace("[protected]", "[caps]\nsoft_at_once = 2\n\n[protected]")
    at_work.press("drain", *NODES[4:10])
    at_work.drive()
    assert at_work.states() == ["succeeded"] * 6
    assert len(at_work.helper.heard()) == 6


def test_what_waited_too_long_is_not_done_late(at_work: Works) -> None:
    at_work.press("drain", NODE, login="carl")
    at_work.press("drain", NODES[1])
    at_work.hall.later(minutes=1)
    at_work.drive()
    assert at_work.states() == ["awaiting", "expired"]
    at_work.hall.later(minutes=29)
    at_work.drive()
    assert at_work.states() == ["expired", "expired"]


def test_the_fifth_bad_end_of_ten_opens_the_breaker(at_work: Works) -> None:
    at_work.bmc.answers = Answered(0xC1, None)
    for node in NODES[4:9]:
        at_work.press("identify", node)
        at_work.drive()
    assert at_work.press("drain", NODE)["code"] == "breaker-open"
    says = {"reason": "BMCs were away", "text": at_work.text("re-arm", reason="BMCs were away")}
    at_work.token("kmf")
    answer = at_work.letter(
        "close-breaker",
        "kmf",
        {**says, "text": at_work.text("re-arm", reason="BMCs were away"), "proof": {"otp": at_work.code("kmf")}},
    )
    assert answer["ok"], answer
    assert at_work.press("drain", NODE)["ok"]


def test_cycles_that_people_did_open_the_breaker_with_nobody_pressing(at_work: Works) -> None:
    """Of 20 nodes there may be one in an hour: 5 of a hundred."""
    at = at_work.clock()
    at_work.cycles = (Cycle(NODES[1], at),)
    at_work.drive()
    assert at_work.press("drain", NODE)["ok"]
    at_work.drive()
    at_work.cycles += (Cycle(NODES[2], at),)
    at_work.drive()
    refused = at_work.press("drain", NODES[4])
    assert refused["code"] == "breaker-open"
    assert "2 hard actions in 60 min, of which there may be 1; of these 2 by people" in refused["words"]
    assert "by people" in at_work.site.store.copies.get("switches", "now")["breaker"]


@pytest.mark.parametrize("mode", ["on", "off"])
def test_cycles_that_an_agent_saw_count_for_the_one_after_it(at_work: Works, mode: str) -> None:
    at = at_work.clock()
    at_work.cycles = (Cycle(NODES[1], at),)
    at_work.again(mode)
    at_work.driver.step()
    at_work.cycles = ()
    at_work.again("on")
    at_work.driver.step()
    at_work.cycles = (Cycle(NODES[1], at + timedelta(seconds=20)),)  # the list that was left shows it again
    at_work.driver.step()
    assert at_work.press("drain", NODE)["ok"]
    at_work.cycles = (Cycle(NODES[2], at),)
    at_work.driver.step()
    assert at_work.press("drain", NODES[4])["code"] == "breaker-open"


def test_a_boot_that_botd_has_sent_is_counted_once(at_work: Works) -> None:
    at_work.press("identify", NODES[1])
    at_work.drive()
    with at_work.hall.ledger.write() as db:
        db.exec_driver_sql("UPDATE actions SET action = 'power-cycle', weight = 'hard'")
    at_work.cycles = (Cycle(NODES[1], at_work.clock()),)
    at_work.drive()
    assert at_work.press("drain", NODE)["ok"]
    at_work.cycles += (Cycle(NODES[2], at_work.clock()),)
    at_work.drive()
    words = "2 hard actions in 60 min, of which there may be 1; of these 1 by people"
    assert words in at_work.press("drain", NODES[4])["words"]


def test_what_may_have_happened_waits_for_somebody_to_see(at_work: Works) -> None:
    at_work.bmc.answers = NoAnswer("no answer to the command")
    at_work.press("identify", NODE)
    at_work.reach("verifying")
    at_work.hall.later(seconds=5)
    at_work.drive()
    assert at_work.letter("seen", "anna", {"id": 1, "reason": "looked"})["code"] == "not-allowed"
    assert at_work.letter("seen", "kmf", {"id": 1, "reason": "looked"})["ok"]
    assert at_work.actions()[0].seen_by == "kmf"


def test_copies_say_what_the_ledger_says_and_are_mended(at_work: Works) -> None:
    at_work.press("drain", NODE)
    at_work.drive()
    copies = at_work.site.store.copies
    told = copies.get("action", "000000000001")
    assert (told["state"], [made["target"] for made in told["moves"]]) == ("succeeded", TO_THE_END)
    assert (copies.get("spend", "000000000001")["role"], copies.get("switches", "now")["mode"]) == ("student", "on")
    copies.put("action", {"000000000001": {**told, "state": "failed"}, "000000000002": {}})
    at_work.driver._teller._mend_due._idle_until = 0.0
    at_work.driver.step()
    assert copies.all("action") == {"000000000001": told}


def test_a_breaker_that_opens_after_the_last_look_keeps_it_from_being_sent(at_work: Works) -> None:
    hand = at_work.kit.hands[Way.SLURM]
    send = hand.send

    def opened(*args: Any) -> Any:
        with at_work.hall.ledger.write() as db:
            at_work.hall.ledger.switches.open_breaker(db, "too much", at_work.clock())
        return send(*args)

    hand.send = opened  # type: ignore[method-assign]
    at_work.press("drain", NODE)
    at_work.drive()
    assert (at_work.states(), at_work.actions()[0].code) == (["refused"], "breaker-open")
    assert at_work.helper.heard() == []


def test_a_node_that_somebody_acts_on_is_busy_for_everybody_else(at_work: Works) -> None:
    reached, go_on = threading.Event(), threading.Event()
    at_work.bmc.after = lambda: (reached.set(), go_on.wait(60))  # type: ignore[assignment, func-returns-value]
    at_work.press("identify", NODE)
    at_work.driver.step()
    assert reached.wait(60)
    answer = at_work.press("drain", NODE, login="kmf")
    assert (answer["code"], "anna has identify 1 under way" in answer["words"]) == ("busy", True)
    go_on.set()
    at_work.drive()
    assert at_work.press("drain", NODE, login="kmf")["ok"]


def test_two_presses_of_one_node_taken_up_together_are_one_that_is_done(at_work: Works) -> None:
    at_work.token("kmf")
    at_work.press("drain", NODE)
    at_work.press("drain", NODE, login="kmf")
    at_work.drive()
    assert sorted(at_work.states()) == ["refused", "succeeded"]
    assert len(at_work.helper.heard()) == 1


def test_a_cap_of_groups_that_are_not_there_is_used_up(at_work: Works) -> None:
    judge, subject = Judge(at_work.kit), Subject(BY_NAME["power-cycle"], NODE, "kmf", "", frozenset(), False, START)
    for groups, words in ((("rack1",), "how many there may be is not known"), ((), "")):
        at_work.roles = ROLES.replace("[protected]", f"[caps]\ngroups = {list(groups)!r}\n\n[protected]")
        assert words in judge._why_capped(subject, [], [], Budget())


def test_nothing_is_taken_up_before_the_first_node_list(at_work: Works) -> None:
    at_work.press("drain", NODE)
    at_work.inventory = build((), {}, None)
    at_work.drive()
    assert at_work.states() == ["requested"]
    at_work.refresh()
    at_work.drive()
    assert at_work.states() == ["succeeded"]


def test_as_many_as_there_are_places_for_write_the_ledger_and_none_is_in_the_way_of_another(
    at_work: Works, caplog: pytest.LogCaptureFixture
) -> None:
    at_work.press("drain", *(node for node in NODES if node != DRAINED))
    at_work.drive()
    assert set(at_work.states()) == {"succeeded"}
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
