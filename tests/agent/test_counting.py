"""From an action to what is recommended: judged a day later, counted, told, and the same on every page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from botd.acting.moves import BY_ENDS, State
from botd.advice.morning import NIGHT, next_morning, nobodys_past
from botd.agent.counting import LOOK_S, Counting
from botd.agent.judging import row_of
from botd.board.scales import BoardScales
from botd.board.waiting import wait_until
from botd.documents import RecommendationDocument
from botd.history.past import Pasts
from botd.inventory import Inventory, build
from botd.ledger import Ledger
from botd.ledger.actions import Said, Stored
from botd.ledger.outcomes import IncidentRow, Row, SpellRow
from botd.model import BOOT, DIAGNOSIS, SLURM, Change, SlurmNode
from botd.settings import AdviceSettings
from botd.store.imported import IMPORTED_INCIDENTS, NOW, YEAR
from tests.advice.cases import CHECKS, SILENT, readings
from tests.conftest import Site
from tests.ledger.test_actions import ask

NODE = "n0000.savio2"
DAY = timedelta(days=1, minutes=1)


def silent(p: float = 0.75) -> RecommendationDocument:
    sure = {"p": p, "at_least": None, "good": 0, "of": 0, "scope": "all hardware"}
    return {"diagnosis": "silent", "ranked": [{"action": "power-cycle", "confidence": sure}]}  # type: ignore


class Desk:
    """An agent that counts, beside a site of the tests."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ledger = Ledger(site.config)
        self.ledger.open(site.now)
        self.listed_at: datetime | None = site.now
        self.counting = Counting(site.config, self.ledger, site.store, self._listed, lambda: site.now)

    def _listed(self) -> Inventory:
        as_of = self.listed_at and self.site.now
        return build([SlurmNode(NODE, "idle", "IDLE", partitions=("savio2",))], {}, as_of)

    def changed(self, *changes: tuple[str, str, str]) -> None:
        self.site.store.changes.record(Change(NODE, *each, self.site.now) for each in changes)

    def goes_on(self, time: timedelta = DAY) -> None:
        """Time goes by, in which somebody looks every ten minutes."""
        end = self.site.now + time
        while self.site.now < end:
            self.site.now = min(end, self.site.now + timedelta(minutes=10))
            self.counting.swept()
            self.counting._watch()
        self.counting.step()

    def cycled(self, nonce: str = "a", end: State = State.SUCCEEDED) -> Stored:
        """A power cycle that was pressed, and has ended."""
        stored, _ = ask(self.ledger, nonce, NODE, now=self.site.now)
        with self.ledger.write() as db:
            row = row_of(stored, silent(), "savio2")
            assert row is not None
            self.ledger.outcomes.add(db, [row])
            done = (State.SENDING, State.SENT, State.VERIFYING, end) if end != State.REFUSED else (end,)
            db.exec_driver_sql("UPDATE actions SET state = 're-read' WHERE id = ?", (stored.id,))
            stored = self.ledger.actions.get(db, stored.id)
            for state in done:
                step = BY_ENDS[State(stored.state), state]
                stored = self.ledger.actions.move(db, stored, step, "agent", self.site.now, Said(is_certain=True))
        return stored

    def outcomes(self) -> list[tuple[str, str]]:
        with self.ledger.read() as db:
            query = "SELECT source, verdict FROM outcomes ORDER BY id"
            return [(row[0], row[1]) for row in db.exec_driver_sql(query)]

    def shown(self) -> tuple[int, int]:
        """Good outcomes, and all, of power cycles on silent nodes."""
        every = self.counting.scales().experience.weigh("silent", "power-cycle", "savio2").tally.all
        return round(every.good), round(every.of)


@pytest.fixture
def desk(site: Site) -> Iterator[Desk]:
    made = Desk(site)
    yield made
    made.ledger.close()


def test_an_action_is_judged_a_day_after_it_and_counts_from_then_on(desk: Desk) -> None:
    desk.cycled()
    desk.goes_on(timedelta(hours=23))
    assert (desk.outcomes(), desk.shown()) == ([("own", "open")], (0, 0))
    desk.goes_on(timedelta(hours=1, minutes=1))
    assert (desk.outcomes(), desk.shown()) == ([("own", "good")], (1, 1))


def test_nothing_is_learnt_from_a_dry_run_nor_where_nobody_knew_what_it_had(desk: Desk) -> None:
    stored, _ = ask(desk.ledger, "a", NODE)
    assert row_of(stored, silent(), "savio2") is not None
    assert row_of(stored._replace(is_dry=True), silent(), "savio2") is None
    assert row_of(stored._replace(action="drain"), silent(), "savio2") is None
    for advice in (None, {**silent(), "diagnosis": "unread"}, {**silent(), "diagnosis": "colleague"}):
        assert row_of(stored, advice, "savio2") is None  # type: ignore[arg-type]


def test_what_goes_wrong_again_is_bad_at_once(desk: Desk) -> None:
    desk.cycled()
    desk.goes_on(timedelta(hours=2))
    desk.changed((DIAGNOSIS, "", "silent"))
    desk.goes_on(timedelta(hours=1))
    assert (desk.outcomes(), desk.shown()) == ([("own", "bad")], (0, 1))


@pytest.mark.parametrize("end", [State.UNKNOWN, State.REFUSED])
def test_what_was_not_done_or_may_not_have_happened_is_not_counted(desk: Desk, end: State) -> None:
    desk.cycled(end=end)
    desk.goes_on()
    assert (desk.outcomes(), desk.shown()) == ([("own", "not counted")], (0, 0))


def test_what_nobody_looked_at_is_not_counted(desk: Desk) -> None:
    desk.cycled()
    desk.site.now += DAY
    desk.counting.step()
    assert desk.outcomes() == [("own", "not counted")]


def test_what_people_did_is_read_out_of_the_history_once_its_day_is_over_and_once(desk: Desk) -> None:
    desk.goes_on(timedelta(hours=1))
    desk.changed((SLURM, "in service", "down*"), (DIAGNOSIS, "", "silent"))
    desk.goes_on(timedelta(hours=2))
    desk.changed((BOOT, "2026-01-01T00:00:00Z", f"{desk.site.now:%FT%TZ}"), (DIAGNOSIS, "silent", ""))
    for _ in range(3):
        desk.goes_on()
    assert (desk.outcomes(), desk.shown()) == ([("observed", "good")], (1, 1))
    assert spells(desk) == [("silent", False)]


def test_what_another_process_adds_is_counted_at_the_next_look(desk: Desk) -> None:
    desk.counting.step()
    with desk.ledger.write() as db:
        rows = [Row("imported", f"n{n}", "silent", "power-cycle", "savio2", desk.site.now, "good") for n in range(4)]
        desk.ledger.outcomes.add(db, rows)
        desk.ledger.outcomes.add_spells(db, [SpellRow("imported", "n1", "silent", desk.site.now, 3.0, healed=True)])
    desk.counting.step()
    assert desk.shown() == (4, 4)
    assert desk.counting.scales().experience.tables["silent"][2].healed == 1


def test_a_page_weighs_by_what_the_agent_has_told_and_by_nothing_where_others_wrote_there(desk: Desk) -> None:
    board = BoardScales(AdviceSettings(), desk.site.store, lambda: desk.site.now)
    assert board.now().experience.counts == ()
    desk.cycled()
    desk.goes_on()
    assert board.now() == desk.counting.scales()
    for written in (7, {"as_of": "now"}, {"as_of": "2026-11-26", "counts": [[1]], "tables": {}}):
        desk.site.store.copies.put("experience", {"now": written, "edition": repr(written)})
        assert board.now().experience.counts == ()
    desk.counting.step()
    assert board.now() == desk.counting.scales()


def test_a_drain_of_a_hard_action_of_botds_own_is_no_persons_and_any_other_is(desk: Desk) -> None:
    desk.cycled()
    desk.counting.step()
    assert desk.counting.scales().ours == {"1"}
    assert BoardScales(AdviceSettings(), desk.site.store, lambda: desk.site.now).now().ours == {"1"}
    told = []
    for reason in ("botd: power-cycle 1 by anna", "botd: power-cycle 2 by anna", "botd: drain 1 by anna"):
        slurm = SlurmNode(NODE, "drained", "IDLE", ("DRAIN",), (), reason, "slurm", desk.site.now)
        inventory = build([slurm], {}, desk.site.now)
        found = {NODE: readings({})}
        scales = desk.counting.scales()
        told.append(next_morning(NIGHT, inventory, found, found, CHECKS, nobodys_past, scales).given[NODE]["diagnosis"])
    assert told == ["ready", "colleague", "colleague"]


def cycle_is(desk: Desk) -> list[str]:
    """What becomes of a silent node, by the agent and by a web process."""
    slurm = SlurmNode(NODE, "down*", "DOWN", (), ("*",), "Not responding", "slurm", desk.site.now)
    found, inventory = {NODE: readings(SILENT)}, build([slurm], {}, desk.site.now)
    board = BoardScales(AdviceSettings(), desk.site.store, lambda: desk.site.now)
    told = []
    for scales in (desk.counting.scales(), board.now()):
        pasts = Pasts(desk.site.store.changes, CHECKS, lambda: desk.site.now)
        given = next_morning(NIGHT, inventory, found, found, CHECKS, pasts.of, scales).given
        told.append(str(given[NODE]["action"]))
    return told


def test_what_failed_is_not_recommended_again_in_this_incident_by_neither_process(desk: Desk) -> None:
    desk.changed((SLURM, "in service", "down*"))
    desk.cycled(end=State.FAILED)
    desk.counting.step()
    assert cycle_is(desk) == ["person", "person"]
    desk.goes_on(timedelta(minutes=20))
    desk.changed((SLURM, "down*", "in service"))
    desk.goes_on(timedelta(minutes=20))
    desk.changed((SLURM, "in service", "down*"))
    assert cycle_is(desk) == ["power-cycle", "power-cycle"]


@pytest.mark.parametrize("end", [State.SUCCEEDED, State.UNKNOWN, State.REFUSED])
def test_what_did_not_fail_is_no_rung_behind(desk: Desk, end: State) -> None:
    desk.cycled(end=end)
    desk.counting.step()
    assert cycle_is(desk) == ["power-cycle", "power-cycle"]


def test_nonsense_of_what_failed_in_the_shared_database_is_nothing(desk: Desk) -> None:
    for written in (7, [[1]], [["n", "power-cycle", "x", 1]], [["n", "power-cycle", 1, 1e300]], {"a": 1}):
        desk.site.store.copies.put("experience", {"tried": written, "edition": repr(written)})
        assert BoardScales(AdviceSettings(), desk.site.store, lambda: desk.site.now).now().tried == ()


def test_counting_looks_as_soon_as_an_action_has_ended(desk: Desk) -> None:
    stop = threading.Event()
    desk.counting.start(stop)
    try:
        wait_until(lambda: desk.site.store.copies.get("experience", "edition") is not None, 30)
        desk.cycled(end=State.FAILED)
        desk.counting.turn()
        wait_until(lambda: bool(desk.counting.scales().tried), 30)
        assert desk.counting.scales().tried
    finally:
        stop.set()


def test_what_is_on_record_is_counted_after_the_first_sweep_and_not_a_minute_later(desk: Desk) -> None:
    stop = threading.Event()
    desk.changed((SLURM, "in service", "down*"), (DIAGNOSIS, "", "silent"))
    desk.site.now += timedelta(minutes=10)
    desk.changed((DIAGNOSIS, "silent", ""))
    desk.listed_at = None  # Slurm was not asked yet
    desk.counting.start(stop)
    try:
        wait_until(lambda: desk.site.store.copies.get("experience", "edition") is not None, 30)
        assert not spells(desk)
        desk.listed_at = desk.site.now
        desk.counting.swept()
        wait_until(lambda: spells(desk) == [("silent", True)], LOOK_S / 2)
    finally:
        stop.set()


def spells(desk: Desk) -> list[tuple[str, bool]]:
    with desk.ledger.read() as db:
        return [(name, healed) for name, _, healed in desk.ledger.outcomes.spells(db)]


def fell(desk: Desk, old: str) -> None:
    desk.site.store.changes.record([Change(NODE, SLURM, old, "down*", desk.site.now, is_bad=True)])


def imported(desk: Desk, *days_ago: float, lasts: timedelta = timedelta(minutes=10)) -> None:
    begun_at = desk.site.store.pulse().history_since or desk.site.now
    times = [begun_at - timedelta(days=days) for days in days_ago]
    with desk.ledger.write() as db:
        desk.ledger.outcomes.add_incidents(db, [IncidentRow(NODE, at, at + lasts) for at in times])
    desk.counting.step()


def test_who_failed_before_the_first_day_is_a_repeater_on_it_to_either_process(desk: Desk) -> None:
    fell(desk, "in service")
    imported(desk, 9)
    assert cycle_is(desk) == ["power-cycle", "power-cycle"]
    imported(desk, 5)
    assert cycle_is(desk) == ["person", "person"]


def test_an_imported_incident_in_which_the_record_began_is_counted_once(desk: Desk) -> None:
    fell(desk, "")
    imported(desk, 9, 0.5, lasts=timedelta(days=1))
    assert cycle_is(desk) == ["power-cycle", "power-cycle"]


def test_who_counts_more_than_a_month_is_told_of_a_year_of_imported_incidents(desk: Desk) -> None:
    imported(desk, 400, 300, 9)
    assert list(map(len, desk.site.store.changes.imported().values())) == [1]
    assert list(map(len, desk.site.store.changes.imported(YEAR).values())) == [2]


@pytest.mark.parametrize("told", [{NODE: [0]}, {NODE: ["soon", None, 1e300]}, {NODE: 7}, [NODE], None])
def test_what_others_write_over_the_imported_incidents_is_put_right(desk: Desk, told: object) -> None:
    imported(desk, 9)
    (before,) = desk.site.store.changes.imported().values()
    desk.site.store.copies.put(IMPORTED_INCIDENTS, {NOW: told})
    assert before not in desk.site.store.changes.imported().values()
    desk.counting.step()
    assert desk.site.store.changes.imported() == {NODE: before}
