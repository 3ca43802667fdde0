"""The text of an action: what a person signs, what the agent checks, and what makes two presses the same.

The command line makes this text itself, on whatever machine a person sits, and signs nothing that a server gave it: so
this module imports nothing but the standard library. The text is canonical JSON (names sorted, no spaces, ASCII only),
of which there is one for each request::

    {"action":"power-cycle","expires_at":"2026-11-26T10:06:00Z","issued_at":"2026-11-26T10:04:00Z",
     "nodes":{"n0012.savio2":"7f3a90c14be2"},"nonce":"q0pVwXy1...","reason":"hangs again","site":"brc"}

`nodes` gives each node the evidence that the person looked at: one node for one action, several for a batch.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

LONGEST = timedelta(seconds=120)
"""From issue to expiry."""

SKEW = timedelta(seconds=30)
"""How far the clock of who signs may be ahead of the agent's."""

MAX_NODES = 64
"""Nodes of one batch."""

MAX_REASON = 500
MAX_TEXT = 32_768
"""Characters of a whole request: 64 nodes of the longest names and evidence fit in."""

WITHOUT_NODES = ("re-arm",)
"""What is signed and concerns no node."""

_SHAPES = {
    "site": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"), "up to 64 letters, digits, '.', '_' and '-'"),
    "action": (re.compile(r"[a-z][a-z-]{0,31}"), "up to 32 lower-case letters and '-'"),
    "nonce": (re.compile(r"[A-Za-z0-9_-]{16,64}"), "16 to 64 letters, digits, '_' and '-'"),
    "otp": (re.compile(r"[0-9]{6}"), "6 digits"),
}
_NODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_EVIDENCE = re.compile(r"[0-9a-f]{8,64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


class RequestError(ValueError):
    """Raised for a request that is malformed, too long, expired or not yet issued. The text is fit for a person."""


class Member(NamedTuple):
    """One node of a request, with its evidence and the nonce of its own action."""

    node: str
    evidence: str
    nonce: str


@dataclass(frozen=True)
class ActionRequest:
    """What is asked for. Times are whole seconds in UTC. `otp` is a code inside the signed text, else empty."""

    site: str
    action: str
    nodes: Mapping[str, str]
    reason: str
    nonce: str
    issued_at: datetime
    expires_at: datetime
    otp: str = ""

    @property
    def is_batch(self) -> bool:
        """Whether it names more than one node."""
        return len(self.nodes) > 1

    def members(self) -> Iterator[Member]:
        """Each node, sorted by name. The nonce of a batch's member is the batch's and its own name."""
        for node in sorted(self.nodes):
            yield Member(node, self.nodes[node], f"{self.nonce}/{node}" if self.is_batch else self.nonce)


def new_request(
    site: str, action: str, nodes: Mapping[str, str], reason: str, now: datetime, *, nonce: str = "", otp: str = ""
) -> ActionRequest:
    """A request as of now, good for as long as one may be, with a nonce of 144 random bits unless one is given.

    Raises RequestError.
    """
    issued_at = now.astimezone(UTC).replace(microsecond=0)
    nonce = nonce or new_nonce()
    request = ActionRequest(site, action, dict(nodes), reason, nonce, issued_at, issued_at + LONGEST, otp)
    _check(request)
    return request


def new_nonce() -> str:
    """144 random bits, of which nobody has the same twice."""
    return secrets.token_urlsafe(18)


def signed_text(request: ActionRequest) -> str:
    """The text that a proof signs, on one line without an end of line."""
    return canonical(_document(request))


def parse_request(text: str) -> ActionRequest:
    """The request in a signed text. Raises RequestError, also for a text that is not the canonical one."""
    if len(text) > MAX_TEXT:
        raise RequestError(f"the request has more than {MAX_TEXT} characters; ask for fewer nodes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the request is not JSON: {error}") from None
    request = _read(document)
    _check(request)
    if signed_text(request) != text:
        raise RequestError("the request is not canonical: sort its names, leave out spaces, and write ASCII only")
    return request


def check_times(request: ActionRequest, now: datetime) -> None:
    """Raises RequestError unless the request is good at this time."""
    if request.issued_at > now + SKEW:
        raise RequestError(
            f"the request was issued at {_time(request.issued_at)}, which is to come: set the clock right"
        )
    if request.expires_at <= now:
        raise RequestError(f"the request expired at {_time(request.expires_at)}: ask again")


def digest(request: ActionRequest) -> str:
    """What two presses of one button have in common, as SHA-256: all but the nonce, the code and the times."""
    wanted = {name: value for name, value in _document(request).items() if name in _WANTED}
    return hashlib.sha256(canonical(wanted).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted names, no spaces and nothing but ASCII. Raises ValueError for what JSON cannot carry."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


_WANTED = ("site", "action", "nodes", "reason")
_NAMES = frozenset({*_WANTED, "nonce", "issued_at", "expires_at"})


def _document(request: ActionRequest) -> dict[str, Any]:
    document = {name: getattr(request, name) for name in _NAMES}
    document.update(nodes=dict(request.nodes), issued_at=_time(request.issued_at))
    document.update(expires_at=_time(request.expires_at), **({"otp": request.otp} if request.otp else {}))
    return document


def _read(document: Any) -> ActionRequest:
    if not isinstance(document, dict):
        raise RequestError("the request must be a JSON object")
    names = set(document)
    if odd := sorted((names - _NAMES - {"otp"}) | (_NAMES - names)):
        raise RequestError(f'the request must have the members {", ".join(sorted(_NAMES))}: look at "{odd[0][:60]}"')
    for name in names - {"nodes"}:
        if not isinstance(document[name], str):
            raise RequestError(f"{name} must be a text")
    times = {name: _moment(name, document[name]) for name in ("issued_at", "expires_at")}
    return ActionRequest(**{**document, **times})


def _check(request: ActionRequest) -> None:
    for name, (shape, words) in _SHAPES.items():
        value = getattr(request, name)
        if not shape.fullmatch(value) and (value or name != "otp"):
            raise RequestError(f"{name} must be {words}")
    _check_nodes(request)
    if len(request.reason) > MAX_REASON or not (request.reason.isprintable()):
        raise RequestError(f"the reason must be at most {MAX_REASON} printable characters on one line")
    if not timedelta(0) < request.expires_at - request.issued_at <= LONGEST:
        raise RequestError(f"a request must expire within {LONGEST.seconds} s of its issue")


def _check_nodes(request: ActionRequest) -> None:
    nodes = request.nodes
    if not isinstance(nodes, Mapping):
        raise RequestError("nodes must be an object that gives each node its evidence")
    if bool(nodes) is (request.action in WITHOUT_NODES) or len(nodes) > MAX_NODES:
        none = f"{request.action} concerns no node: leave nodes empty"
        raise RequestError(none if request.action in WITHOUT_NODES else f"name 1 to {MAX_NODES} nodes in one request")
    for node, evidence in nodes.items():
        if not _NODE.fullmatch(node):
            raise RequestError('a node has a plain name: letters, digits, ".", "-" and "_"')
        if not (isinstance(evidence, str) and _EVIDENCE.fullmatch(evidence)):
            raise RequestError(f"the evidence of {node} must be 8 to 64 hexadecimal digits")


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(name: str, text: str) -> datetime:
    try:
        if _TIME.fullmatch(text):
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:  # a 31st of February
        pass
    raise RequestError(f'{name} must be a time in UTC such as "2026-11-26T10:04:00Z"')
