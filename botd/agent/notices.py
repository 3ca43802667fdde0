"""Notices: what people are told of hard actions while nobody looks at a page.

Nothing waits for them, and nothing fails because of them: each way has a queue and a thread of its own, and what does
not go out is told in the log and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from queue import Full, Queue

from botd.acting.actions import Weight
from botd.errors import StoreUnavailable
from botd.ledger.actions import Stored
from botd.logs import Faults
from botd.model import Clock
from botd.settings import Config
from botd.store import Store
from botd.transport.notify import Notice, NotSent, Way, make_ways

log = logging.getLogger(__name__)

WAITING = 200
"""Notices that wait for one way; one more is given up."""

CLOSE_S = 0.5
"""How long the last notices have at the end."""

KIND = "notices"
"""The copies in the store: by way how many were `sent` and how many `failed` since the agent started."""


class Notices:
    """What people are told. Every method may be called from any thread, returns at once, and raises nothing."""

    def __init__(self, config: Config, store: Store, clock: Clock, ways: Iterable[Way] | None = None) -> None:
        """Raises ConfigError for a way that cannot be used."""
        self._site = config.site.name
        self._clock = clock
        self._posts = [_Post(way, store) for way in (make_ways(config) if ways is None else ways)]

    @property
    def are_wanted(self) -> bool:
        """Whether anybody is told."""
        return bool(self._posts)

    def announced(self, action: Stored, grace_s: float) -> None:
        """A hard action is about to be done. Dry runs and softer actions are nobody's news."""
        until = f"in {grace_s:g} s, unless somebody stops it"
        self._tell("announced", action, f"is done {until}")

    def ended(self, action: Stored) -> None:
        """A hard action that was announced has ended."""
        self._tell("ended", action, action.state)

    def send(self, notice: Notice) -> None:
        """Any notice, by every way."""
        for post in self._posts:
            post.put(notice)

    def close(self) -> None:
        """Gives the last notices a moment to go out."""
        for post in self._posts:
            post.close()

    def _tell(self, kind: str, action: Stored, what: str) -> None:
        if action.weight == Weight.HARD and not action.is_dry:
            subject = f"{self._site}: {action.action} of {action.node} {what}"
            self.send(Notice.make(kind, subject, _text(action, what), self._clock(), _about(action)))


class _Post:
    """One way with its queue and its thread."""

    def __init__(self, way: Way, store: Store) -> None:
        self._way = way
        self._store = store
        self._faults = Faults(log)
        self._counts = Counter[str](sent=0, failed=0)
        self._lock = threading.Lock()
        self._queue: Queue[Notice | None] = Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name=f"notices-{way.name}", daemon=True)
        self._thread.start()

    def put(self, notice: Notice) -> None:
        try:
            self._queue.put_nowait(notice)
        except Full:
            self._count("failed")
            self._faults.tell(f"notices by {self._way.name} are given up", [f"{WAITING} wait already"])

    def close(self) -> None:
        with suppress(Full):
            self._queue.put_nowait(None)
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while notice := self._queue.get():
            wrong = self._try(notice)
            self._count("failed" if wrong else "sent")
            self._faults.tell(f"notices by {self._way.name} are not sent", wrong)

    def _try(self, notice: Notice) -> list[str]:
        """Sends it; what went wrong, empty where nothing did."""
        try:
            self._way.send(notice)
        except NotSent as error:
            return [str(error)]
        return []

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
            counts = dict(self._counts)
        with suppress(StoreUnavailable):
            self._store.copies.put(KIND, {self._way.name: counts})


def _text(action: Stored, what: str) -> str:
    lines = (
        f"{action.action} of {action.node} {what}",
        f"asked for by {action.login} at {action.asked_at:%Y-%m-%d %H:%M:%S} UTC, action {action.id}",
        f"why: {action.reason}" if action.reason else "",
        f"{action.code}: {action.words}" if action.code else action.words,
    )
    return "\n".join(filter(None, lines))


def _about(action: Stored) -> dict[str, object]:
    names = ("id", "action", "node", "login", "reason", "state", "code", "words")
    return {name: getattr(action, name) for name in names}
