"""The digest: once a day the morning round, as `curl /` has it, goes to whom [notify] names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from botd.advice.weighing import GUESSED, Scales
from botd.checks import Checks
from botd.display.round import RoundDocument
from botd.display.round_text import round_text
from botd.display.terminal import Look
from botd.errors import BotdError
from botd.history.past import Pasts
from botd.hours import time_of_day, zone
from botd.logs import Faults
from botd.model import Clock
from botd.rounds import usual_round
from botd.settings import Config, NotifySettings
from botd.store import Store
from botd.transport.notify import Notice
from botd.view import next_view

log = logging.getLogger(__name__)

LOOK_S = 20.0
"""How often it is looked whether a digest is due."""

LATE = timedelta(hours=1)
"""One that is later than this is not sent: nobody reads of the morning in the afternoon."""

DAY, LONG_AGO = timedelta(days=1), timedelta(days=31)

KIND, KEY = "digest", "last"
"""The copy in the store that says of which day the last one was, and when it was sent."""


class Sent(NamedTuple):
    """The last digest: of which day in its zone, and when."""

    day: date
    at: datetime


class Digest:
    """The digests of one agent. They belong to one thread."""

    def __init__(
        self,
        config: Config,
        checks: Checks,
        store: Store,
        clock: Clock,
        send: Callable[[Notice], None],
        scales: Callable[[], Scales] = lambda: GUESSED,
    ) -> None:
        self._scales = scales
        self._config = config
        self._checks = checks
        self._store = store
        self._clock = clock
        self._send = send
        self._faults = Faults(log)

    def start(self, stop: threading.Event) -> None:
        """Looks in a thread of its own until `stop` is set, where a digest is wanted at all."""
        if self._config.notify.digest:
            threading.Thread(target=self._run, args=(stop,), name="digest", daemon=True).start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_S):
            wrong = []
            try:
                self.step()
            except BotdError as error:
                wrong.append(str(error))
            except Exception:  # the thread must outlive a fault of ours, and the fault must be seen
                log.exception("digest failed")
            self._faults.tell("no digest is sent", wrong)

    def step(self) -> None:
        """Sends the digest where one is due. Raises StoreUnavailable, and UnknownGroup for one of [sweep] groups."""
        now = self._clock()
        day, last = due_day(self._config.notify, now), self._last()
        if day is None or (last and last.day == day) or not self._store.pulse().list_revision:
            return
        notice = self._notice(now, _since(last, now))
        # On record first: an agent that is killed in between has sent none, and none is sent twice.
        self._store.copies.put(KIND, {KEY: {"day": f"{day}", "at": now.isoformat()}})
        self._send(notice)

    def _last(self) -> Sent | None:
        """The last digest on record. Others may write there: what cannot be read is none."""
        match self._store.copies.get(KIND, KEY):
            case {"day": str(day), "at": str(at)}:
                try:
                    return Sent(date.fromisoformat(day), datetime.fromisoformat(at).astimezone(UTC))
                except (ValueError, OverflowError):
                    return None
        return None

    def _notice(self, now: datetime, since: datetime) -> Notice:
        pasts = Pasts(self._store.changes, self._checks, self._clock).of
        view = next_view(self._store, None, self._checks, pasts, self._scales())
        groups = self._config.sweep.groups
        document = usual_round(self._store, view, groups, self._checks, since=since, now=now)
        is_quiet = not document["families"] and not document["problems"]
        text = "" if is_quiet else round_text(document, Look(), now)
        return Notice.make("digest", f"{self._config.site.name}: {_subject(document)}", text, now, _figures(document))


def due_day(settings: NotifySettings, now: datetime) -> date | None:
    """The day whose digest is due, in the zone of the digest; None while none is.

    At a time of day that a night leaves out, as clocks are put forward, it is due as if they were put a little later.
    """
    at, here = time_of_day(settings.digest), zone(settings.digest_zone)
    today = now.astimezone(here).date()
    for day in (today, today - DAY):  # one of 23:30 is not late at 0:15
        late = now - datetime.combine(day, at, here).astimezone(UTC)
        if timedelta(0) <= late <= LATE:
            return day
    return None


def _since(last: Sent | None, now: datetime) -> datetime:
    """From when on something is new: since the last digest, else for a day."""
    return max(last.at, now - LONG_AGO) if last and last.at < now else now - DAY


def _subject(document: RoundDocument) -> str:
    out, total, news = document["out"], document["total"], document["news"]
    told = f"{out} of {total} nodes out of service" if out else f"no node of {total} is out of service"
    return f"{told}, {news['new']} new" if out and news else told


def _figures(document: RoundDocument) -> dict[str, Any]:
    news = document["news"]
    figures = {"out": document["out"], "total": document["total"]}
    return figures | {name: news[name] for name in ("new", "back", "changed")} if news else figures
