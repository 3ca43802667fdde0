"""What a diagnosis takes from the history: incidents in 30 days, and since when a check is as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from botd.checks import site_checks
from botd.config import parse_config
from botd.history.past import LOOK_BACK, node_pasts, past_subjects, pasts_from
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


def test_what_is_older_than_30_days_counts_no_more() -> None:
    assert node_pasts([change("ssh", "fail: timeout", 31)], CHECKS, NOW)["n1"].incidents == 0


def test_no_subject_that_changes_at_every_sweep_is_asked_for() -> None:
    subjects = past_subjects(CHECKS)
    assert {"slurm", "ssh", "df_tmp", "ipmi_state", "memory"} <= set(subjects)
    assert {"load", "users", "slurmd_log", "diagnosis"}.isdisjoint(subjects)


def test_the_changes_are_asked_for_by_node_subject_and_time() -> None:
    asked: list[object] = []

    def about(nodes: Collection[str], subjects: Sequence[str], since: datetime) -> Iterable[Change]:
        asked.append((nodes, tuple(subjects), since))
        return []

    assert pasts_from(about, CHECKS, NOW)(["n1"]) == {}
    assert asked == [(["n1"], past_subjects(CHECKS), NOW - LOOK_BACK)]
