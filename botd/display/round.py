"""The morning round: the nodes that need somebody, by what is to be done, as one document for every form of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from botd.display.cells import age
from botd.display.findings import Survey
from botd.display.sure import sure_words
from botd.documents import (
    ConfidenceDocument,
    NodeDocument,
    NoteDocument,
    ProgressDocument,
    RecommendationDocument,
    StatusHead,
    Time,
    iso,
    note_document,
    progress_document,
)
from botd.history.news import News
from botd.model import Note, NoteKind, Sweep
from botd.nodeset import fold, hostlist_of, natural_key

NOTED = "noted"
"""The family of the nodes that somebody knows of, or does not want to see for a while."""

FOLDING = (NoteKind.ACKNOWLEDGE, NoteKind.SNOOZE)
"""The notes that say so."""

_WORD = re.compile(r"[a-z0-9']+")


class NewsDocument(TypedDict):
    """What is new since a moment, each as a nodeset with its count. `whole` unless the record begins only then."""

    since: Time
    whole: bool
    new: int
    new_nodes: str
    back: int
    back_nodes: str
    changed: int
    changed_nodes: str


class RoundNodeDocument(TypedDict):
    """A node that needs somebody. `mark` says whether it is new, or another than it was, since the moment asked for.

    `sure` has the confidence in words, empty where too few were counted to say.
    """

    node: str
    state: str
    in_service: bool
    mark: Literal["new", "changed"] | None
    reason: str
    reason_by: str
    reason_at: Time | None
    diagnosis: str
    title: str
    explanation: str
    next: str
    action: str | None
    confidence: ConfidenceDocument | None
    sure: str
    notes: list[NoteDocument]


class RoundFamilyDocument(TypedDict):
    """Nodes of which the same is to be done. `hostlist` is what clush and Slurm take; those `aside` are somebody's."""

    family: str
    title: str
    gloss: str
    aside: bool
    count: int
    nodeset: str
    hostlist: str
    nodes: list[RoundNodeDocument]


class RoundHead(StatusHead):
    """How many nodes are `out` of service of how many in `total`, and how old what is said of them is.

    `unread` counts those that were never read, `running` is the sweep under way.
    """

    out: int
    total: int
    oldest: Time | None
    newest: Time | None
    unread: int
    news: NewsDocument | None
    running: ProgressDocument | None


class RoundDocument(RoundHead):
    """The morning round."""

    families: list[RoundFamilyDocument]


@dataclass(frozen=True)
class Families:
    """The families of causes in the order of what can be done now, and those of them that are somebody's already."""

    titles: Mapping[str, str]
    glosses: Mapping[str, str]
    aside: Collection[str]

    def in_order(self) -> list[str]:
        """Those that are somebody's already come last."""
        return sorted(self.titles, key=lambda family: family in self.aside)


def round_document(
    head: StatusHead,
    nodes: Iterable[NodeDocument],
    families: Families,
    *,
    out: Collection[str],
    total: int,
    is_sorted: bool = False,
    read: Survey,
    news: News | None,
    running: Sweep | None = None,
    notes: Iterable[Note] = (),
) -> RoundDocument:
    """The round of those of these nodes that have a recommendation, of `out` of service in all.

    In a family they stand as they come where they are sorted already, else out of service first, and causes together.
    A node that somebody has acknowledged or snoozed is in the family NOTED, the last one.
    """
    ill = [(node, advice) for node in nodes if (advice := node["recommendation"])]
    placed: dict[str, list[RoundNodeDocument]] = {}
    noted: dict[str, list[Note]] = {}
    for note in notes:
        noted.setdefault(note.node, []).append(note)
    for node, advice in ill:
        mine = noted.get(node["node"], [])
        family = NOTED if any(note.kind in FOLDING for note in mine) else advice["family"]
        placed.setdefault(family, []).append(_node(node, advice, out, news, mine))
    return {
        **head,
        "out": len(out),
        "total": total,
        "oldest": read.oldest,
        "newest": read.newest,
        "unread": read.unread,
        "news": _news(news) if news else None,
        "running": progress_document(running) if running else None,
        "families": [
            _family(name, families, placed[name] if is_sorted else sorted(placed[name], key=_place))
            for name in families.in_order()
            if name in placed
        ],
    }


def cause(node: RoundNodeDocument, family: RoundFamilyDocument) -> str:
    """Why a node is not well in one sentence: its diagnosis, unless family or explanation say that already, and why."""
    why = node["explanation"]
    said = node["title"] == family["title"] or _words_of(node["title"]) <= _words_of(why)
    return "; ".join(part for part in ("" if said else node["title"], why) if part)


def note_words(note: NoteDocument) -> str:
    """A note in a line: `anna, snooze until 2026-11-27 08:00 UTC: parts ordered`."""
    until = f" until {note['until'][:10]} {note['until'][11:16]} UTC" if note["until"] else ""
    said = f": {note['text']}" if note["text"] else ""
    return f"{note['by'] or 'somebody'}, {note['kind']}{until}{said}"


def _words_of(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def next_words(node: RoundNodeDocument) -> str:
    """What to do next, and how sure it is that it helps: `power cycle, at least 77 %, 41 of 47`."""
    return f"{node['next']}, {node['sure']}" if node["sure"] else node["next"]


def can_press(action: str | None) -> bool:
    """Whether an action is one that somebody can do now, not to wait or to go and look."""
    return action not in (None, "wait", "person")


def shown(document: RoundDocument) -> str:
    """`1 node`, `12 nodes`, as many as the families hold."""
    count = sum(family["count"] for family in document["families"])
    return "1 node" if count == 1 else f"{count} nodes"


def since_words(news: NewsDocument, now: datetime) -> str:
    """Since when there are news: `since yesterday 08:10 UTC`, `since 08:10 UTC, when the record begins`."""
    at = datetime.fromisoformat(news["since"])
    days = (now.date() - at.date()) // timedelta(days=1)
    day = {0: "", 1: "yesterday "}.get(days, f"{at.day} {at:%b} ")
    return f"since {day}{at:%H:%M} UTC" + ("" if news["whole"] else ", when the record begins")


def read_words(document: RoundHead, now: datetime) -> str:
    """How old the readings are: `read 12 s to 4 min ago, 3 not yet`."""
    if document["newest"] is None:
        return "not read yet"
    newest, oldest = age(document["newest"], now), age(document["oldest"], now)
    unread = f", {document['unread']} not yet" if document["unread"] else ""
    return f"read {newest if newest == oldest else f'{newest} to {oldest}'} ago{unread}"


def news_words(news: NewsDocument) -> list[str]:
    """What is new: `6 new`, `3 back`, `2 changed`; `nothing new` where there is none."""
    counts = {"new": news["new"], "back": news["back"], "changed": news["changed"]}
    return [f"{count} {word}" for word, count in counts.items() if count] or ["nothing new"]


def _family(name: str, families: Families, nodes: Sequence[RoundNodeDocument]) -> RoundFamilyDocument:
    names = [node["node"] for node in nodes]
    return {
        "family": name,
        "title": families.titles[name],
        "gloss": families.glosses[name],
        "aside": name in families.aside,
        "count": len(names),
        "nodeset": fold(names),
        "hostlist": hostlist_of(names),
        "nodes": list(nodes),
    }


def _place(node: RoundNodeDocument) -> tuple[object, ...]:
    """Out of service first, then nodes with one cause side by side."""
    return node["in_service"], node["title"], natural_key(node["node"])


def _node(
    node: NodeDocument,
    advice: RecommendationDocument,
    out: Collection[str],
    news: News | None,
    notes: Iterable[Note],
) -> RoundNodeDocument:
    slurm = node["slurm"]
    return {
        "node": node["node"],
        "state": (slurm["state"] or "-") if slurm else "not in Slurm",
        "in_service": node["node"] not in out,
        "mark": _mark(node["node"], news),
        "reason": slurm["reason"] if slurm else "",
        "reason_by": slurm["reason_by"] if slurm else "",
        "reason_at": slurm["reason_at"] if slurm else None,
        "diagnosis": advice["diagnosis"],
        "title": advice["title"],
        "explanation": advice["explanation"],
        "next": advice["next"],
        "action": advice["action"],
        "confidence": advice["confidence"],
        "sure": sure_words(advice["action"], advice["confidence"]),
        "notes": list(map(note_document, notes)),
    }


def _mark(node: str, news: News | None) -> Literal["new", "changed"] | None:
    if news and node in news.new:
        return "new"
    return "changed" if news and node in news.changed else None


def _news(news: News) -> NewsDocument:
    return {
        "since": iso(news.since),
        "whole": news.is_whole,
        "new": len(news.new),
        "new_nodes": fold(news.new),
        "back": len(news.back),
        "back_nodes": fold(news.back),
        "changed": len(news.changed),
        "changed_nodes": fold(news.changed),
    }
