"""The forms of an answer: JSON, NDJSON, CSV and an aligned text table. The same nodes and checks in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from botd.checks import Checks, flat
from botd.display.fold import Shown, fold_nodes, names_of
from botd.display.matrix import status_table
from botd.display.terminal import WIDE, Column, Look, draw, left_out, notes
from botd.documents import NodeDocument, RecommendationDocument, StatusHead, encode
from botd.model import Check
from botd.text import is_number, unformulated

MIME = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "table": "text/plain; charset=utf-8",
}
"""The forms by the word in `format=`, with the media type that asks for them in Accept."""

ADVICE = ("diagnosis", "family", "action", "action_at_least", "action_good", "action_of")
"""The columns of CSV that come of a recommendation."""

Fields = Mapping[str, object]
"""A document of any kind, for what only writes it out."""


class StatusDocument(StatusHead):
    """A status answer."""

    nodes: list[Shown]


@dataclass(frozen=True, slots=True)
class Form:
    """What an answer is to look like: one of MIME, how a table is drawn, and whether nodes fold."""

    name: str
    look: Look = WIDE
    fold: bool = False


def to_json(head: Fields, key: str, items: Iterable[bytes]) -> bytes:
    """The head with one more member, a list of documents that are JSON already."""
    return encode(head)[:-1] + b',"' + key.encode() + b'":[' + b",".join(items) + b"]}\n"


def to_ndjson(items: Iterable[bytes]) -> bytes:
    """One JSON document a line."""
    return b"".join(item + b"\n" for item in items)


def to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Rows for a spreadsheet, a line each: a text that it would run as a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_safe(value) for value in row] for row in rows)
    return out.getvalue().encode()


def status_csv(nodes: Sequence[Shown], checks: Sequence[Check]) -> bytes:
    """A row per node, or per fold; for each check its state and its value in one column or more."""
    names = [column for check in checks for column in flat.header(check)]
    header = [
        *(names_of(nodes[0]) if nodes else ("node",)),
        "groups",
        "slurm_state",
        "reason",
        "reason_by",
        "reason_at",
        *ADVICE,
        "since",
        *names,
    ]
    return to_csv(header, (_csv_row(node, checks) for node in nodes))


def status_body(
    form: Form,
    head: StatusHead,
    documents: Callable[[], list[NodeDocument]],
    fragments: Callable[[], list[bytes]],
    checks: Checks,
    now: datetime,
) -> bytes:
    """A status answer in one of the forms; a table tells ages by `now`.

    Nodes come as documents or as JSON, whichever the form needs.
    """
    if form.name in ("json", "ndjson"):
        items = list(map(encode, fold_nodes(documents(), checks))) if form.fold else fragments()
        return to_json(head, "nodes", items) if form.name == "json" else to_ndjson(items)
    nodes = fold_nodes(documents(), checks) if form.fold else documents()
    if form.name == "csv":
        return status_csv(nodes, [checks[name] for name in head["checks"]])
    return status_table(head, nodes, checks, now, form.look)


def records_body(form: Form, head: Fields, key: str, records: Sequence[Fields], columns: Sequence[str]) -> bytes:
    """Any list of flat records in one of the forms: `columns` are those that CSV and the table show."""
    if form.name == "json":
        return to_json(head, key, map(encode, records))
    if form.name == "ndjson":
        return to_ndjson(map(encode, records))
    if form.name == "csv":
        return to_csv(columns, ([_flat_cell(record[column]) for column in columns] for record in records))
    shown = [Column(name.upper(), [_flat(record[name]) for record in records]) for name in columns]
    return table_text(shown, form.look)


def table_text(columns: Sequence[Column], look: Look) -> bytes:
    """A table and, where columns had no room, which they are."""
    drawn = draw(columns, look)
    return (drawn.text() + notes(left_out(drawn), look)).encode()


def _csv_row(node: Shown, checks: Iterable[Check]) -> list[object]:
    slurm = node["slurm"]
    row: list[object] = [*names_of(node).values(), " ".join(node["groups"])]
    row += [slurm["state"], slurm["reason"], slurm["reason_by"], slurm["reason_at"]] if slurm else [None] * 4
    advice = node["recommendation"]
    row += _advice(advice) if advice else [None] * len(ADVICE)
    row.append(node["since"])
    for check in checks:
        reading = node["readings"][check.name]
        row += [reading["state"], *flat.cells(check, reading["value"])]
    return row


def _advice(advice: RecommendationDocument) -> list[object]:
    sure = advice["confidence"]
    counted = [sure["at_least"], sure["good"], sure["of"]] if sure else [None] * 3
    return [advice["diagnosis"], advice["family"], advice["action"], *counted]


def _safe(value: object) -> object:
    if isinstance(value, str):
        return unformulated(value)
    return "" if value is None else value


def _flat_cell(value: object) -> object:
    return value if is_number(value) else _flat(value)


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
