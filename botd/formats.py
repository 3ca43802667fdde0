"""The forms of a status answer: JSON, NDJSON, CSV and an aligned text table. The same nodes and checks in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from botd.cells import cell, fit, plain, width
from botd.checks import Checks
from botd.documents import Document, encode

MIME = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "table": "text/plain; charset=utf-8",
}
"""The forms by the word in `format=`, with the media type that asks for them in Accept."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What makes a spreadsheet read a text as a formula, also in full width."""

_MAX_CELL = 40


def to_json(head: Document, key: str, items: Iterable[bytes]) -> bytes:
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


def to_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Aligned columns, two blanks apart; the last one is as long as it needs to be."""
    lines = [[plain(text) for text in row] for row in (header, *rows)]
    widest = [max(width(line[i]) for line in lines) for i in range(len(header))]
    widths = [min(columns, _MAX_CELL) for columns in widest[:-1]] + [widest[-1]]
    return "".join("  ".join(map(fit, line, widths)).rstrip() + "\n" for line in lines).encode()


def status_csv(nodes: Iterable[Document], checks: Sequence[str]) -> bytes:
    """A row per node; for each check its state and its value."""
    names = [column for check in checks for column in (f"{check}_state", check)]
    header = ["node", "groups", "slurm_state", "reason", "reason_by", "reason_at", *names]
    return to_csv(header, (_csv_row(node, checks) for node in nodes))


def status_table(head: Document, nodes: Iterable[Document], checks: Checks) -> bytes:
    """The table for a terminal: node, Slurm's state, a column per check, the reason last; then what is wrong."""
    names = head["checks"]
    header = ["NODE", "STATE", *(checks[name].title.upper() for name in names), "REASON"]
    rows = [_text_row(node, names) for node in nodes]
    notes = [f"# {plain(problem)}\n" for problem in head["problems"]]
    legend = f"# {head['count']} nodes, as of {head['as_of'] or 'never'}; !! fail, ! warn, ? unknown, - skipped\n"
    return to_table(header, rows) + "".join([legend, *notes]).encode()


def status_body(
    form: str,
    head: Document,
    documents: Callable[[], list[Document]],
    fragments: Callable[[], list[bytes]],
    checks: Checks,
) -> bytes:
    """A status answer in one of the forms. Nodes come as documents or as JSON, whichever the form needs."""
    if form == "json":
        return to_json(head, "nodes", fragments())
    if form == "ndjson":
        return to_ndjson(fragments())
    if form == "csv":
        return status_csv(documents(), head["checks"])
    return status_table(head, documents(), checks)


def records_body(form: str, head: Document, key: str, records: Sequence[Document], columns: Sequence[str]) -> bytes:
    """Any list of flat records in one of the forms: `columns` are those that CSV and the table show."""
    if form == "json":
        return to_json(head, key, map(encode, records))
    if form == "ndjson":
        return to_ndjson(map(encode, records))
    if form == "csv":
        return to_csv(columns, ([_flat_cell(record[column]) for column in columns] for record in records))
    rows = [[_flat(record[column]) for column in columns] for record in records]
    return to_table([column.upper() for column in columns], rows)


def _csv_row(node: Document, checks: Iterable[str]) -> list[object]:
    slurm = node["slurm"] or {}
    row: list[object] = [node["node"], " ".join(node["groups"])]
    row += [slurm.get(key) for key in ("state", "reason", "reason_by", "reason_at")]
    for check in checks:
        reading = node["readings"][check]
        row += [reading["state"], _raw(reading["value"])]
    return row


def _text_row(node: Document, checks: Iterable[str]) -> list[str]:
    slurm = node["slurm"] or {}
    return [
        node["node"],
        slurm.get("state", "-"),
        *(cell(node["readings"][check]) for check in checks),
        slurm.get("reason", ""),
    ]


def _raw(value: object) -> object:
    """A value as one CSV cell: numbers stay numbers, lists and objects are JSON."""
    if value is None or isinstance(value, str) or _is_number(value):
        return value
    return orjson.dumps(value).decode()


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _safe(value: object) -> object:
    if not isinstance(value, str):
        return "" if value is None else value
    text = plain(value)
    return "'" + text if text.lstrip().startswith(_FORMULA) else text


def _flat_cell(value: object) -> object:
    return value if _is_number(value) else _flat(value)


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
