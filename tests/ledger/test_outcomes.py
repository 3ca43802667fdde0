"""Outcomes in the ledger: read twice they are one, and only what is good or bad is counted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from botd.errors import MovedOn
from botd.ledger import Ledger
from botd.ledger.outcomes import Row, SpellRow, Tallied
from tests.ledger.test_actions import ask

AT = datetime(2026, 11, 26, 3, 10, tzinfo=UTC)
GAP = timedelta(minutes=15)


def row(verdict: str = "good", source: str = "observed", node: str = "n1", **more: object) -> Row:
    return Row(source, node, "silent", "power-cycle", "savio2", AT, verdict)._replace(**more)


def add(ledger: Ledger, *rows: Row) -> int:
    with ledger.write() as db:
        return ledger.outcomes.add(db, rows)


def tallied(ledger: Ledger) -> list[Tallied]:
    with ledger.read() as db:
        return ledger.outcomes.tallied(db)


def test_what_is_read_twice_is_counted_once(ledger: Ledger) -> None:
    assert [add(ledger, row(), row("bad", node="n2")), add(ledger, row(), row("bad", node="n2"))] == [2, 0]
    spell = SpellRow("observed", "n1", "silent", AT, 3.0, healed=True)
    with ledger.write() as db:
        assert [ledger.outcomes.add_spells(db, [spell]) for _ in range(2)] == [1, 0]
        assert ledger.outcomes.spells(db) == [("silent", 3.0, True)]
    assert tallied(ledger) == [Tallied("silent", "power-cycle", "savio2", date(2026, 11, 26), "observed", 1, 1, 0)]


def test_what_is_open_or_not_counted_is_neither_good_nor_bad(ledger: Ledger) -> None:
    add(ledger, row("open"), row("not counted", node="n2"))
    assert tallied(ledger) == []


def audited(ledger: Ledger) -> list[SimpleNamespace]:
    with ledger.read() as db:
        return [SimpleNamespace(**json.loads(each.document)) for each in ledger.chain.after(db, 0, 99)]


def own(ledger: Ledger) -> int:
    stored, _ = ask(ledger, "a")
    add(ledger, row("open", "own", action_id=stored.id, p=0.75))
    return stored.id


def test_an_own_one_is_open_until_it_is_settled(ledger: Ledger) -> None:
    own(ledger)
    with ledger.write() as db:
        (found,) = ledger.outcomes.open_ones(db)
        ledger.outcomes.settle(db, found, "bad", "silent within a day", is_harm=True)
        assert ledger.outcomes.open_ones(db) == []
        assert [(each.verdict, each.p, each.is_harm) for each in ledger.outcomes.told(db)] == [("bad", 0.75, True)]
    assert [(each.bad, each.harms) for each in tallied(ledger)] == [(1, 1)]


def said(ledger: Ledger, *, is_harm: bool) -> None:
    """A person says it, and a day later it turns out well."""
    number = own(ledger)
    with ledger.write() as db:
        (found,) = ledger.outcomes.open_ones(db)
        ledger.outcomes.mark(db, number, "kmf", AT, is_harm=is_harm, reason="job 7 was lost")
        ledger.outcomes.settle(db, found, "good", "well for a day", is_harm=False)


def test_that_it_did_harm_stands_beside_what_came_of_it_and_in_the_audit(ledger: Ledger) -> None:
    said(ledger, is_harm=True)
    assert [(each.good, each.bad, each.harms) for each in tallied(ledger)] == [(1, 0, 1)]
    assert [(each.kind, each.by, each.words) for each in audited(ledger)][-1] == (
        "action-harm",
        "kmf",
        "job 7 was lost",
    )


def test_what_was_not_it_is_not_counted_whatever_comes(ledger: Ledger) -> None:
    said(ledger, is_harm=False)
    assert tallied(ledger) == []
    assert audited(ledger)[-1].kind == "action-not-it"


def test_of_an_action_that_has_no_outcome_nobody_can_say_that_it_did_harm(ledger: Ledger) -> None:
    stored, _ = ask(ledger, "a")
    with ledger.write() as db, pytest.raises(MovedOn, match="is none of which the outcome is judged"):
        ledger.outcomes.mark(db, stored.id, "kmf", AT, is_harm=True, reason="")


def test_it_is_known_when_nobody_looked(ledger: Ledger) -> None:
    with ledger.write() as db:
        for minutes in (0, 10, 20, 120, 130):
            ledger.outcomes.watch(db, AT + timedelta(minutes=minutes), GAP)
        blind = [
            ledger.outcomes.blind(db, AT + timedelta(minutes=begin), AT + timedelta(minutes=end))
            for begin, end in ((0, 20), (10, 125), (20, 120), (-60, 0), (130, 140))
        ]
    assert blind == [timedelta(minutes=m) for m in (0, 100, 100, 60, 10)]


def test_there_is_something_new_to_count_after_each_of_these(ledger: Ledger) -> None:
    def revision() -> tuple[object, ...]:
        with ledger.read() as db:
            return tuple(ledger.outcomes.revision(db))

    seen = [revision()]
    number = own(ledger)
    seen.append(revision())
    with ledger.write() as db:
        ledger.outcomes.settle(db, ledger.outcomes.open_ones(db)[0], "good", "", is_harm=False)
    seen.append(revision())
    with ledger.write() as db:
        ledger.outcomes.mark(db, number, "kmf", AT, is_harm=True, reason="")
    seen.append(revision())
    with ledger.write() as db:
        ledger.outcomes.add_spells(db, [SpellRow("imported", "n1", "silent", AT, 3.0, healed=True)])
    seen.append(revision())
    assert len(set(seen)) == 5
