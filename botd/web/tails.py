"""A log of a node as it grows: asked of the agent by a sealed letter, and read from the store, where the lines come.

A letter, because the agent must know by itself who asks: it logs in to a node for that. The lines come through the
store, because a letter has one answer. The number of a log stays in this process, so nobody else takes its lines.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing, suppress
from typing import Literal, TypedDict

from flask import request

from botd.errors import StoreUnavailable, UnknownLog, did_you_mean
from botd.model import Clock
from botd.store import Store
from botd.text import shown
from botd.web.here import config
from botd.web.mail import ask
from botd.web.press import check_node
from botd.web.rights import known_with
from botd.web.streams import POLL_S
from botd.web.visitors import address_of

RIGHT = "tail"

LONGEST_S = 660.0
"""How long is read at most: the agent ends a log after 600 s."""

IDLE_S = 2.0
"""How often something is written where no line comes, so that it shows who has gone away."""

FIRST_S = 8.0
"""How long a page waits for the first lines."""


class TailDocument(TypedDict):
    """Some lines, oldest first, and how many before them there were too many; `end` is the last event and says why."""

    event: Literal["lines", "idle", "end"]
    lines: list[str]
    left_out: int
    why: str


def begin(node: str, log: str) -> int:
    """The number of a log that the agent follows now. Raises UnknownNode, UnknownLog and what the agent refuses."""
    found = known_with(RIGHT)
    check_node(node)
    logs = config().tail
    if log not in logs:
        hint = did_you_mean(log, logs) or (f"; there is {', '.join(logs)}" if logs else "; [tail] names none")
        raise UnknownLog(f'there is no log "{shown(log)}"{hint}')
    return int(ask(RIGHT, found.token, address_of(request.environ), {"node": node, "log": log})["tail"])


def followed(here: Store, number: int, clock: Clock) -> Generator[TailDocument]:
    """What comes of a log until it ends, or nobody reads this any more."""
    until = time.monotonic() + LONGEST_S
    idle_until = time.monotonic() + IDLE_S
    try:
        while time.monotonic() < until:
            taken = here.tails.take(number, clock())
            if taken.lines or time.monotonic() > idle_until:
                idle_until = time.monotonic() + IDLE_S
                event: Literal["lines", "idle"] = "lines" if taken.lines else "idle"
                yield {"event": event, "lines": taken.lines, "left_out": taken.left_out, "why": ""}
            if taken.why is not None:
                yield {"event": "end", "lines": [], "left_out": 0, "why": taken.why}
                return
            time.sleep(POLL_S)
    finally:
        with suppress(StoreUnavailable):
            here.tails.forget(number)


def last_lines(here: Store, number: int, clock: Clock) -> tuple[list[str], str]:
    """The first lines that come, which are the last of the log so far; and why there are none, else empty."""
    until, why = time.monotonic() + FIRST_S, f"no line came within {FIRST_S:g} s"
    with closing(followed(here, number, clock)) as events:
        for document in events:
            if document["lines"] or document["event"] == "end" or time.monotonic() > until:
                return document["lines"], "" if document["lines"] else document["why"] or why
    return [], why
