"""Dry runs as a request asks for them, and as who asks may see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from flask import Response

from botd.advice.pilot import Agrees, count, in_words
from botd.board.dry_runs import DryRunDocument, read_dry_runs
from botd.display.formats import Form
from botd.documents import Time, iso
from botd.web.actions import last_words
from botd.web.here import board, store
from botd.web.questions import OFFENDERS_SINCE, chosen_nodes, moment
from botd.web.replies import records_reply
from botd.web.who import who

COLUMNS = ("id", "at", "node", "action", "agrees", "did", "did_at", "did_by", "login", "would_have")


class DryRunsHead(TypedDict):
    """Dry runs since a moment without them: how many, of how many people did the same, and that in words."""

    since: Time
    count: int
    same: int
    other: int
    nothing: int
    words: str


class DryRunsDocument(DryRunsHead):
    """Dry runs, newest first."""

    runs: list[DryRunDocument]


def asked_dry_runs(args: Mapping[str, Any]) -> tuple[datetime, list[DryRunDocument]]:
    """Since when, and the dry runs since then. Raises BadRequest, UnknownNode, StoreUnavailable, StoreDamaged."""
    since = moment("since", args.get("since", OFFENDERS_SINCE), board().now())
    return since, dry_runs_of(chosen_nodes(args), since)


def dry_runs_of(nodes: Collection[str] | None, since: datetime) -> list[DryRunDocument]:
    """The dry runs of these nodes. Who pressed is told to who is logged in."""
    chosen = None if nodes is None else frozenset(nodes)
    found = read_dry_runs(store(), chosen, since, board().now(), last_words)
    return found if who() else [{**each, "login": "", "would_have": ""} for each in found]


def dry_runs_head(since: datetime, runs: Sequence[DryRunDocument]) -> DryRunsHead:
    """What they come to."""
    found = count(Agrees(each["agrees"]) for each in runs)
    return {
        "since": iso(since),
        "count": len(runs),
        "same": found[Agrees.SAME],
        "other": found[Agrees.OTHER],
        "nothing": found[Agrees.NOTHING],
        "words": in_words(found),
    }


def dry_runs_reply(since: datetime, runs: Sequence[DryRunDocument], form: Form) -> Response:
    """Dry runs in a form. They may name people: nobody keeps them."""
    response = records_reply(form, dry_runs_head(since, runs), "runs", runs, COLUMNS, moving=("since",))
    response.headers["Cache-Control"] = "no-store"
    return response
