"""Who may says of an action that it did harm, or that what came after it was not its doing."""

from __future__ import annotations

import json

import pytest

from botd.ledger.chain import read_chain
from botd.ledger.outcomes import Row
from tests.agent.actions.works import NODES, Works

NODE = NODES[0]


def outcome(at_work: Works) -> tuple[str, bool, str]:
    with at_work.hall.ledger.read() as db:
        row = db.exec_driver_sql("SELECT verdict, is_harm, marked_by FROM outcomes").one()
    return row.verdict, bool(row.is_harm), row.marked_by


@pytest.fixture
def judged(at_work: Works) -> Works:
    """An action that went well."""
    at_work.press("drain", NODE)
    at_work.drive()
    row = Row("own", NODE, "silent", "power-cycle", "savio2", at_work.clock(), "good", action_id=1, p=0.75)
    with at_work.hall.ledger.write() as db:
        at_work.hall.ledger.outcomes.add(db, [row])
    return at_work


def test_who_has_the_right_marks_it_and_who_has_not_does_not(judged: Works) -> None:
    assert judged.letter("harm", "anna", {"id": 1, "reason": "job 7"})["code"] == "not-allowed"
    assert outcome(judged) == ("good", False, "")
    assert judged.letter("harm", "kmf", {"id": 1, "reason": "job 7"})["ok"]
    assert outcome(judged) == ("good", True, "kmf")
    with judged.hall.ledger.read() as db:
        last = judged.hall.ledger.actions.moves(db, 1)[-1]
    assert (last.source, last.target) == ("succeeded", "succeeded")
    assert last.words == "kmf says that it did harm: job 7"
    kinds = [json.loads(row.document)["kind"] for row in read_chain(judged.hall.ledger.path)][-2:]
    assert kinds == ["action-harm", "action-remark"]


def test_that_it_was_not_it_takes_it_out_of_what_is_counted(judged: Works) -> None:
    assert judged.letter("harm", "kmf", {"id": 1, "harm": False, "reason": "the switch"})["ok"]
    assert outcome(judged) == ("not counted", False, "kmf")


def test_of_an_action_that_mends_nothing_there_is_nothing_to_say(at_work: Works) -> None:
    at_work.press("drain", NODE)
    at_work.drive()
    assert "none of which the outcome is judged" in at_work.letter("harm", "kmf", {"id": 1, "reason": ""})["words"]


@pytest.mark.parametrize("number", [0, -1, 10, 2**63, 10**30])
@pytest.mark.parametrize("kind", ["harm", "seen", "veto", "halt"])
def test_a_number_that_no_action_has_is_that_and_no_damage(judged: Works, kind: str, number: int) -> None:
    """SQLite takes no integer beyond 64 bits, and what it does not take was once held for a damaged ledger."""
    assert judged.letter(kind, "kmf", {"id": number, "reason": "x"})["words"] == f"there is no action {number}"
