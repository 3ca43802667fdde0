"""What a request asks, understood: the nodes, the checks, the time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botd.board.answer import Question
from botd.board.choosing import Choice, read_choice
from botd.board.timeline import PAGE, Page, Span, read_offenders, read_page, read_report
from botd.errors import BadRequest, UnknownNode
from botd.history.report import Period, ReportRow
from botd.web.here import board, store
from botd.web.params import either
from botd.web.replies import OffenderDocument, offender_document

CHANGES_SINCE = "24h"
"""What changed is asked once a day: so old are the changes of a request that names no time."""

NEWS_SINCE = "24h"
"""From when on a node is new: rounds are made once a day."""

OFFENDERS_SINCE = "30d"
"""What repeat offenders are counted in where nothing else is said."""

LAST_KNOWN_S = 10 * 365 * 86400.0
"""The age that a page accepts where nothing else is said: it shows what is known and makes nobody wait for readings."""

FIRST_LIST_S = 5.0
"""How long a page waits for the first node list of an agent that starts, where nothing else is said."""

_AGE = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(name: str, text: str, now: datetime) -> datetime:
    """The time that a parameter names: ISO 8601, in UTC where it says no zone, or an age before `now` such as `12h`.

    Raises BadRequest.
    """
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        hint = "a time such as 2026-11-23T08:00Z, or an age such as 30m, 12h, 7d"
        raise BadRequest(f'parameter "{name}": "{text[:40]}" is no time; give {hint}') from error


def moment_to_come(name: str, text: str, now: datetime) -> datetime:
    """The time that a parameter names, where an age such as `12h` is that far ahead. Raises BadRequest."""
    at = moment(name, text, now)
    return now + (now - at) if _AGE.fullmatch(text.strip()) else at


def node_history(node: str, args: Mapping[str, Any]) -> Page:
    """A page of one node's history. Raises UnknownNode for a name that neither Slurm, groups nor history have."""
    page = read_page(store(), [node], span_of(args), **_place(args))
    if not page.changes and node not in board().known().inventory.names():
        board().question(groups=None, nodes=node, checks=None, max_age_s=None, wait_s=0)  # says the nearest name
        raise UnknownNode(f'there is no node "{node}"')
    return page


def chosen_nodes(args: Mapping[str, Any]) -> frozenset[str] | None:
    """The nodes that a request names; None where it names none, which is every node, those that are gone too."""
    groups, nodes = either(args, "groups", "g"), either(args, "nodes", "h")
    if not groups and not nodes:
        return None
    return frozenset(board().question(groups=groups, nodes=nodes, checks=None, max_age_s=None, wait_s=0).nodes)


def span_of(args: Mapping[str, Any]) -> Span:
    """The time that a request asks about. Raises BadRequest."""
    now = board().now()
    since, until = (moment(name, args[name], now) if name in args else None for name in ("since", "until"))
    return Span(since, until)


def _place(args: Mapping[str, Any]) -> dict[str, Any]:
    return {"before": args.get("before"), "limit": args.get("limit", PAGE)}


def offender_records(args: Mapping[str, Any]) -> tuple[datetime, list[OffenderDocument]]:
    """Since when, and the nodes with incidents since then."""
    since = moment("since", args.get("since", OFFENDERS_SINCE), board().now())
    found = read_offenders(store(), board().checks, chosen_nodes(args), since)
    return since, list(map(offender_document, found))


def report_rows(args: Mapping[str, Any]) -> tuple[Period, bool, list[ReportRow]]:
    """The time asked about, as far as there is a record, whether there is one of all of it, and what it was like."""
    now, view = board().now(), board().known()
    asked = span_of({"since": OFFENDERS_SINCE, **args})
    begun_at = view.pulse.history_since or now
    since = max(asked.since or begun_at, begun_at)
    until = min(asked.until or now, now)
    if asked.since and asked.until and asked.since >= asked.until:
        raise BadRequest('parameter "until": give a time after "since"')
    period = Period(min(since, until), until, now, asked.since)
    return period, since == asked.since, read_report(store(), view, chosen_nodes(args), period)


def patience(args: Mapping[str, object]) -> dict[str, object]:
    """Who says nothing of ages gets what is known, at once; nodes that were never read are read meanwhile."""
    first = {"list_wait": args.get("wait", FIRST_LIST_S)}
    return {**args, **first} if "max_age" in args else {"wait": 0.0, **args, **first, "max_age": LAST_KNOWN_S}


def status_question(
    args: Mapping[str, Any], *, checks: str | None = None, default_groups: Sequence[str] | None = None
) -> Question:
    """The question in the parameters of a request; `checks` where the path names them.

    While an agent starts it waits for the first node list, as long as `wait` or `list_wait` says.
    """
    board().wait_for_list(args.get("list_wait", args.get("wait", 0.0)))
    question = board().question(
        groups=either(args, "groups", "g"),
        nodes=either(args, "nodes", "h"),
        checks=checks or args.get("checks"),
        max_age_s=args.get("max_age"),
        wait_s=args.get("wait"),
        default_groups=default_groups,
    )
    return replace(question, choice=_choice_of(args, question))


def _choice_of(args: Mapping[str, Any], question: Question) -> Choice:
    """Which of the nodes that a question is about are wanted, and in which order. Raises BadRequest."""
    inventory = board().known().inventory
    states = {inventory.nodes[node].state for node in question.nodes if node in inventory.nodes}
    return read_choice(args, question.checks, states, new_since(args, board().now()))


def new_since(args: Mapping[str, str], now: datetime) -> datetime:
    """From when on a node is new: `since`, else a day ago. Raises BadRequest."""
    return moment("since", args.get("since") or NEWS_SINCE, now)


def joined_lists(args: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a body with its lists as the URL writes them, joined by commas."""
    return {key: ",".join(value) if isinstance(value, list) else value for key, value in args.items()}
