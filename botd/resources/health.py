"""Is botd itself well: for a load balancer, a monitoring system and a person."""

from __future__ import annotations

from typing import Literal, TypedDict

from flask import Response

from botd import __version__
from botd.checks import replaced
from botd.documents import LedgerDocument, Time, encode, iso
from botd.model import utc_now
from botd.resources.base import BotdResource
from botd.store import SweepFigures
from botd.view import View
from botd.web.here import board, config, store
from botd.web.params import JsonQuery, query
from botd.web.replies import reply


class AgentDocument(TypedDict):
    """The agent's last sign of life."""

    alive: bool
    pid: int | None
    beat_at: Time | None


class LastSweepDocument(TypedDict):
    """The sweep that ended last."""

    sweep: int
    state: str
    ended_at: Time
    age_s: float


class NodeListDocument(TypedDict):
    """The node list: how old the last good one is, and what went wrong at the last attempt to read it."""

    as_of: Time | None
    age_s: float | None
    error: str | None


class ActingDocument(TypedDict):
    """Whether anything acts: [actions] mode; and whether web and agent may do so as one user."""

    mode: str
    one_user: bool


class HealthDocument(TypedDict):
    """How botd itself is. `problems` make it degraded, `notes` do not.

    `ledger` is null until an agent has looked at it; one that cannot be used keeps nobody from reading.
    """

    status: Literal["ok", "degraded"]
    version: str
    problems: list[str]
    notes: list[str]
    agent: AgentDocument
    last_sweep: LastSweepDocument | None
    node_list: NodeListDocument
    ledger: LedgerDocument | None
    actions: ActingDocument


class HealthResource(BotdResource):
    """GET /healthz: is the agent alive, how old are the last sweep and the node list."""

    QUERY = JsonQuery
    ANSWER = HealthDocument

    def get(self) -> Response:
        """200 when the agent is alive and the node list is good, else 503 with what is wrong."""
        query(JsonQuery)
        view, figures, ledger = board().view(fresh=True), store().sweeps.figures(), _ledger()
        alive = board().agent_alive(view)
        problems = [] if alive else ["the agent is not running"]
        problems += [view.pulse.list_error] if view.pulse.list_error else []
        problems += [] if view.pulse.list_revision or view.pulse.list_error else ["no node list has been read yet"]
        document: HealthDocument = {
            "status": "degraded" if problems else "ok",
            "version": __version__,
            "problems": problems,
            "notes": [*filter(None, [view.pulse.note, _refusal(ledger)]), *replaced(config())],
            "agent": {"alive": alive, "pid": view.pulse.agent_pid, "beat_at": iso(view.pulse.agent_beat_at)},
            "last_sweep": _last_sweep(figures),
            "node_list": {"as_of": iso(view.pulse.list_as_of), "age_s": _age_s(view), "error": view.pulse.list_error},
            "ledger": ledger,
            "actions": {"mode": config().actions.mode, "one_user": config().actions.one_user},
        }
        response = reply("json", encode(document) + b"\n")
        response.status_code = 503 if problems else 200
        return response


def _last_sweep(figures: SweepFigures) -> LastSweepDocument | None:
    last = figures.last
    if last is None or last.ended_at is None:
        return None
    age_s = round((utc_now() - last.ended_at).total_seconds(), 1)
    return {"sweep": last.id, "state": last.state.value, "ended_at": iso(last.ended_at), "age_s": age_s}


def _ledger() -> LedgerDocument | None:
    """What the agent has told of its ledger. In the shared database anybody of the web part may have written it."""
    match store().copies.get("ledger", "state"):
        case {"usable": bool(usable), "why": str() | None as why}:
            return {"usable": usable, "why": why}
    return None


def _refusal(ledger: LedgerDocument | None) -> str | None:
    return f"nothing may act: {ledger['why']}" if ledger and ledger["why"] else None


def _age_s(view: View) -> float | None:
    as_of = view.pulse.list_as_of
    return None if as_of is None else round((utc_now() - as_of).total_seconds(), 1)
