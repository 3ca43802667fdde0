"""What the agent writes into the history, and that neither its clock nor a second agent spoils it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from botd.agent.housekeeping import Housekeeping
from botd.agent.latest import LatestReadings
from botd.agent.numbers import NumberCollector
from botd.checks import site_checks
from botd.model import Change, Reading, State, utc_now
from botd.settings import HistorySettings
from tests.agent.test_loop import SINFO, Lone, run_agent  # noqa: F401 (a fixture)
from tests.conftest import Site, need_program
from tests.program import wait_until
from tests.store.conftest import noise

DAY = timedelta(days=1)


@pytest.fixture
def lone(tmp_path: Path) -> Lone:
    need_program("fping")
    return Lone(tmp_path)


def slurm_words(lone: Lone, node: str) -> list[tuple[str, str, str]]:
    found = lone.store.changes.page(nodes=[node], limit=99)
    return [(change.subject, change.old, change.new) for change in reversed(found)]


def test_a_drain_that_came_and_went_between_two_requests_is_in_the_history(tmp_path: Path, run_agent) -> None:  # noqa: F811
    need_program("fping")
    lone = Lone(tmp_path, refresh=0.1)
    run_agent(lone)
    sinfo = tmp_path / "sinfo.txt"
    sinfo.write_text(SINFO + "n9 down* 2026-11-23T20:20:00 jd no IB\n")
    wait_until(lambda: slurm_words(lone, "n9"))
    sinfo.write_text(SINFO)
    wait_until(lambda: len(slurm_words(lone, "n9")) == 4)
    assert slurm_words(lone, "n9") == [
        ("slurm", "", "down*"),
        ("reason", "", "no IB"),
        ("slurm", "down*", "not in Slurm"),
        ("reason", "no IB", ""),
    ]
    who = lone.store.changes.page(nodes=["n9"], limit=99)[-2].why
    assert who.startswith("set by jd at 2026-11-23T")


def test_a_drain_while_no_agent_ran_is_not_missed(tmp_path: Path) -> None:
    need_program("fping")
    lone = Lone(tmp_path)
    for text in (SINFO, SINFO + "n9 drain 2026-11-23T20:20:00 jd no IB\n"):
        (tmp_path / "sinfo.txt").write_text(text)
        tried = lone.store.pulse().list_tried_at if text != SINFO else None
        agent = lone.process()
        wait_until(lambda: (tmp_path / "botd.db").exists() and _tried(lone, tried))  # noqa: B023
        agent.terminate()
        agent.wait(20)
    assert ("slurm", "", "drained") in slurm_words(lone, "n9")


def _tried(lone: Lone, before: object) -> bool:
    try:
        tried = lone.store.pulse().list_tried_at
    except Exception:
        return False
    return tried is not None and tried != before


def test_of_agents_that_start_together_one_works_and_the_others_say_so(tmp_path: Path) -> None:
    need_program("fping")
    lone = Lone(tmp_path)
    agents = [lone.process() for _ in range(3)]
    try:
        wait_until(lambda: sum(agent.poll() is not None for agent in agents) == 2, 60)
        ended = [agent for agent in agents if agent.poll() is not None]
        for agent in ended:
            assert b"an agent is running already" in agent.stderr.read()
            assert agent.returncode == 2
        wait_until(lambda: lone.store.pulse().list_tried_at)
    finally:
        for agent in agents:
            agent.terminate()
            agent.wait(20)


def test_an_agent_whose_database_was_taken_stops(lone: Lone) -> None:
    agent = lone.process()
    try:
        wait_until(lambda: _tried(lone, None), 30)
        lone.store.claim(1, "elsewhere", utc_now(), lambda _: True)
        assert agent.wait(20) == 2
        assert b"another agent works on this database now" in agent.stderr.read()
    finally:
        agent.kill()
        agent.wait(20)


def test_a_damaged_database_is_kept_aside_at_the_start(lone: Lone, tmp_path: Path) -> None:
    lone.store.create()
    lone.store.readings.write({f"n{i}": noise(3000) for i in range(100)}, utc_now())
    lone.store.close()
    path = tmp_path / "botd.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50_000] = b"\xff" * 50_000
    path.write_bytes(data)
    agent = lone.process()
    try:
        wait_until(lambda: _tried(lone, None), 30)
        assert "is kept as botd.db.damaged-" in (lone.store.pulse().note or "")
        assert len([kept for kept in tmp_path.glob("botd.db.damaged-*") if kept.suffix != "-wal"]) >= 1
    finally:
        agent.terminate()
        agent.wait(20)
    assert b"is kept as botd.db.damaged-" in agent.stderr.read()


def test_readings_of_a_time_to_come_are_read_again(site: Site) -> None:
    site.later(-3600)  # the clock was set back
    site.beat()
    body = site.get("/api/v1/status?groups=all&max_age=7200&wait=0")
    assert (body["complete"], body["sweep"]) == (False, 1)
    latest = LatestReadings(site.store, lambda: site.now)
    latest.load()
    assert latest.stale(["n0000.savio2"], ["ping"], site.now - 2 * DAY) == ["n0000.savio2"]


def test_an_agent_that_beat_in_a_time_to_come_counts_as_dead_until_it_beats_again(site: Site) -> None:
    site.later(-3600)
    assert site.client.get("/healthz").status_code == 503
    site.beat()
    assert site.client.get("/healthz").status_code == 200


def test_what_was_skipped_when_the_agent_ended_is_known_again_when_it_starts(site: Site) -> None:
    def agent() -> LatestReadings:
        latest = LatestReadings(site.store, lambda: site.now)
        latest.load()
        return latest

    first = agent()
    for state in (State.FAIL, State.SKIPPED):
        first.put("n0000.savio2", {"load": Reading(state, at=site.now)})
    first.flush()
    second = agent()
    for state in (State.FAIL, State.OK):
        second.put("n0000.savio2", {"load": Reading(state, at=site.now)})
    second.flush()
    found = site.store.changes.page(nodes=["n0000.savio2"], limit=9)
    assert [(change.old, change.new) for change in found] == [("fail", "ok"), ("ok", "fail")]


def numbers(site: Site) -> dict[str, list[tuple[int, float]]]:
    return site.store.samples.of_node("n0000.savio2", site.now - DAY, site.now)


def test_numbers_are_kept_of_what_can_be_plotted(site: Site) -> None:
    collector = NumberCollector(site_checks(site.config), site.store, lambda: site.now)
    readings = {
        "load": Reading(State.OK, 0.25),
        "df_tmp": Reading(State.OK, {"size": 8, "free": 4, "mounted": True}),
        "df_scratch": Reading(State.FAIL, None),
        "ssh": Reading(State.OK, "up"),
        "ipmi_reachable": Reading(State.OK, True),
    }
    collector.put("n0000.savio2", readings)
    collector.flush()
    assert {check: value for check, [(_, value)] in numbers(site).items()} == {"load": 0.25, "df_tmp": 4.0}


def test_many_sweeps_within_a_minute_are_one_moment_on_record(site: Site) -> None:
    collector = NumberCollector(site_checks(site.config), site.store, lambda: site.now)
    for load in (1.0, 2.0, 3.0):
        collector.put("n0000.savio2", {"load": Reading(State.OK, load)})
        collector.flush()
        site.later(1)
    assert [value for _, value in numbers(site)["load"]] == [1.0]


def housekeeping(site: Site) -> Housekeeping:
    return Housekeeping(HistorySettings(), site.store, lambda: site.now)


def record(site: Site, *, days: int) -> None:
    change = Change("n1", "ssh", "fail", "ok", site.now - timedelta(days=days))
    site.store.readings.write({"n1": {}}, site.now, changes=[change])


def test_what_is_too_old_is_forgotten(site: Site) -> None:
    record(site, days=100)
    record(site, days=10)
    housekeeping(site).step()
    assert len(site.store.changes.page(limit=9)) == 1


def test_a_clock_that_was_set_years_ahead_forgets_nothing(site: Site) -> None:
    record(site, days=10)
    keeper = housekeeping(site)
    keeper.step()
    site.later(3 * 365 * 86400)
    keeper._next = 0.0  # an hour later by the clock that cannot be set
    keeper.step()
    housekeeping(site).step()  # nor does an agent that starts now
    assert len(site.store.changes.page(limit=9)) == 1
