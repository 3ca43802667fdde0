"""The digest: the round itself, once a day, at its time, in its zone, whatever is restarted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from botd.agent import digest as digests
from botd.agent.digest import KEY, KIND, Digest, due_day
from botd.config import parse_config
from botd.errors import ConfigError
from botd.model import Change
from botd.settings import NotifySettings
from botd.transport.notify import Notice
from tests.conftest import Site, drained, idle
from tests.program import wait_until

BERLIN = NotifySettings(digest="07:30", digest_zone="Europe/Berlin")
CURL = {"User-Agent": "curl/7.88.1", "Accept": "*/*"}
Make = Callable[..., Digest]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def got() -> list[Notice]:
    return []


@pytest.fixture
def make(site: Site, got: list[Notice]) -> Make:
    """Makes an agent's digests for a time of day that is now, by the clock of the site."""

    def digest(**settings: Any) -> Digest:
        notify = {"command": "cat", "digest": f"{site.now:%H:%M}", **settings}
        config = parse_config({"site": {"name": "savio"}, "notify": notify})
        return Digest(config, site.checks, site.store, lambda: site.now, got.append)

    return digest


# ---- when ----


@pytest.mark.parametrize(
    ("settings", "now", "day"),
    [
        (BERLIN, "2026-11-27T06:29:59", None),  # 7:29 in Berlin
        (BERLIN, "2026-11-27T06:30", "2026-11-27"),
        (BERLIN, "2026-11-27T07:30", "2026-11-27"),
        (BERLIN, "2026-11-27T07:30:01", None),  # more than an hour late
        (BERLIN, "2026-07-03T05:30", "2026-07-03"),  # in summer Berlin is two hours ahead
        (NotifySettings(digest="23:30"), "2026-11-28T00:15", "2026-11-27"),
        (NotifySettings(digest="00:00"), "2026-11-28T00:00", "2026-11-28"),
        (NotifySettings(digest="02:30", digest_zone="Europe/Berlin"), "2026-03-29T01:30", "2026-03-29"),  # no such time
        (NotifySettings(digest="02:30", digest_zone="Europe/Berlin"), "2026-10-25T01:30", "2026-10-25"),  # 2:30, again
    ],
)
def test_a_digest_is_due_at_its_time_and_for_an_hour(settings: NotifySettings, now: str, day: str | None) -> None:
    assert due_day(settings, at(now)) == (None if day is None else datetime.fromisoformat(day).date())


def test_it_is_sent_once_a_day_whatever_is_restarted(site: Site, make: Make, got: list[Notice]) -> None:
    digest = make()
    digest.step()
    digest.step()
    make(digest=f"{site.now:%H:%M}").step()
    assert len(got) == 1
    site.later(86_400)
    digest.step()
    assert len(got) == 2


def test_a_clock_that_is_put_back_sends_none_a_second_time(site: Site, make: Make, got: list[Notice]) -> None:
    site.now = site.now.replace(hour=12, minute=30)
    digest = make()
    digest.step()
    site.later(-3600)
    digest.step()
    site.later(3600)
    digest.step()
    assert len(got) == 1


def test_a_record_of_a_day_to_come_keeps_none_of_today_back(site: Site, make: Make, got: list[Notice]) -> None:
    ahead = site.now + timedelta(days=30)
    site.store.copies.put(KIND, {KEY: {"day": f"{ahead:%F}", "at": ahead.isoformat()}})
    make().step()
    assert len(got) == 1


@pytest.mark.parametrize(
    "told", [17, None, [], {"day": 3}, {"day": "today", "at": "x"}, {"day": "2026-11-27", "at": ""}]
)
def test_a_record_that_cannot_be_read_is_none(site: Site, make: Make, got: list[Notice], told: object) -> None:
    site.store.copies.put(KIND, {KEY: told})
    make().step()
    assert len(got) == 1


def test_before_the_first_node_list_there_is_nothing_to_send(make_site: Any, got: list[Notice]) -> None:
    empty = make_site()
    notify = {"command": "cat", "digest": f"{empty.now:%H:%M}"}
    digest = Digest(parse_config({"notify": notify}), empty.checks, empty.store, lambda: empty.now, got.append)
    digest.step()
    assert got == []
    empty.nodes(idle("n1"))
    digest.step()
    assert len(got) == 1


# ---- what ----


def test_it_is_the_round_as_curl_prints_it(site: Site, make: Make, got: list[Notice]) -> None:
    make().step()
    (notice,) = got
    assert notice.text == site.client.get("/", headers=CURL).text.rstrip()
    assert "n0000.savio2" in notice.text
    assert all(len(line) <= 80 for line in notice.text.splitlines())


def test_what_is_new_is_new_since_the_last_digest(site: Site, make: Make, got: list[Notice]) -> None:
    site.now += timedelta(days=2)
    digest = make()
    digest.step()
    site.later(86_400)
    site.nodes(drained("n0000.savio2"), idle("n0001.savio2"), drained("n0002.savio3", "no IB"), idle("n0010.savio3"))
    out = Change("n0002.savio3", "slurm", "in service", "drained", site.now - timedelta(hours=3), "no IB", is_bad=True)
    site.store.changes.record([out])
    site.beat()
    digest.step()
    first, second = got
    assert first.subject == "savio: 2 of 4 nodes out of service, 0 new"
    assert second.subject == "savio: 2 of 4 nodes out of service, 1 new"
    assert "\n* n0002.savio3" in second.text
    since = (site.now - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert second.text == site.client.get(f"/?since={since}", headers=CURL).text.rstrip()
    assert second.about == {"out": 2, "total": 4, "new": 1, "back": 0, "changed": 0}


def test_where_nobody_is_needed_it_is_one_line(site: Site, make: Make, got: list[Notice]) -> None:
    site.nodes(idle("n0000.savio2"), idle("n0001.savio2"))
    make().step()
    assert (got[0].subject, got[0].text) == ("savio: no node of 2 is out of service", "")


def test_a_slurm_that_does_not_answer_is_told(site: Site, make: Make, got: list[Notice]) -> None:
    site.nodes(idle("n0000.savio2"))
    site.slurm_fails(502, "slurmctld is down")
    make().step()
    assert "slurmctld is down" in got[0].text


# ---- its thread ----


def test_what_keeps_it_from_being_made_is_told_once_and_tried_again(
    site: Site, make: Make, got: list[Notice], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(digests, "LOOK_S", 0.005)
    digest, stop, tried = make(), threading.Event(), []
    step = digest.step

    def fail_at_first() -> None:
        tried.append(1)
        if len(tried) < 4:
            raise ConfigError("no such group")
        step()

    monkeypatch.setattr(digest, "step", fail_at_first)
    digest.start(stop)
    wait_until(lambda: got)
    stop.set()
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["no digest is sent error=no such group"]


def test_without_a_time_there_is_none(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "LOOK_S", 0.001)
    before = threading.active_count()
    make(digest="").start(threading.Event())
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"digest": "7:30"}, "[notify] digest: write a time of day"),
        ({"digest": "07:30", "digest_zone": "Mars"}, '[notify] digest_zone: there is no time zone "Mars"'),
        ({"digest": "07:30"}, "[notify] digest needs whom to send it to"),
    ],
)
def test_a_digest_at_no_time_or_to_nobody_stops_the_start(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"notify": settings})
    assert told in str(caught.value)
