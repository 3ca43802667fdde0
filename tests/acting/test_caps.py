"""Caps, breaker, storm and halts: what was done is counted, and what cannot be counted is too much."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.acting.actions import Weight
from botd.acting.breaker import Ending, why_open
from botd.acting.caps import Cluster, gauges, is_free, why_capped
from botd.acting.halts import ClockRule, Mode, why_no_clock, why_off, why_stopped
from botd.acting.limits import Breaker, Caps, Storm
from botd.acting.storm import why_storm
from botd.config import parse_config
from botd.errors import ConfigError

NOW = datetime(2026, 11, 26, 10, 4, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Spent(NamedTuple):
    node: str
    ago: timedelta = MINUTE
    action: str = "power-cycle"
    incident: str = "monday"
    is_free: bool = False
    was_sent: bool = True

    @property
    def weight(self) -> str:
        return "hard" if self.action.startswith("power") else "soft"

    @property
    def at(self) -> datetime:
        return NOW - self.ago


RACK = {"rack": [f"n{i}" for i in range(50)]}
HERE = Cluster(100, RACK, ())


def capped(spent: Sequence[Spent], node: str = "n1", weight: Weight = Weight.HARD, cluster: Cluster = HERE) -> str:
    return why_capped(gauges(Caps(), weight, node, spent, cluster, NOW))


def test_nothing_spent_is_no_cap() -> None:
    assert capped([]) == ""


@pytest.mark.parametrize(
    ("spent", "words"),
    [
        ([Spent("n1", 5 * HOUR)], "hard actions on the node in 6 h: 1 of at most 1, the next at 2026-11-26 11:04 UTC"),
        ([Spent("n1", 7 * HOUR), Spent("n1", 100 * HOUR)], "hard actions on the node in 7 days: 2 of at most 2"),
        ([Spent(f"m{i}") for i in range(4)], "hard actions in an hour: 4 of at most 4, the next at 2026-11-26 11:03"),
        ([Spent("n2")], "hard actions in rack in an hour: 1 of at most 1"),
    ],
)
def test_a_cap_that_is_used_up_is_told_with_its_end(spent: list[Spent], words: str) -> None:
    assert words in capped(spent)


def test_what_is_over_is_not_counted() -> None:
    assert capped([Spent("n1", 7 * HOUR), Spent("n2", HOUR), *(Spent(f"m{i}", HOUR) for i in range(9))]) == ""


def test_a_clock_that_was_set_back_frees_nothing() -> None:
    assert "on the node in 6 h: 1" in capped([Spent("n1", -3 * HOUR)])


def test_soft_actions_have_caps_of_their_own() -> None:
    soft = [Spent("n1", HOUR, "resume")] * 3
    assert "soft actions on the node in 24 h: 3 of at most 3" in capped(soft, weight=Weight.SOFT)
    assert capped(soft) == ""
    assert capped([Spent("n1")] * 9, weight=Weight.SOFT) == ""
    assert gauges(Caps(), Weight.HARMLESS, "n1", soft, HERE, NOW) == ()


def test_those_under_way_are_counted_by_weight() -> None:
    busy = Cluster(100, RACK, ("hard", "hard", "hard", *["soft"] * 15))
    assert "hard actions under way: 3 of at most 3" in capped([], cluster=busy)
    assert capped([], weight=Weight.SOFT, cluster=busy) == ""


@pytest.mark.parametrize("cluster", [Cluster(None, RACK, ()), Cluster(100, None, ())])
def test_shares_of_nobody_knows_how_many_are_used_up(cluster: Cluster) -> None:
    assert "how many there may be is not known" in capped([], cluster=cluster)


def test_none_allowed_is_none() -> None:
    found = gauges(Caps(node_hard_per_6h=0), Weight.HARD, "n1", [], HERE, NOW)
    assert why_capped(found) == "hard actions on the node in 6 h: 0 of at most 0"


@given(st.lists(st.tuples(st.sampled_from(["n1", "n2", "m1"]), st.integers(-9, 200)), max_size=30), st.integers(1, 400))
def test_one_spend_more_never_leaves_more(spent: list[tuple[str, int]], nodes: int) -> None:
    made = [Spent(node, hours * HOUR) for node, hours in spent]
    cluster = Cluster(nodes, RACK, ())
    before = gauges(Caps(), Weight.HARD, "n1", made[1:], cluster, NOW)
    after = gauges(Caps(), Weight.HARD, "n1", made, cluster, NOW)
    assert all(b.left >= a.left for b, a in zip(before, after, strict=True))


# ---- what goes on with what was begun ----

OFF, CYCLE = "power-off", "power-cycle"


@pytest.mark.parametrize(
    ("action", "before", "free"),
    [
        ("power-on", [], False),
        ("power-on", [OFF], True),
        ("power-on", [CYCLE], True),
        ("power-on", [OFF, "power-on"], False),
        (OFF, [], False),
        (OFF, [OFF], True),
        (OFF, [OFF, OFF], False),
        (CYCLE, [], False),
        (CYCLE, [OFF], True),
        (CYCLE, [OFF, OFF], True),
        (CYCLE, [OFF, OFF, CYCLE], False),
        (CYCLE, [CYCLE], False),
        ("resume", [OFF], False),
    ],
)
def test_the_rungs_of_one_incident_count_once(action: str, before: list[str], free: bool) -> None:
    spent = [Spent("n1", (9 - index) * MINUTE, name) for index, name in enumerate(before)]
    assert is_free(action, "n1", "monday", spent) is free
    assert not is_free(action, "n2", "monday", spent)


def test_another_incident_or_none_that_is_known_is_not_gone_on_with() -> None:
    assert not is_free(CYCLE, "n1", "tuesday", [Spent("n1", action=OFF)])
    assert not is_free(CYCLE, "n1", "", [Spent("n1", action=OFF, incident="")])


def test_what_was_never_sent_is_not_gone_on_with() -> None:
    assert not is_free("power-on", "n1", "monday", [Spent("n1", action=OFF, was_sent=False)])
    assert not is_free(CYCLE, "n1", "monday", [Spent("n1", action=OFF, was_sent=False)])


def test_a_free_one_counts_for_nothing_but_its_place() -> None:
    full = [Spent("n1"), Spent("n1", 2 * MINUTE, is_free=True)]
    found = gauges(Caps(at_once=1), Weight.HARD, "n1", full, Cluster(100, RACK, ("hard",)), NOW, free=True)
    assert why_capped(found) == "hard actions under way: 1 of at most 1"
    assert why_capped(gauges(Caps(), Weight.HARD, "n1", full, HERE, NOW, free=True)) == ""
    assert why_capped(gauges(Caps(), Weight.HARD, "n1", full[1:], HERE, NOW)) == ""


# ---- the breaker ----


def opens(hard: int = 0, bad: int = 0, good: int = 0, since: datetime | None = None) -> str:
    endings = [Ending(NOW - MINUTE, True)] * bad + [Ending(NOW - 2 * MINUTE, False)] * good
    return why_open(Breaker(), 1000, [NOW - MINUTE] * hard, endings, NOW, since)


def test_the_breaker_opens_above_its_number() -> None:
    assert opens(hard=8) == ""
    assert opens(hard=9) == "9 hard actions in 60 min, of which there may be 8"


def test_what_people_did_by_themselves_counts_for_the_breaker_and_is_told_apart() -> None:
    own, people = [NOW - MINUTE] * 5, [NOW - 2 * MINUTE] * 4
    assert why_open(Breaker(), 1000, own, [], NOW, people=people[1:]) == ""
    words = "9 hard actions in 60 min, of which there may be 8; of these 4 by people"
    assert why_open(Breaker(), 1000, own, [], NOW, people=people) == words
    assert why_open(Breaker(), 1000, own, [], NOW, NOW - MINUTE, people) == ""
    assert why_open(Breaker(), 1000, own, [], NOW + 59 * MINUTE, people=people) == ""


def test_the_breaker_opens_at_bad_ends_among_the_last_ten() -> None:
    assert opens(bad=4, good=6) == ""
    assert opens(bad=5, good=5) == "5 of the last 10 actions ended badly"
    old = [Ending(NOW - HOUR, True)] * 5 + [Ending(NOW, False)] * 10
    assert why_open(Breaker(), 100, [], old, NOW) == ""


def test_what_was_before_a_person_closed_it_does_not_open_it_again() -> None:
    assert opens(hard=9, bad=5, since=NOW) == ""
    assert opens(hard=9, since=NOW - HOUR)


@pytest.mark.parametrize("unknown", ["nodes", "hard", "endings"])
def test_a_breaker_that_does_not_know_opens(unknown: str) -> None:
    known = {"nodes": 100, "hard": [], "endings": []}
    assert why_open(Breaker(), **{**known, unknown: None}, now=NOW)  # type: ignore[arg-type]


# ---- the storm ----


def storm(ill: dict[str, datetime], nodes: int = 100) -> str:
    return why_storm(Storm(), nodes, ill, {"rack": [f"n{i}" for i in range(15)], "few": ["m1", "m2"]}, NOW)


def test_many_nodes_at_once_are_a_storm() -> None:
    assert storm({f"x{i}": NOW - MINUTE for i in range(19)}) == ""
    assert storm({f"x{i}": NOW - MINUTE for i in range(20)}) == "20 in 15 min"
    assert storm({f"x{i}": NOW - 15 * MINUTE for i in range(40)}) == ""
    assert storm({f"x{i}": NOW + HOUR for i in range(20)}) == "20 in 15 min"
    assert storm({f"x{i}": NOW for i in range(29)}, nodes=1000) == ""


def test_a_third_of_a_group_is_a_storm_and_of_a_small_one_is_none() -> None:
    assert storm({f"n{i}": NOW for i in range(5)}) == "5 of the 15 of rack in 15 min"
    assert storm({f"n{i}": NOW for i in range(4)} | {"m1": NOW, "m2": NOW}) == ""


def test_what_is_not_known_may_be_a_storm() -> None:
    assert why_storm(Storm(), None, {}, {}, NOW)
    assert why_storm(Storm(), 100, None, {}, NOW)
    assert why_storm(Storm(), 100, {}, None, NOW)


# ---- halts ----


@pytest.mark.parametrize(
    ("mode", "is_dry", "why"),
    [
        ("on", False, ""),
        ("on", True, ""),
        ("dry-run", True, ""),
        ("dry-run", False, "it is dry-run now"),
        ("off", True, "it is off"),
        ("off", False, "it is off"),
        (None, False, "it cannot be told"),
        ("On", False, "it cannot be told"),
    ],
)
def test_what_the_mode_lets_through(mode: str | None, is_dry: bool, why: str) -> None:
    assert why_off(mode, is_dry=is_dry) == why


def test_a_stop_is_a_word_of_a_person_or_a_file() -> None:
    assert why_stopped("", False) == ""
    assert why_stopped("kmf since 10:00", False) == "kmf since 10:00"
    assert why_stopped("", True)
    assert why_stopped(None, False)
    assert why_stopped("", None)


def test_a_clock_is_believed_by_the_kernel_or_by_the_setting() -> None:
    assert why_no_clock("synchronised", True) == ""
    assert why_no_clock("synchronised", False)
    assert why_no_clock("synchronised", None)
    assert why_no_clock("trusted", None) == ""
    assert why_no_clock("", True)


@pytest.mark.parametrize(("name", "words"), [("mode", Mode), ("clock", ClockRule)])
def test_the_settings_know_these_words_and_no_other(name: str, words: type[StrEnum]) -> None:
    for word in words:
        assert getattr(parse_config({"actions": {name: str(word)}}).actions, name) == word
    with pytest.raises(ConfigError, match=rf'\[actions\] {name} must be .*"{list(words)[-1]}", not "maybe"'):
        parse_config({"actions": {name: "maybe"}})


def test_nothing_acts_unless_a_site_says_so() -> None:
    assert parse_config({}).actions.mode == Mode.OFF
    assert not parse_config({}).actions.one_user
