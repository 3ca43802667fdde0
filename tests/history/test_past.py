"""What a diagnosis takes from the history: incidents in 30 days, and since when a check is as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from botd.checks import site_checks
from botd.config import parse_config
from botd.history.past import NOTHING, NodePast, Pasts, node_pasts, past_subjects
from botd.model import Change

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def change(subject: str, new: str, days_ago: float, *, old: str = "ok", bad: bool = True) -> Change:
    return Change("n1", subject, old, new, NOW - timedelta(days=days_ago), is_bad=bad)


def test_incidents_are_counted_and_the_last_change_of_each_check_is_its_since() -> None:
    changes = [
        change("ssh", "fail: timeout", 20),
        change("slurm", "down*", 20, old="in service"),  # the same incident
        change("df_tmp", "fail", 9),
        change("ssh", "fail: hung", 3),
        change("df_tmp", "ok", 1, bad=False),
    ]
    past = node_pasts(changes, CHECKS, NOW)["n1"]
    assert past.incidents == 2
    assert past.since["df_tmp"] == NOW - timedelta(days=1)


def test_since_when_a_check_is_as_it_was_when_the_record_began_is_not_known() -> None:
    found = node_pasts([change("df_tmp", "fail", 9, old="")], CHECKS, NOW)["n1"]
    assert "df_tmp" not in found.since


def test_when_a_node_was_last_back_in_service_is_known() -> None:
    changes = [
        change("slurm", "in service", 9, old="down*", bad=False),
        change("slurm", "in service, not responding", 8, old="in service", bad=False),
        change("slurm", "down*", 7, old="in service, not responding"),
        change("slurm", "drained*", 6, old="down*"),
    ]
    assert node_pasts(changes, CHECKS, NOW)["n1"].back_at == NOW - timedelta(days=9)
    assert node_pasts(changes[2:], CHECKS, NOW)["n1"].back_at is None


def test_what_is_older_than_30_days_counts_no_more() -> None:
    assert node_pasts([change("ssh", "fail: timeout", 31)], CHECKS, NOW)["n1"].incidents == 0


def test_no_subject_that_changes_at_every_sweep_is_asked_for() -> None:
    subjects = past_subjects(CHECKS)
    assert {"slurm", "ssh", "df_tmp", "ipmi_state", "memory"} <= set(subjects)
    assert {"load", "users", "slurmd_log", "diagnosis"}.isdisjoint(subjects)


class Kept:
    """A record of changes that notes who was asked for."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.asked: list[tuple[str, ...]] = []
        self.before: dict[str, list[datetime]] = {}

    def about(self, nodes: Collection[str], subjects: Sequence[str], since: datetime) -> Iterable[Change]:
        self.asked.append(tuple(nodes))
        return [each for each in self.changes if each.node in nodes and each.subject in subjects and each.at >= since]

    def touched(self, subjects: Sequence[str], after: int | None) -> tuple[int, Collection[str]]:
        new = self.changes[after:] if after is not None else []
        return len(self.changes), {each.node for each in new if each.subject in subjects}

    def imported(self) -> Mapping[str, Sequence[datetime]]:
        return self.before


def test_a_node_is_read_once_and_again_when_it_has_a_change() -> None:
    record, times = Kept(), [NOW]
    pasts = Pasts(record, CHECKS, lambda: times[-1])
    record.changes = [change("ssh", "fail: timeout", 29.99)]
    assert pasts.of(["n1", "n2"]) == {"n1": NodePast(1, {"ssh": record.changes[0].at}), "n2": NOTHING}
    pasts.of(["n1", "n2"])
    record.changes += [replace(change("ssh", "fail: hung", 0), node="n2"), change("load", "warn", 0)]
    assert pasts.of(["n1", "n2", "n3"])["n2"].incidents == 1
    assert record.asked == [("n1", "n2"), ("n2", "n3")]
    times.append(NOW + timedelta(hours=2))
    assert pasts.of(["n1"]) == {"n1": NOTHING}, "its incident is 30 days old"


def test_another_database_is_read_anew() -> None:
    record = Kept()
    pasts = Pasts(record, CHECKS, lambda: NOW)
    record.changes = [change("ssh", "fail: timeout", 3), change("load", "warn", 2)]
    assert pasts.of(["n1"])["n1"].incidents == 1
    record.changes = []
    assert pasts.of(["n1"]) == {"n1": NOTHING}


def test_imported_incidents_count_as_soon_as_they_are_told_by_the_same_measure() -> None:
    record = Kept()
    pasts = Pasts(record, CHECKS, lambda: NOW)
    record.changes = [change("ssh", "fail: timeout", 0)]
    assert pasts.of(["n1", "n2"])["n1"].incidents == 1
    ago = [timedelta(days=31), timedelta(days=9), timedelta(days=9, minutes=-50), timedelta(days=2)]
    record.before = {"n1": [NOW - each for each in ago], "n2": [NOW - timedelta(days=3)], "n3": [NOW]}
    found = pasts.of(["n1", "n2"])
    assert {node: past.incidents for node, past in found.items()} == {"n1": 3, "n2": 1}
    assert found["n1"].since == {"ssh": record.changes[0].at}, "they tell nothing of a check"
