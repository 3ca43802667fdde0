"""The month before the demo: a record as an agent leaves it, that botd counts on."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from botd.advice.observed import READ, observed
from botd.advice.titles import diagnosis_of
from botd.agent.judging import Judging
from botd.commands.demo_past import remember
from botd.commands.ledger import owned
from botd.config import load_config
from botd.demo import DemoCluster
from botd.demo.past import COLLEAGUES, CURED_BY_A_BOOT, CURED_BY_ITSELF, MONTH, past_changes
from botd.demo.site import Site, build_site
from botd.history.changes import IN_SERVICE, boot_time
from botd.inventory import build
from botd.inventory.slurm import SlurmReader
from botd.model import BOOT, DIAGNOSIS, REASON, SLURM, STARTED, Change, utc_now
from botd.store import Store

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SITE = build_site(320, 1, NOW.timestamp())
CHANGES = past_changes(SITE, 1, NOW)
ILL = {node.name for node in SITE.nodes if node.standing.reason}


def by_subject(changes: list[Change]) -> dict[tuple[str, str], list[Change]]:
    found = defaultdict[tuple[str, str], list[Change]](list)
    for change in changes:
        found[change.node, change.subject].append(change)
    return found


def test_it_is_a_record_the_oldest_first_of_which_each_change_goes_on_with_the_one_before() -> None:
    assert sorted(CHANGES, key=lambda change: change.at) == CHANGES
    assert CHANGES[0].at > NOW - MONTH
    assert CHANGES[-1].at < NOW
    for told in by_subject(CHANGES).values():
        assert all(before.new == after.old for before, after in pairwise(told))
    assert all(change.old != change.new for change in CHANGES)


def test_who_is_well_now_was_left_so() -> None:
    last = {place: told[-1].new for place, told in by_subject(CHANGES).items() if place[0] not in ILL}
    assert {word for (_, subject), word in last.items() if subject == SLURM} == {IN_SERVICE}
    assert {word for (_, subject), word in last.items() if subject in (REASON, DIAGNOSIS)} == {""}


def test_the_last_boot_on_record_is_that_of_the_node() -> None:
    booted = {node.name: node.booted_at for node in SITE.nodes}
    last = {node: told[-1] for (node, subject), told in by_subject(CHANGES).items() if subject == BOOT}
    assert len(last) > 40
    for node, change in last.items():
        assert abs(boot_time(change.new).timestamp() - booted[node]) <= 1


def test_the_same_site_seed_and_time_have_the_same_past_and_a_small_site_has_a_small_one() -> None:
    assert past_changes(build_site(320, 1, NOW.timestamp()), 1, NOW) == CHANGES
    assert past_changes(Site([], []), 1, NOW) == []
    assert len(past_changes(build_site(8, 1, NOW.timestamp()), 1, NOW)) < len(CHANGES) / 10


@pytest.mark.parametrize("trouble", [*CURED_BY_A_BOOT, *CURED_BY_ITSELF], ids=lambda trouble: trouble.title)
def test_its_words_are_those_of_botd(trouble) -> None:
    assert diagnosis_of(trouble.title)
    assert diagnosis_of(trouble.ready).startswith("ready")
    assert diagnosis_of(COLLEAGUES) == "colleague"


def test_it_shows_what_people_did_and_that_some_nodes_were_back_alone() -> None:
    deeds, illnesses = observed(CHANGES, {})
    done = Counter((deed.diagnosis, deed.action) for deed in deeds)
    for what in (("silent", "power-cycle"), ("powered-off", "power-on"), ("ready", "resume")):
        assert done[what] >= 10
    healed = [illness.hours for illness in illnesses if illness.healed and illness.diagnosis == "silent"]
    assert len(healed) == 20
    assert max(healed) < 0.5


def test_botd_counts_it_and_goes_on_with_the_record() -> None:
    with DemoCluster(160) as cluster:
        now = utc_now()
        changes = past_changes(build_site(160, 1, time.time()), 1, now)
        remember(str(cluster.config_path), now - MONTH, changes)
        config = load_config(str(cluster.config_path))
        store = Store(config)
        nodes = SlurmReader(config.slurm).read()
        left = {each.node: each for each in store.changes.news([SLURM], now - MONTH) if each.node not in _well(changes)}
        assert store.pulse().history_since == now - MONTH
        assert {node.node for node in nodes if node.reason_at} == left.keys()
        assert all(change.old == IN_SERVICE and change.is_bad for change in left.values())
        with owned(config) as ledger:
            inventory = build(nodes, {}, now)
            Judging(config.advice, ledger, store, lambda: inventory).observe(now)
            with ledger.read() as db:
                counts = [tuple(each) for each in ledger.outcomes.tallied(db)]
                assert ledger.outcomes.blind(db, now - timedelta(days=2), now) == timedelta(0)
        store.close()
    assert any("power-cycle" in each for each in counts)
    assert any("resume" in each for each in counts)


def _well(changes: list[Change]) -> set[str]:
    """The nodes that were ill in the month, and not now."""
    return {change.node for change in changes if change.subject == SLURM}


def test_it_is_read_out_of_what_the_history_keeps() -> None:
    assert {change.subject for change in CHANGES} >= {*READ} - {STARTED}
