"""The history as the store has it: pages of changes, and the nodes with the most incidents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from botd.checks import Checks
from botd.history.changes import standing
from botd.history.incidents import Offender, imported_incidents, incident_subjects, offenders
from botd.history.report import TOLD, Period, ReportRow, Standing, report
from botd.model import Change
from botd.store import Store
from botd.store.imported import YEAR
from botd.view import View

PAGE = 100


@dataclass(frozen=True)
class Span:
    """A time from `since` to `until`; None is open."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Some changes, newest first. `next` is the cursor of the page after this one, None at the end.

    A cursor is the id of a change: what is recorded meanwhile moves no page.
    """

    changes: Sequence[Change]
    next: int | None


def read_page(
    store: Store, nodes: Collection[str] | None, span: Span, *, before: int | None = None, limit: int = PAGE
) -> Page:
    """One page of the changes of these nodes, of all where it is None. Raises StoreUnavailable."""
    found = store.changes.page(nodes=nodes, since=span.since, until=span.until, before=before, limit=limit + 1)
    more = len(found) > limit
    return Page(found[:limit], found[limit - 1].id if more else None)


def read_offenders(store: Store, checks: Checks, nodes: Collection[str] | None, since: datetime) -> list[Offender]:
    """The nodes with incidents since then, most first, imported ones included. Raises StoreUnavailable."""
    changes = [*store.changes.bad_since(since, incident_subjects(checks)), *_imported(store, since)]
    return offenders(change for change in changes if nodes is None or change.node in nodes)


def read_imported(store: Store, node: str) -> Sequence[datetime]:
    """When incidents of a node began that were imported, oldest first. Raises StoreUnavailable."""
    return store.changes.imported(YEAR).get(node, ())


def _imported(store: Store, since: datetime) -> list[Change]:
    return [each for each in imported_incidents(store.changes.imported(YEAR)) if each.at >= since]


def read_report(store: Store, view: View, nodes: Collection[str] | None, period: Period) -> list[ReportRow]:
    """What this time was like for these nodes, for all that Slurm has where it is None. Raises StoreUnavailable."""
    known, given = view.inventory.nodes, view.morning.given
    wanted = known.keys() if nodes is None else known.keys() & nodes
    now = {name: Standing(standing(known[name]), given[name]["title"] if name in given else "") for name in wanted}
    changes = store.changes.news(TOLD, period.since)
    return report(now, changes, view.inventory.partitions(), period, _imported(store, period.asked or period.since))
