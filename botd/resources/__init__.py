"""The JSON interface: one thin class per resource, and `ROUTES`, the literal table of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from botd.resources.actions import (
    ActionEventsResource,
    ActionResource,
    ActionsResource,
    ApproveResource,
    HaltResource,
    HarmResource,
    RebootResource,
    SeenResource,
    VetoResource,
)
from botd.resources.audit import AuditHeadResource, AuditResource
from botd.resources.base import BotdResource
from botd.resources.checks import ChecksResource
from botd.resources.dry_runs import DryRunsResource
from botd.resources.health import HealthResource
from botd.resources.history import ChangesResource, HistoryResource, OffendersResource, ReportResource
from botd.resources.login import LoginResource, MeResource
from botd.resources.metrics import MetricsResource
from botd.resources.notes import NewNoteResource, NoteResource, NotesResource
from botd.resources.openapi import IndexResource, OpenApiResource
from botd.resources.policy import PolicyResource
from botd.resources.round import RoundResource
from botd.resources.slurm import GroupListResource, HostinfoResource, SinfoResource
from botd.resources.status import (
    StatusCheckResource,
    StatusMountResource,
    StatusNameResource,
    StatusResource,
)
from botd.resources.stop import BreakerResource, StopResource
from botd.resources.sweeps import SweepEventsResource, SweepResource
from botd.resources.table import TableResource
from botd.resources.tail import TailResource
from botd.resources.tokens import TokenResource, TokensResource
from botd.resources.trust import TrustResource


class Route(NamedTuple):
    """A path, what answers there, its name, and the path arguments that are fixed for it."""

    path: str
    resource: type[BotdResource]
    name: str
    fixed: Mapping[str, str] = MappingProxyType({})


ROUTES: tuple[Route, ...] = (
    Route("/api/v1", IndexResource, "index"),
    Route("/api/v1/status", StatusResource, "status"),
    Route("/api/v1/status/<string:name>", StatusNameResource, "status-name"),
    Route("/api/v1/status/cmd/<path:check>", StatusCheckResource, "status-cmd"),
    Route("/api/v1/status-ping", StatusCheckResource, "status-ping", {"check": "ping"}),
    Route("/api/v1/status-ssh", StatusCheckResource, "status-ssh", {"check": "ssh"}),
    Route("/api/v1/status-uptime", StatusCheckResource, "status-uptime", {"check": "uptime"}),
    Route("/api/v1/status-ipmi-reachable", StatusCheckResource, "status-ipmi-reachable", {"check": "ipmi_reachable"}),
    Route("/api/v1/status-ipmi-state", StatusCheckResource, "status-ipmi-state", {"check": "ipmi_state"}),
    Route("/api/v1/df", StatusCheckResource, "df", {"check": "df"}),
    Route("/api/v1/df/<path:mount>", StatusMountResource, "df-mount"),
    Route("/api/v1/round", RoundResource, "round-data"),
    Route("/api/v1/table", TableResource, "table"),
    Route("/api/v1/history/<string:node>", HistoryResource, "history"),
    Route("/api/v1/changes", ChangesResource, "changes"),
    Route("/api/v1/offenders", OffendersResource, "offenders"),
    Route("/api/v1/report", ReportResource, "report"),
    Route("/api/v1/trust", TrustResource, "trust"),
    Route("/api/v1/notes", NotesResource, "notes"),
    Route("/api/v2/notes", NewNoteResource, "new-note"),
    Route("/api/v2/notes/<int:note>", NoteResource, "note"),
    Route("/api/v1/sinfo", SinfoResource, "sinfo"),
    Route("/api/v1/group-list", GroupListResource, "group-list"),
    Route("/api/v1/checks", ChecksResource, "checks"),
    Route("/api/v1/hostinfo", HostinfoResource, "hostinfo"),
    Route("/api/v1/sweeps/<int:sweep>", SweepResource, "sweep"),
    Route("/api/v1/sweeps/<int:sweep>/events", SweepEventsResource, "sweep-events"),
    Route("/api/v1/tail", TailResource, "tail"),
    Route("/api/v1/openapi.json", OpenApiResource, "openapi"),
    Route("/api/v2/audit", AuditResource, "audit"),
    Route("/api/v2/audit/head", AuditHeadResource, "audit-head"),
    Route("/api/v2/login", LoginResource, "login"),
    Route("/api/v2/me", MeResource, "me"),
    Route("/api/v2/tokens", TokensResource, "tokens"),
    Route("/api/v2/tokens/<int:token>", TokenResource, "token"),
    Route("/api/v2/policy", PolicyResource, "policy"),
    Route("/api/v2/actions", ActionsResource, "actions"),
    Route("/api/v2/actions/<int:action>", ActionResource, "action"),
    Route("/api/v2/actions/<int:action>/events", ActionEventsResource, "action-events"),
    Route("/api/v2/actions/<int:action>/approve", ApproveResource, "approve"),
    Route("/api/v2/actions/<int:action>/veto", VetoResource, "veto"),
    Route("/api/v2/actions/<int:action>/stop", HaltResource, "halt"),
    Route("/api/v2/actions/<int:action>/seen", SeenResource, "seen"),
    Route("/api/v2/dry-runs", DryRunsResource, "dry-runs"),
    Route("/api/v2/actions/<int:action>/harm", HarmResource, "harm"),
    Route("/api/v2/reboot", RebootResource, "reboot"),
    Route("/api/v2/stop", StopResource, "stop"),
    Route("/api/v2/breaker", BreakerResource, "breaker"),
    Route("/healthz", HealthResource, "healthz"),
    Route("/metrics", MetricsResource, "metrics"),
)
