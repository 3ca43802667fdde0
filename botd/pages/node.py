"""GET /node/<name>: one node, every reading in words."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Response

from botd.acting.told import ActionDocument
from botd.acting.words import DONE, STATES
from botd.board.actions import Wanted, read_actions
from botd.board.answer import StatusAnswer
from botd.board.dry_runs import DryRunDocument
from botd.display.cells import age, cell, with_ages
from botd.display.findings import verdict
from botd.display.formats import table_text
from botd.display.sure import scope_words, sure_words, ways_in_lines
from botd.display.terminal import Column, Look, notes
from botd.documents import NodeDocument
from botd.errors import BotdError, StoreDamaged, UnknownNode
from botd.nodeset import check_name
from botd.pages.base import figures, page_form, render
from botd.pages.history import timeline
from botd.pages.notes import shown_notes
from botd.pages.press import offers
from botd.text import fit, plain, width
from botd.web.actions import as_seen
from botd.web.dry_runs import dry_runs_of
from botd.web.forms import new_form, with_form_cookie
from botd.web.here import board, config, may_ask, store
from botd.web.notes import may_write
from botd.web.params import NodePageQuery, query
from botd.web.questions import OFFENDERS_SINCE, moment, patience, status_question
from botd.web.replies import reply, status_reply
from botd.web.rights import policy_of
from botd.web.tails import RIGHT, begin, last_lines
from botd.web.who import asker, who

LAST_ACTIONS = 5


def node_page(name: str) -> Response:
    """One node: every reading in words."""
    args = query(NodePageQuery)
    question = status_question({**patience(args), "nodes": check_name(name)})
    if len(question.nodes) != 1:
        raise UnknownNode(f'"{name[:60]}" is not one node')
    form = page_form(args)
    if form and form.name != "table":
        return status_reply(question, form)
    answer = board().answer(question, sweep_allowed=may_ask())
    node = board().bodies.node_documents(answer)[0]
    if form:
        return reply("table", _node_text(answer, node, form.look))
    cookie, token = new_form()
    html = render(
        "node.html",
        **figures(answer),
        node=node,
        verdict=verdict(node["readings"], board().checks),
        sure_words=sure_words,
        scope_words=scope_words,
        checks=[board().checks[check] for check in answer.checks],
        **timeline(node["node"]),
        **shown_notes(node["node"], token),
        **_acting(node),
        **_logs(node["node"], args.get("log", "")),
    )
    return with_form_cookie(html, cookie, "/node") if may_write() else html


def _acting(node: NodeDocument) -> dict[str, Any]:
    """What was done to the node last, and what who asks may do."""
    name, advice = node["node"], node["recommendation"]
    return {
        "actions": _last_actions(name),
        "runs": _last_dry_runs(name),
        "states": STATES,
        "offer": offers(asker(), {name: advice["action"] if advice else None}).get(name),
        "titles": {action: told.title for action, told in DONE.items()},
    }


def _logs(node: str, log: str) -> dict[str, Any]:
    """The logs that who asks may follow, and the last lines of the one that is asked for."""
    found = who()
    names = list(config().tail) if found and RIGHT in policy_of(found)["rights"] else []
    lines, why = list[str](), ""
    if log and may_ask():
        try:
            lines, why = last_lines(store(), begin(node, log), board().now)
        except BotdError as error:
            why = str(error)
    return {"logs": names, "log": log, "log_lines": lines, "log_why": why}


def _last_actions(node: str) -> list[ActionDocument]:
    """The last actions on the node; none where what the agent has told was altered, which costs no page."""
    with suppress(StoreDamaged):
        found = read_actions(store(), Wanted(nodes=frozenset({node})), limit=LAST_ACTIONS)
        return list(map(as_seen, found.actions))
    return []


def _last_dry_runs(node: str) -> list[DryRunDocument]:
    """The last dry runs on the node; none where what the agent has told was altered."""
    with suppress(StoreDamaged):
        return dry_runs_of([node], moment("since", OFFENDERS_SINCE, board().now()))[:LAST_ACTIONS]
    return []


def _node_text(answer: StatusAnswer, node: NodeDocument, look: Look) -> bytes:
    slurm = node["slurm"] or {"state": "not in Slurm", "reason": ""}
    head = f"{node['node']}  {slurm['state']}  {plain(slurm['reason'])}".rstrip()
    head = fit(head, look.width).rstrip() if look.width and width(head) > look.width else head
    advice, readings = node["recommendation"], node["readings"]
    told = [f"{advice['title']}: {advice['explanation']}", f"next: {advice['next']}"] if advice else []
    told += ways_in_lines(advice) if advice else []
    states = [reading["state"] for reading in readings.values()]
    columns = [
        Column("CHECK", list(readings)),
        Column("STATE", states, states, kept=True),
        Column("VALUE", [cell(reading, board().checks[name]) for name, reading in readings.items()], states, kept=True),
        Column("AGE", [age(reading["at"], board().now()) for reading in readings.values()], kept=True),
        Column("DETAIL", [reading["detail"] for reading in readings.values()]),
    ]
    problems = [with_ages(problem, board().now()) for problem in answer.problems]
    return f"{head}\n{notes(told, look)}\n".encode() + table_text(columns, look) + notes(problems, look).encode()
