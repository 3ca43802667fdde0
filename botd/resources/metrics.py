"""Figures for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from platform import python_version

from flask import Response, current_app
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from botd import __version__
from botd.acting.told import SwitchesDocument
from botd.advice.rules import FAMILIES
from botd.advice.trust import TrustDocument
from botd.board.actions import count_actions, read_switches
from botd.board.notices import count_notices
from botd.board.record import CheckpointDocument, read_head
from botd.board.trust import read_trust
from botd.errors import NotFound, StoreDamaged
from botd.model import utc_now
from botd.resources.base import BotdResource
from botd.store import SweepFigures
from botd.store.durations import UP_TO_S, SweepDurations
from botd.view import View
from botd.web.here import board, store
from botd.web.params import JsonQuery, query
from botd.web.timings import BOUNDS_S, Timings


class MetricsResource(BotdResource):
    """GET /metrics: figures for Prometheus, the same from every web process: from the store, and from shared memory."""

    QUERY = JsonQuery
    ANSWER = str

    def get(self) -> Response:
        """Nodes by state and check, sweeps, requests and actions, how long they took, errors, ages."""
        query(JsonQuery)
        registry = CollectorRegistry(auto_describe=False)
        timings: Timings = current_app.extensions["botd"].timings
        registry.register(_Figures(board().known(), store().sweeps.figures(), board().agent_alive(board().view())))
        registry.register(_Acting(count_actions(store()), read_switches(store())))
        registry.register(_Trust(read_trust(store())))
        registry.register(_Audit(_audit_head()))
        registry.register(_Notices(count_notices(store())))
        registry.register(_Durations(timings, store().durations.read()))
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
        return [readings, states, self._families(), self._causes(), sweeps, *self._singles()]

    def _families(self) -> Metric:
        """How many nodes have a cause of each family; those without one are well."""
        counts = Counter(advice["family"] for advice in self._view.morning.given.values())
        found = GaugeMetricFamily("botd_family_nodes", "Nodes by the family of their diagnosis.", labels=["family"])
        for family in FAMILIES:
            found.add_metric([family], counts[family])
        return found

    def _causes(self) -> Metric:
        """The same by the cause itself, as far as there is a node that has it."""
        counts = Counter((advice["family"], advice["diagnosis"]) for advice in self._view.morning.given.values())
        found = GaugeMetricFamily("botd_cause_nodes", "Nodes by their diagnosis.", labels=["family", "diagnosis"])
        for labels, count in sorted(counts.items()):
            found.add_metric(labels, count)
        return found

    def _readings(self) -> Counter[tuple[str, str]]:
        return Counter(
            (check, reading["state"])
            for readings in self._view.readings.values()
            for check, reading in readings.items()
        )

    def _singles(self) -> list[Metric]:
        """What is not known, as the age of a list that was never read, is left out: a 0 would be the best there is."""
        rows = (
            ("botd_agent_alive", "1 when the agent has beaten lately.", float(self._alive)),
            ("botd_node_list_age_seconds", "Age of the node list.", self._list_age_s()),
            ("botd_node_list_failed", "1 when Slurm did not give its list the last time.", self._list_failed()),
            ("botd_sweep_duration_seconds", "Duration of the sweep that ended last.", self._duration_s()),
            ("botd_sweep_errors", "Sweeps on record with an error.", float(self._figures.errors)),
        )
        return [GaugeMetricFamily(name, text, value=value) for name, text, value in rows if value is not None]

    def _duration_s(self) -> float | None:
        last = self._figures.last
        if last is None or last.ended_at is None or last.started_at is None:
            return None
        return (last.ended_at - last.started_at).total_seconds()

    def _list_age_s(self) -> float | None:
        as_of = self._view.pulse.list_as_of
        return None if as_of is None else round((utc_now() - as_of).total_seconds(), 1)

    def _list_failed(self) -> float:
        return float(self._view.pulse.list_error is not None)


class _Acting:
    """Makes the metrics of actions."""

    def __init__(self, counts: Counter[tuple[str, str]], switches: SwitchesDocument | None) -> None:
        self._counts, self._switches = counts, switches

    def collect(self) -> list[Metric]:
        """All families. As long as no agent has told what stops actions, nothing is said of it."""
        actions = GaugeMetricFamily(
            "botd_actions", "The newest 1,000 actions by name and state.", labels=["action", "state"]
        )
        for (action, state), count in sorted(self._counts.items()):
            actions.add_metric([action, state], count)
        return [actions, *(self._stops(self._switches) if self._switches else ())]

    def _stops(self, told: SwitchesDocument) -> list[Metric]:
        rows = (
            ("botd_breaker_open", "1 when the breaker is open.", told["breaker"]),
            ("botd_stopped", "1 when somebody has stopped all actions.", told["stop"]),
        )
        return [GaugeMetricFamily(name, text, value=float(bool(why))) for name, text, why in rows]


class _Trust:
    """Makes the metrics of how good botd's word is."""

    def __init__(self, told: TrustDocument) -> None:
        self._told = told

    def collect(self) -> list[Metric]:
        """All families. Scores are left out as long as there is no outcome: a 0 would be the best there is."""
        told = self._told
        outcomes = GaugeMetricFamily(
            "botd_outcomes",
            "Outcomes counted by diagnosis, action and verdict.",
            labels=["diagnosis", "action", "verdict"],
        )
        for each in told["counted"]:
            outcomes.add_metric([each["diagnosis"], each["action"], "good"], each["good"])
            outcomes.add_metric([each["diagnosis"], each["action"], "bad"], each["of"] - each["good"])
        rows = (
            ("botd_brier", "Mean square by which chances that were told were off.", told["brier"]),
            ("botd_brier_constant", "The same of who always tells the share that came true.", told["brier_constant"]),
        )
        return [outcomes, *(GaugeMetricFamily(name, text, value=v) for name, text, v in rows if v is not None)]


class _Audit:
    """Makes the metrics of the record."""

    def __init__(self, head: CheckpointDocument | None) -> None:
        self._head = head

    def collect(self) -> list[Metric]:
        """All families, none as long as no head was signed."""
        if self._head is None:
            return []
        age_s = round((utc_now() - datetime.fromisoformat(self._head["at"])).total_seconds(), 1)
        return [
            GaugeMetricFamily("botd_audit_rows", "Rows of the audit that its signed head covers.", self._head["size"]),
            GaugeMetricFamily("botd_audit_head_age_seconds", "Age of the signed head of the audit.", age_s),
        ]


def _audit_head() -> CheckpointDocument | None:
    """The signed head; what is none is left out, and GET /api/v2/audit/head says why."""
    try:
        return read_head(store())
    except (NotFound, StoreDamaged):
        return None


class _Notices:
    """Makes the metrics of notices."""

    def __init__(self, counts: Mapping[tuple[str, str], float]) -> None:
        self._counts = counts

    def collect(self) -> list[Metric]:
        """One family, empty where nobody was told of anything."""
        told = "Notices since the agent started, by way and whether they went out."
        found = CounterMetricFamily("botd_notices", told, labels=["way", "outcome"])
        for labels, count in self._counts.items():
            found.add_metric(labels, count)
        return [found]


class _Durations:
    """Makes the histograms, and says which botd it is."""

    def __init__(self, timings: Timings, sweeps: SweepDurations) -> None:
        self._timings, self._sweeps = timings, sweeps

    def collect(self) -> list[Metric]:
        """All families."""
        build = GaugeMetricFamily("botd_build_info", "Which botd this is; always 1.", labels=["version", "python"])
        build.add_metric([__version__, python_version()], 1)
        requests = HistogramMetricFamily(
            "botd_request_seconds", "Seconds until an answer began, by route and class.", labels=["route", "status"]
        )
        for timing in self._timings.figures():
            requests.add_metric([timing.route, timing.status], _buckets(BOUNDS_S, timing.counts), timing.total_s)
        sweeps = HistogramMetricFamily("botd_sweep_seconds", "Seconds that sweeps took, all that ever ended.")
        sweeps.add_metric([], _buckets(UP_TO_S, self._sweeps.counts), self._sweeps.total_s)
        return [build, requests, sweeps]


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """The counts as Prometheus has them: each bucket holds those before it, and the last one all."""
    return list(zip((*map(str, map(float, bounds)), "+Inf"), accumulate(counts), strict=True))
