"""Looking: the round, the readings of nodes, one node, and what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from botd.client.asking import Asking, merged, told
from botd.client.forms import Fields, Listing, cell, write_listing, write_text
from botd.client.server import ANSWER_S, MAX_URL, SWEEP_S, Server
from botd.client.shapes import Row, pages, part_of, rows_of, text_of, texts_of
from botd.client.trouble import Unusable
from botd.nodeset import check_name
from botd.text import shown

WELL, WARNINGS, FAILURES, UNKNOWN = 0, 1, 2, 3
"""The exit statuses of `--exit-code`."""

ROUND = Fields(
    ("node", "family", "state", "mark", "reason_at", "reason_by", "diagnosis", "action", "reason"),
    ("title", "explanation", "next", "in_service", "aside", "notes"),
)
CHECK = Fields(
    ("node", "state", "diagnosis", "action", "wrong", "reason"),
    ("groups", "slurm", "readings", "recommendation", "since"),
)
READING = Fields(("check", "state", "value", "unit", "at", "detail"), ("took_s",))
CHANGE = Fields(("at", "node", "subject", "old", "new", "why"), ("id", "bad"))
AUDIT = Fields(("number", "at", "kind", "by", "about", "words"), ("detail", "hash"))
REPORT = Fields(
    ("about", "name", "nodes", "out_h", "in_service_h", "unknown_h", "available_percent", "incidents", "imported")
)


_QUIET = "nothing has happened since the record begins, or since then"


def morning(run: Asking) -> int:
    """The round, and its exit status."""
    query = {"groups": run.args.groups, "since": run.args.since}
    if run.wants_text and not run.args.exit_code:
        write_text(run.server.text("/api/v1/round", {**query, **run.form.query}), run.form)
        return 0
    verdicts: list[int] = []

    def ask(server: Server) -> Listing:
        document = server.get("/api/v1/round", query)
        verdicts.append(_round_verdict(document))
        _tell_problems(document, run.form.wants_text)
        return Listing(ROUND, list(_round_rows(document)), "nobody is needed")

    return _shown(run, *merged(run, ask), verdicts)


def check(run: Asking) -> int:
    """What nodes say, read now where that is asked for."""
    args = run.args
    query = {"groups": args.groups, "checks": args.checks, **({"max_age": 0} if args.now else {})}
    within_s = SWEEP_S if args.now else ANSWER_S
    is_long = len(quote(args.groups or "")) > MAX_URL
    if run.wants_text and not args.exit_code and not is_long:
        write_text(run.server.text("/api/v1/status", {**query, **run.form.query}, within_s=within_s), run.form)
        return 0
    verdicts: list[int] = []

    def ask(server: Server) -> Listing:
        document = (
            _posted(server, query, within_s) if is_long else server.get("/api/v1/status", query, within_s=within_s)
        )
        _tell_problems(document, run.form.wants_text)
        rows = [_check_row(node) for node in rows_of(document, "nodes")]
        verdicts.append(_check_verdict(rows, document))
        return Listing(CHECK, rows, "there is no such node")

    return _shown(run, *merged(run, ask), verdicts)


def show(run: Asking) -> int:
    """One node with every reading."""
    path = f"/api/v1/status/{check_name(run.args.node)}"
    if run.form.wants_text:
        write_text(run.server.text(f"/node/{run.args.node}", run.form.query), run.form)
        return 0
    nodes = rows_of(run.server.get(path), "nodes")
    rows = [{"check": name, **part_of(readings, name)} for node in nodes if (readings := part_of(node, "readings"))
            for name in readings]  # fmt: skip
    write_listing(Listing(READING, rows), run.form)
    return 0


def history(run: Asking) -> int:
    """What happened to one node, newest first."""
    path = f"/api/v1/history/{check_name(run.args.node)}"
    rows = list(pages(run.server, path, {"since": run.args.since}, "changes", run.args.limit))
    write_listing(Listing(CHANGE, rows, _QUIET), run.form)
    return 0


def changes(run: Asking) -> int:
    """What happened in the cluster, newest first."""
    query = {"groups": run.args.groups, "since": run.args.since}

    def ask(server: Server) -> Listing:
        rows = list(pages(server, "/api/v1/changes", query, "changes", run.args.limit))
        return Listing(CHANGE, rows, _QUIET)

    listing, is_whole = merged(run, ask)
    write_listing(listing, run.form)
    return 0 if is_whole else 1


def report(run: Asking) -> int:
    """What a time was like: partitions, causes, repeaters."""
    args = run.args
    if args.month and args.until:
        raise Unusable("--month has its own end: take --until out, or write --since")
    since, until = months(args.month) if args.month else (args.since, args.until)
    query = {"groups": args.groups, "since": since, "until": until}
    if args.csv:
        write_text(run.server.text("/api/v1/report", {**query, "format": "csv"}, kind="text/csv"), run.form)
        return 0

    def ask(server: Server) -> Listing:
        document = server.get("/api/v1/report", query)
        if run.form.wants_text and document.get("whole") is False:
            told(f"the record begins only at {cell(document.get('since'))}")
        return Listing(REPORT, rows_of(document, "rows"))

    listing, is_whole = merged(run, ask)
    for place, part in enumerate(_parts(listing) if run.form.wants_text and listing.rows else (listing,)):
        if place:
            write_text("", run.form)
        write_listing(part, run.form)
    return 0 if is_whole else 1


def _parts(report: Listing) -> Iterator[Listing]:
    """A table for each thing that a report is about, which its first column is named by."""
    for about in dict.fromkeys(text_of(row, "about") for row in report.rows):
        rows = [{**row, about: row.get("name")} for row in report.rows if row["about"] == about]
        names = (about if name == "name" else name for name in report.fields.shown if name != "about")
        yield Listing(Fields(tuple(names)), rows)


def months(text: str) -> tuple[str, str]:
    """Begin and end of a month such as 2026-11, in UTC. Raises Unusable."""
    try:
        begin = datetime.strptime(text, "%Y-%m")
    except ValueError:
        raise Unusable(f'--month needs a month such as 2026-11, not "{shown(text)}"') from None
    end = (begin + timedelta(days=31)).replace(day=1)
    return f"{begin:%Y-%m-%d}T00:00Z", f"{end:%Y-%m-%d}T00:00Z"


def tail(run: Asking) -> int:
    """A log of a node as it grows, until it ends or somebody interrupts it."""
    args, said_why = run.args, ""
    for event in run.server.events("/api/v1/tail", {"h": check_name(args.node), "log": args.log}):
        if left_out := event.get("left_out"):
            told(f"{cell(left_out)} lines more than go through are left out")
        if lines := texts_of(event, "lines"):
            write_text("\n".join(lines), run.form)
        said_why = text_of(event, "why")
    told(f"{args.log} of {args.node} is not followed any more: {said_why or 'the answer broke off'}")
    return 1


def log(run: Asking) -> int:
    """What people did and were refused, newest first."""
    rows = list(pages(run.server, "/api/v2/audit", {}, "rows", run.args.limit))
    write_listing(Listing(AUDIT, rows), run.form)
    return 0


def _shown(run: Asking, listing: Listing, is_whole: bool, verdicts: Iterable[int]) -> int:
    """Writes the listing; the exit status is the worst verdict where it is asked for."""
    write_listing(listing, run.form)
    if not run.args.exit_code:
        return 0 if is_whole else 1
    found = {*verdicts, *(() if is_whole else (UNKNOWN,))}
    return next((verdict for verdict in (FAILURES, UNKNOWN, WARNINGS) if verdict in found), WELL)


def _posted(server: Server, query: Mapping[str, Any], within_s: float) -> Any:
    """The answer to a question that is too long for a URL."""
    body: dict[str, Any] = {name: [query[name]] for name in ("groups", "checks") if query.get(name)}
    body |= {"max_age": query["max_age"]} if "max_age" in query else {}
    return server.send("POST", "/api/v1/status", body, within_s=within_s)


def _tell_problems(document: Row, is_read: bool) -> None:
    """What is wrong with the answer itself, for a person: programs have it in the exit status."""
    for problem in texts_of(document, "problems") if is_read else ():
        told(problem)


def _round_rows(document: Row) -> Iterable[Row]:
    for family in rows_of(document, "families"):
        for node in rows_of(family, "nodes"):
            yield {**node, "family": text_of(family, "family"), "aside": family.get("aside")}


def _round_verdict(document: Row) -> int:
    """FAILURES where a node needs somebody, WARNINGS where those that do are all somebody's already."""
    families = rows_of(document, "families")
    if any(not family.get("aside") for family in families):
        return FAILURES
    if document.get("complete") is not True:
        return UNKNOWN
    return WARNINGS if families else WELL


def _check_row(node: Row) -> Row:
    slurm, advice, readings = part_of(node, "slurm"), part_of(node, "recommendation"), part_of(node, "readings")
    states = {name: text_of(part_of(readings, name), "state") for name in readings}
    wrong = [f"{name} {state}" for name, state in states.items() if state not in ("ok", "skipped")]
    own = {"state": slurm.get("state") or "", "reason": slurm.get("reason") or ""}
    return {**node, **own, "diagnosis": advice.get("diagnosis"), "action": advice.get("action"), "wrong": wrong}


def _check_verdict(rows: Iterable[Row], document: Row) -> int:
    """As that of `botd sweep`: failures first, then what is not known, then warnings."""
    states = {wrong.rpartition(" ")[2] for row in rows for wrong in row["wrong"]}
    if "fail" in states:
        return FAILURES
    if "unknown" in states or document.get("complete") is not True:
        return UNKNOWN
    return WARNINGS if "warn" in states else WELL
