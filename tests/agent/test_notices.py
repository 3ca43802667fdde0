"""Notices of hard actions: who is told what, that nothing waits for it, and that what fails is told once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from botd.agent.notices import KIND, WAITING, Notices
from botd.config import parse_config
from botd.ledger.actions import Stored
from botd.model import utc_now
from botd.transport.notify import Notice, NotSent, Way
from tests.conftest import Site
from tests.program import wait_until


def action(**more: Any) -> Stored:
    """A power cycle of anna's that has succeeded."""
    known = {"id": 17, "login": "anna", "action": "power-cycle", "weight": "hard", "node": "n0042.savio3"}
    said = {"reason": "hung", "is_dry": False, "state": "succeeded", "code": "", "words": "booted at 10:04 UTC"}
    rest = dict.fromkeys(set(Stored._fields) - known.keys() - said.keys() - {"asked_at"})
    return Stored(**{**known, **said, **rest, "asked_at": utc_now(), **more})  # type: ignore[arg-type]


class Box:
    """A way that keeps what it is given, or fails, or hangs."""

    def __init__(self, name: str = "mail") -> None:
        self.got: list[Notice] = []
        self.wrong = ""
        self.go_on = threading.Event()
        self.go_on.set()
        self.way = Way(name, "somebody", self.take)

    def take(self, notice: Notice) -> None:
        self.go_on.wait()
        self.got.append(notice)
        if self.wrong:
            raise NotSent(self.wrong)


@pytest.fixture
def start(site: Site) -> Iterator[Callable[..., Notices]]:
    started: list[Notices] = []

    def make(*boxes: Box) -> Notices:
        config = parse_config({"site": {"name": "savio"}})
        started.append(Notices(config, site.store, utc_now, [box.way for box in boxes]))
        return started[-1]

    yield make
    for notices in started:
        notices.close()


def told(site: Site, way: str, **counts: int) -> None:
    """Returns when so many were sent and failed."""
    wait_until(lambda: site.store.copies.get(KIND, way) == counts)


def test_a_hard_action_is_told_before_it_is_done_and_when_it_ended(site: Site, start: Callable[..., Notices]) -> None:
    box = Box()
    notices = start(box)
    notices.announced(action(state="announced", words=""), 5.0)
    notices.ended(action())
    told(site, "mail", sent=2, failed=0)
    before, after = box.got
    assert before.kind == "announced"
    assert before.subject == "savio: power-cycle of n0042.savio3 is done in 5 s, unless somebody stops it"
    assert "asked for by anna at " in before.text
    assert "why: hung" in before.text
    assert after.kind == "ended"
    assert after.subject == "savio: power-cycle of n0042.savio3 succeeded"
    assert after.text.endswith("booted at 10:04 UTC")
    assert after.about["id"] == 17
    assert after.about["state"] == "succeeded"


def test_softer_actions_and_dry_runs_are_nobodys_news(site: Site, start: Callable[..., Notices]) -> None:
    box = Box()
    notices = start(box)
    for quiet in (action(weight="soft"), action(weight="harmless"), action(is_dry=True)):
        notices.announced(quiet, 5)
        notices.ended(quiet)
    notices.ended(action())
    told(site, "mail", sent=1, failed=0)
    assert len(box.got) == 1


def test_why_an_action_failed_is_in_its_notice(site: Site, start: Callable[..., Notices]) -> None:
    box = Box()
    start(box).ended(action(state="refused", code="live-job", words="job 4711 runs there"))
    told(site, "mail", sent=1, failed=0)
    assert box.got[0].text.endswith("live-job: job 4711 runs there")


def test_a_way_that_hangs_holds_up_neither_who_tells_nor_another_way(site: Site, start: Callable[..., Notices]) -> None:
    hung, well = Box("mail"), Box("webhook")
    hung.go_on.clear()
    notices = start(hung, well)
    notices.ended(action())
    notices.ended(action())
    told(site, "webhook", sent=2, failed=0)
    assert hung.got == []
    hung.go_on.set()
    told(site, "mail", sent=2, failed=0)


def test_more_than_can_wait_is_given_up_told_once_and_counted(
    site: Site, start: Callable[..., Notices], caplog: pytest.LogCaptureFixture
) -> None:
    hung = Box()
    hung.go_on.clear()
    notices = start(hung)
    notices.ended(action())
    wait_until(lambda: hung.way._under_way)
    for _ in range(WAITING + 3):
        notices.ended(action())
    told(site, "mail", sent=0, failed=3)
    hung.go_on.set()
    told(site, "mail", sent=WAITING + 1, failed=3)
    assert caplog.text.count("are given up") == 1


def test_what_is_not_sent_is_told_once_counted_and_told_when_it_is_over(
    site: Site, start: Callable[..., Notices], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    box = Box()
    notices = start(box)
    box.wrong = "localhost: connection refused"
    notices.ended(action())
    notices.ended(action())
    told(site, "mail", sent=0, failed=2)
    box.wrong = ""
    notices.ended(action())
    told(site, "mail", sent=1, failed=2)
    wait_until(lambda: "over: " in caplog.text)
    messages = [record.getMessage() for record in caplog.records if record.name == "botd.agent.notices"]
    said = "notices by mail are not sent error=localhost: connection refused"
    assert messages == [said, f"over: {said}"]


def test_a_store_that_is_gone_keeps_no_notice_from_going_out(
    site: Site, start: Callable[..., Notices], monkeypatch: pytest.MonkeyPatch
) -> None:
    from botd.errors import StoreUnavailable

    def gone(*_: object) -> None:
        raise StoreUnavailable("no space left")

    monkeypatch.setattr(site.store.copies, "put", gone)
    box = Box()
    notices = start(box)
    notices.ended(action())
    notices.ended(action())
    wait_until(lambda: len(box.got) == 2)
