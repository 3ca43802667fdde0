"""What requests may say: one schema per kind of request, which checks it and describes it in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from flask import request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import BadRequest as WerkzeugBadRequest
from werkzeug.exceptions import RequestEntityTooLarge

from botd.access.requests import MAX_REASON, MAX_TEXT
from botd.acting.actions import WEIGHTS
from botd.display.formats import MIME, Form
from botd.display.terminal import Look
from botd.errors import BadRequest, NotAcceptable, TooLarge, did_you_mean
from botd.model import NoteKind
from botd.web.forms import FIELD

MAX_AGE_S = 10 * 365 * 86400
MAX_WAIT_S = 600
WIDTHS = (20, 10_000)
"""The columns of a terminal that a table may be asked to keep to."""


def _text(help: str, **more: Any) -> fields.String:
    return fields.String(metadata={"description": help}, **more)


def _yes(help: str) -> fields.Boolean:
    return fields.Boolean(metadata={"description": help})


def _count(help: str, least: int, most: int) -> fields.Integer:
    return fields.Integer(metadata={"description": help}, validate=validate.Range(least, most))


def _seconds(help: str, most: float) -> fields.Float:
    return fields.Float(metadata={"description": help}, validate=validate.Range(0, most))


class FormatQuery(Schema):
    """A request that only chooses a form."""

    format = _text("Form of the answer; without it the Accept header decides.", validate=validate.OneOf(list(MIME)))
    width = _count("Columns of the terminal that a table keeps to; without it, it is as wide as it is.", *WIDTHS)
    color = _yes("Whether a table has colours (ANSI escapes); never without.")


class JsonQuery(Schema):
    """A request without parameters."""


class ReadingsQuery(FormatQuery):
    """How old readings may be, and how long the client waits for new ones."""

    max_age = _seconds("Readings older than this many seconds are taken afresh; 0 is now.", MAX_AGE_S)
    wait = _seconds("Wait at most this many seconds for readings that are taken afresh; 0 answers at once.", MAX_WAIT_S)


class NodesQuery(Schema):
    """A request that names nodes."""

    groups = _text("Groups, nodesets and intersections A/B, separated by commas.")
    g = _text("Short for groups.")
    nodes = _text("Nodes as a nodeset.")
    h = _text("Short for nodes.")


class CheckQuery(ReadingsQuery, NodesQuery):
    """A request for one check of some nodes."""

    fold = _yes("Whether nodes with the same diagnosis and action are folded into one.")


class ChoosingQuery(Schema):
    """A request that chooses among the nodes it names, and sorts them: see `botd.board.choosing`."""

    family = _text("Only nodes whose diagnosis is of these families, separated by commas.")
    diagnosis = _text("Only nodes with these diagnoses: names of rules, separated by commas.")
    any = _text("Only nodes with such a reading: `fail`, `warn`, `unknown`, `skipped`, `not-ok`; `ok` is all well.")
    only = _text(  # type: ignore[assignment] # a field is no attribute of its schema
        "`new`: only nodes out of service, or with their diagnosis, since `since`."
    )
    since = _text("From when on a node is new: a time, or an age such as `12h`; 24 hours where nothing is said.")
    state = _text("Only nodes in these states of Slurm, without their marks, separated by commas.")
    sort = _text("Columns to sort by, separated by commas, with `-` before it downwards.")


class StatusQuery(CheckQuery, ChoosingQuery):
    """A request for readings."""

    checks = _text("Checks, separated by commas; `all`, `df` and `ipmi` stand for several.")


class MatrixQuery(StatusQuery):
    """A request for the matrix of nodes and readings."""

    page = _count("Which part of the page's tables, of 200 nodes each.", 1, 1000)


class RoundQuery(ReadingsQuery, NodesQuery, ChoosingQuery):
    """A request for the morning round."""


class ClusterQuery(StatusQuery):
    """A request for the picture of the cluster."""

    class Meta:
        """In the picture every node has its place."""

        exclude = ("fold", "family", "diagnosis", "any", "only", "since", "state", "sort")

    by = _text("Groups that part the nodes: `partitions`, `files`, or names and patterns such as `rack-*`.")


class NodePageQuery(ReadingsQuery):
    """A request for the page of one node."""

    checks = _text("Checks, separated by commas.")
    log = _text("A log whose last lines are wanted, by its name in `[tail]`.")


class NodeQuery(ReadingsQuery):
    """A request for one node, or for one check of some nodes: the path says which."""

    groups = _text("Groups, where the path names a check.")
    g = _text("Short for groups.")
    nodes = _text("Nodes, where the path names a check.")
    h = _text("Short for nodes.")
    fold = _yes("As for one check.")
    checks = _text("Checks, where the path names a node.")


class StatusBody(Schema):
    """The same as StatusQuery as a JSON body, for lists too long for a URL."""

    nodes = fields.List(fields.String(), metadata={"description": "Nodes or nodesets."})
    groups = fields.List(fields.String(), metadata={"description": "Groups, nodesets and intersections."})
    checks = fields.List(fields.String(), metadata={"description": "Checks."})
    max_age = _seconds("As in the query.", MAX_AGE_S)
    wait = _seconds("As in the query.", MAX_WAIT_S)
    format = _text("As in the query.", validate=validate.OneOf(list(MIME)))


class TableQuery(StatusQuery):
    """A request for the rows of the page, which are JSON."""

    class Meta:
        """What only makes sense for other forms."""

        exclude = ("format", "width", "color", "fold")


class TableBody(StatusBody):
    """The same as TableQuery as a JSON body."""

    class Meta:
        """What only makes sense for other forms."""

        exclude = ("format",)


class SinfoQuery(FormatQuery):
    """A request for Slurm's list."""

    max_age = _seconds("How old the list may be, in seconds; by default [slurm] max_age.", MAX_AGE_S)


class HostinfoQuery(SinfoQuery):
    """A request for what Slurm says of some nodes."""

    h = _text("Nodes as a nodeset.")
    nodes = _text("The same.")


class HistoryQuery(FormatQuery):
    """A request for what happened to one node."""

    since = _text("Only what happened since then: a time such as `2026-11-23T08:00Z`, or an age such as `12h`, `7d`.")
    until = _text("Only what happened before then.")
    before = _count("Only what stands before this id: the `next` of the page before.", 1, 2**53)
    limit = _count("At most so many changes; 100 where nothing is said.", 1, 1000)


class ChangesQuery(HistoryQuery, NodesQuery):
    """A request for what changed in the cluster; without groups and nodes, of every node."""


class AuditQuery(FormatQuery):
    """A request for the audit."""

    before = _count("Only what stands before this row: the `next` of the page before.", 1, 2**31 - 1)
    limit = _count("At most so many rows; 100 where nothing is said.", 1, 1000)


class ActionsQuery(FormatQuery):
    """A request for actions."""

    node = _text("Only those on these nodes, as a nodeset.")
    since = _text("Only those asked for since then: a time, or an age such as `12h`.")
    state = _text("Only those in these states, separated by commas; `under-way` are all that have not ended.")
    login = _text("Only those that this person has asked for; for who is logged in.")
    action = _text("Only these: `identify`, `drain` and so on.", validate=validate.OneOf(list(WEIGHTS)))
    batch = _text("Only those of this batch.")
    before = _count("Only what stands before this id: the `next` of the page before.", 1, 2**31 - 1)
    limit = _count("At most so many; 100 where nothing is said.", 1, 1000)


class OffendersQuery(FormatQuery, NodesQuery):
    """A request for the nodes with the most incidents; without groups and nodes, of every node."""

    since = _text("The window: a time or an age such as `30d`; 30 days where nothing is said.")


class DryRunsQuery(FormatQuery, NodesQuery):
    """A request for dry runs; without groups and nodes, of every node."""

    since = _text("Only those since then: a time or an age such as `30d`; 30 days where nothing is said.")


class ReportQuery(FormatQuery, NodesQuery):
    """A request for what a time was like; without groups and nodes, for every node."""

    since = _text("When it begins: a time or an age such as `30d`; 30 days where nothing is said.")
    until = _text("When it ends: a time or an age; now where nothing is said.")


class NotesQuery(FormatQuery):
    """A request for notes."""

    node = _text("Only the notes of this node; several as a nodeset.")


class NoteBody(Schema):
    """A note, as JSON or as the form of a node's page."""

    node = _text("The node.", required=True)
    kind = _text("What it is.", required=True, validate=validate.OneOf([kind.value for kind in NoteKind]))
    text = _text("What is said, at most 500 characters: of a ticket its number.")
    until = _text("When a snooze ends: a time such as `2026-11-27T08:00Z`, or how far ahead, such as `12h`.")
    by = _text("Who says it, at most 40 characters.")


class NodeNoteForm(NoteBody):
    """The same from the page of a node."""

    class Meta:
        """The path names the node."""

        exclude = ("node",)


class NoteEndQuery(Schema):
    """A request that ends a note."""

    by = _text("Who ends it.")


class EventsQuery(Schema):
    """A request for a stream of events."""

    format = _text("`sse` (the default) or `ndjson`.", validate=validate.OneOf(["sse", "ndjson"]))


class TailQuery(EventsQuery):
    """A request for a log of a node as it grows."""

    h = _text("The node.", required=True)
    log = _text("The log, by its name in `[tail]`.", required=True)


class LoginQuery(Schema):
    """A request for the page to log in."""

    to = _text("The path to go to afterwards.", validate=validate.Length(0, 2000))


class LoginBody(Schema):
    """Who logs in, and with what."""

    login = _text("Name.", required=True, validate=validate.Length(1, 64))
    password = _text("Password.", required=True, validate=validate.Length(1, 200))
    code = _text("The code of the moment.", validate=validate.Length(0, 16))


_PROOF = "One of `otp` (a code), `ssh` (an object of login and signature) and `munge` (a credential); `{}` is none."


def _proof() -> fields.Dict:
    return fields.Dict(keys=fields.String(), metadata={"description": _PROOF})


class ProofBody(Schema):
    """A proof. What is signed by ssh or munge stands beside it."""

    proof = _proof()
    text = _text("The text that a proof by ssh signs: see `access.rst`.", validate=validate.Length(0, MAX_TEXT))


class NoBody(Schema):
    """A body that says nothing."""


class HaltBody(Schema):
    """What is stopped."""

    batch = _yes("True for all that were asked for together with it and were not sent yet.")


class ReasonBody(Schema):
    """Why."""

    reason = _text("Why, at most 500 characters.", validate=validate.Length(0, MAX_REASON))


class HarmBody(ReasonBody):
    """Whether an action did harm, and why one says so."""

    harm = _yes("False for: what came after it was not its doing; true where nothing is said.")


class ReArmBody(ProofBody, ReasonBody):
    """Why botd may act again, and a proof."""


class ActionBody(ProofBody, ReasonBody):
    """What somebody wants done: to one `node`, or to the `nodes` of an object of node to evidence."""

    action = _text("What is to be done.", required=True, validate=validate.OneOf(list(WEIGHTS)))
    node = _text("The node.", validate=validate.Length(1, 253))
    nodes = fields.Raw(metadata={"description": "Several nodes: an object of node to evidence, or a list of names."})
    evidence = fields.Raw(
        metadata={"description": "What was looked at, as `GET /api/v2/policy` gives it; of several an object."}
    )
    nonce = _text("What makes it one action however often it is sent: 16 to 64 letters, digits, `_` and `-`.")


class RebootQuery(Schema):
    """A request to reboot one node."""

    h = _text("The node, by its whole name.", required=True, validate=validate.Length(1, 253))


class RebootBody(ProofBody, ReasonBody):
    """The same as ActionBody, where the power says what is to be done and the URL to which node."""

    evidence = _text("What was looked at, as `GET /api/v2/policy` gives it.", required=True)
    nonce = _text("As in a request for an action.")


class PressForm(ReasonBody):
    """The form of a page that presses. The path names node and action."""

    evidence = _text("What the page showed.", validate=validate.Length(0, 64))
    nonce = _text("What makes it one action however often it is sent.", validate=validate.Length(0, 64))
    code = _text("The code of the moment.", validate=validate.Length(0, 16))


class SeveralQuery(NodesQuery, ChoosingQuery):
    """A request to press for several nodes of the round: those that are chosen."""


class SeveralForm(PressForm):
    """The form of a page that presses for several nodes. The path names the action."""

    class Meta:
        """Each node has its own."""

        exclude = ("evidence",)

    pick = fields.List(
        fields.String(validate=validate.Length(1, 400)), metadata={"description": "Nodes, each with what was shown."}
    )


class ActionForm(ReasonBody):
    """A form that says something to one action, or to everything."""

    do = _text("What is wanted.", validate=validate.Length(0, 20))
    code = _text("The code of the moment.", validate=validate.Length(0, 16))


class TokenBody(Schema):
    """A token for a script."""

    name = _text("What it is for.", required=True, validate=validate.Length(1, 60))
    hours = fields.Float(metadata={"description": "How long it is good, at most 12; 8 where nothing is said."})
    scope = _text("`read`; or `ask`, for all that one may oneself.", validate=validate.OneOf(["read", "ask"]))


def query(schema: type[Schema]) -> dict[str, Any]:
    """The parameters of this request's URL. Raises BadRequest naming the one at fault.

    A parameter given twice is joined by a comma, as lists are written.
    """
    return _load(schema, {key: ",".join(values) for key, values in request.args.lists()})


def body(schema: type[Schema]) -> dict[str, Any]:
    """The JSON body of this request. Raises BadRequest, or TooLarge."""
    try:
        document = request.get_json(force=True)
    except RequestEntityTooLarge as error:
        raise TooLarge from error
    except (WerkzeugBadRequest, RecursionError) as error:
        raise BadRequest("the request body is not JSON; send an object with the members that /api lists") from error
    except (ParseException, OSError) as error:  # from gunicorn, which reads the body only now
        raise BadRequest("the request body cannot be read: it breaks off or is badly chunked; send it again") from error
    if not isinstance(document, dict):
        raise BadRequest("the request body must be a JSON object with the members that /api lists")
    return _load(schema, document)


def form(schema: type[Schema]) -> dict[str, Any]:
    """The fields of this request's form that are filled in. Raises BadRequest, or TooLarge."""
    try:
        filled = {name: list(filter(None, values)) for name, values in request.form.lists() if name != FIELD}
    except RequestEntityTooLarge as error:
        raise TooLarge from error
    except (ParseException, OSError) as error:
        raise BadRequest("the form cannot be read: it breaks off or is badly chunked; send it again") from error
    lists = {name for name, field in _loader(schema).fields.items() if isinstance(field, fields.List)}
    return _load(schema, {name: all_ if name in lists else all_[0] for name, all_ in filled.items() if all_})


def chosen_format(args: Mapping[str, Any], default: str = "json") -> Form:
    """The form to answer in: `format=`, else what the Accept header prefers, the default where it does not matter.

    Raises NotAcceptable when the client accepts none of them.
    """
    name = str(args["format"]) if "format" in args else _accepted(default)
    return Form(name, Look(args.get("width"), args.get("color", False)), args.get("fold", False))


def _accepted(default: str) -> str:
    forms = sorted(MIME, key=lambda form: form != default)
    offered = {MIME[form].partition(";")[0]: form for form in forms}
    if not request.accept_mimetypes:
        return default
    best = request.accept_mimetypes.best_match(list(offered))
    if best is None:
        raise NotAcceptable(f"this can be answered as {', '.join(offered)}; ask for one of them in Accept")
    return offered[best]


def page_of(args: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a long list that is asked for."""
    return {name: args[name] for name in ("before", "limit") if name in args}


def either(args: Mapping[str, Any], long: str, short: str) -> str | None:
    """The value of a parameter that has a short name. Raises BadRequest when both are given."""
    if long in args and short in args:
        raise BadRequest(f'"{short}" is short for "{long}"; give one of them')
    value = args.get(long, args.get(short))
    return None if value is None else str(value)


@cache
def _loader(schema: type[Schema]) -> Schema:
    """The one of its kind: making it costs more than all else that a request says."""
    return schema()


def _load(schema: type[Schema], values: Mapping[str, Any]) -> dict[str, Any]:
    loader = _loader(schema)
    for name in values:
        if name not in loader.fields:
            raise BadRequest(f'unknown parameter "{name[:60]}"{did_you_mean(name, loader.fields) or _known(loader)}')
    try:
        loaded: dict[str, Any] = loader.load(values)
    except ValidationError as error:
        raise BadRequest(_first(error)) from error
    return loaded


def _known(loader: Schema) -> str:
    return f"; known here: {', '.join(sorted(loader.fields))}" if loader.fields else "; this takes none"


def _first(error: ValidationError) -> str:
    """The first fault that marshmallow names, in one sentence."""
    faults: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    name, fault = next(iter(faults.items()))
    while isinstance(fault, dict):
        fault = next(iter(fault.values()))
    return f'parameter "{name}": {fault[0] if isinstance(fault, list) else fault}'
