"""Is botd itself well: for a load balancer, a monitoring system and a person."""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypedDict

from flask import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from botd import __version__
from botd.advice.rules import FAMILIES
from botd.board.view import View
from botd.checks import replaced
from botd.documents import LedgerDocument, Time, encode, iso
from botd.model import utc_now
from botd.resources.base import BotdResource
from botd.store import SweepFigures
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
        }
        response = reply("json", encode(document) + b"\n")
        response.status_code = 503 if problems else 200
        return response


class MetricsResource(BotdResource):
    """GET /metrics: figures for Prometheus, the same from every web process, because they come from the store."""

    QUERY = JsonQuery
    ANSWER = str

    def get(self) -> Response:
        """Nodes by state and check, sweeps, their duration and errors, ages."""
        query(JsonQuery)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Figures(board().known(), store().sweeps.figures(), board().agent_alive(board().view())))
        return Response(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")


class _Figures:
    """Makes the metrics of one moment."""

    def __init__(self, view: View, figures: SweepFigures, alive: bool) -> None:
        self._view, self._figures, self._alive = view, figures, alive

    def collect(self) -> list[Metric]:
        """All families."""
        readings = GaugeMetricFamily(
            "botd_nodes", "Nodes by check and state of their latest reading.", labels=["check", "state"]
        )
        for (check, state), count in sorted(self._readings().items()):
            readings.add_metric([check, state], count)
        states = GaugeMetricFamily("botd_slurm_nodes", "Nodes by Slurm state.", labels=["state"])
        for state, count in sorted(Counter(node.state for node in self._view.inventory.nodes.values()).items()):
            states.add_metric([state], count)
        sweeps = GaugeMetricFamily("botd_sweeps", "Sweeps on record by state.", labels=["state"])
        for state, count in sorted(self._figures.by_state.items()):
            sweeps.add_metric([state], count)
        return [readings, states, self._families(), sweeps, *self._singles()]

    def _families(self) -> Metric:
        """How many nodes have a cause of each family; those without one are well."""
        counts = Counter(advice["family"] for advice in self._view.morning.given.values())
        found = GaugeMetricFamily("botd_family_nodes", "Nodes by the family of their diagnosis.", labels=["family"])
        for family in FAMILIES:
            found.add_metric([family], counts[family])
        return found

    def _readings(self) -> Counter[tuple[str, str]]:
        return Counter(
            (check, reading["state"])
            for readings in self._view.readings.values()
            for check, reading in readings.items()
        )

    def _singles(self) -> list[Metric]:
        last = self._figures.last
        duration_s = (
            (last.ended_at - last.started_at).total_seconds() if last and last.ended_at and last.started_at else 0
        )
        rows = (
            ("botd_agent_alive", "1 when the agent has beaten lately.", float(self._alive)),
            ("botd_node_list_age_seconds", "Age of the node list.", _age_s(self._view) or 0.0),
            ("botd_node_list_failed", "1 when Slurm did not give its list the last time.", self._list_failed()),
            ("botd_sweep_duration_seconds", "Duration of the sweep that ended last.", duration_s),
            ("botd_sweep_errors", "Sweeps on record with an error.", float(self._figures.errors)),
        )
        return [GaugeMetricFamily(name, text, value=value) for name, text, value in rows]

    def _list_failed(self) -> float:
        return float(self._view.pulse.list_error is not None)


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
