"""Acting: asked for with a proof, followed to its end, agreed to, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botd.access.requests import WITHOUT_NODES, ActionRequest, RequestError, new_request
from botd.client import person
from botd.client.asking import Asking, said, told
from botd.client.forms import Fields, Listing, cell, write_listing
from botd.client.proofs import Proving
from botd.client.server import Server
from botd.client.shapes import Row, pages, part_of, rows_of, text_of, texts_of
from botd.client.trouble import Refused, Strange, Trouble, Unusable

SUCCEEDED, FAILED, REFUSED, UNKNOWN, AWAITING = 0, 1, 2, 3, 4
"""The exit statuses of `bofhbot do`."""

ENDS = {
    "succeeded": SUCCEEDED,
    "would-have": SUCCEEDED,
    "failed": FAILED,
    "refused": REFUSED,
    "expired": REFUSED,
    "vetoed": REFUSED,
    "unknown": UNKNOWN,
    "awaiting": AWAITING,
}
"""The states in which nothing is waited for any more."""

GOES_ON = frozenset(
    ("requested", "queued", "approved", "reserved", "announced", "re-read", "sending", "sent", "verifying")
)
"""And those that are waited in. botd may be newer and have more: who does not know how long to wait, does not."""

WORST = (UNKNOWN, FAILED, REFUSED, AWAITING, SUCCEEDED)

POLL_S = 1.0
CALM_S = 5.0
"""An action is looked at every POLL_S at first, and after some minutes every CALM_S. To hear each move as it comes, one
would hold one of botd's few streams."""

FOLLOWED_S = 3600.0
PATIENCE = 5
"""How often in a row botd may fail to answer while an action is followed, or the same request is sent."""


class Lost(Trouble):
    """Raised when a request may have been taken up, or not, or nobody says how it ended."""

    exit_status = UNKNOWN


ACTION = Fields(
    ("id", "asked_at", "node", "action", "state", "code", "login", "reason", "words"),
    ("nonce", "batch", "weight", "evidence", "proof", "dry", "changed_at", "sent_at", "certain", "seen_by", "moves"),
)


def do(run: Asking) -> int:
    """Asks for an action, and follows it to its end; the exit status says how it ended."""
    server, args, proving = run.server, run.args, proving_of(run)
    wanted = dict(_looked_at(server, args.nodes))
    request = _request(proving, args.action, wanted, args.reason)
    document = _pressed(server, request, proving)
    for would_have in texts_of(document, "would_have"):
        told(f"dry run: {would_have}")
    ids = [row["id"] for row in rows_of(document, "actions") if isinstance(row.get("id"), int)]
    if not ids:
        raise Strange("the answer names no action")
    begun_at = time.monotonic()
    rows = [_seen(server, number) if args.no_wait else _over(server, number, begun_at) for number in ids]
    write_listing(Listing(ACTION, rows), run.form)
    statuses = {ENDS.get(text_of(row, "state"), SUCCEEDED if args.no_wait else UNKNOWN) for row in rows}
    return next(status for status in WORST if status in statuses)


def approve(run: Asking) -> int:
    """Agrees to what another person asked for, with a proof over the same request."""
    server, proving = run.server, proving_of(run)
    path = f"/api/v2/actions/{run.args.id}"
    action = server.get(path)
    _say_action(action)
    wanted = {text_of(action, "node"): text_of(action, "evidence")}
    request = _request(proving, text_of(action, "action"), wanted, text_of(action, "reason"))
    _proved(lambda given: server.send("POST", f"{path}/approve", given), request, proving)
    return 0


def veto(run: Asking) -> int:
    """Says no to what waits for a second person."""
    run.server.send("POST", f"/api/v2/actions/{run.args.id}/veto")
    return 0


def stop(run: Asking) -> int:
    """Stops one action that was not sent yet, or with it its batch, or all of them and all to come."""
    if run.args.id is None and run.args.batch:
        raise Unusable("--batch takes the ID of one of them")
    if run.args.id is None:
        run.server.send("POST", "/api/v2/stop", {"reason": run.args.reason})
        told("nothing is sent any more; bofhbot go-on ends that")
    else:
        run.server.send("POST", f"/api/v2/actions/{run.args.id}/stop", {"batch": True} if run.args.batch else None)
    return 0


def harm(run: Asking) -> int:
    """Says that an action did harm, or that what came after it was not its doing."""
    body = {"harm": not run.args.not_it, "reason": run.args.reason}
    run.server.send("POST", f"/api/v2/actions/{run.args.id}/harm", body)
    return 0


def go_on(run: Asking) -> int:
    """Ends a stop, with a reason and a proof."""
    server, proving = run.server, proving_of(run)
    request = _request(proving, WITHOUT_NODES[0], {}, run.args.reason)
    body = {"reason": request.reason}
    _proved(lambda given: server.send("DELETE", "/api/v2/stop", {**body, **given}), request, proving)
    return 0


def actions(run: Asking) -> int:
    """What was asked for, newest first."""
    query = {"node": run.args.nodes, "state": run.args.state, "since": run.args.since}
    rows = list(pages(run.server, "/api/v2/actions", query, "actions", run.args.limit))
    write_listing(Listing(ACTION, rows, "no action was asked for"), run.form)
    return 0


def proving_of(run: Asking) -> Proving:
    """How the words say that somebody vouches."""
    args, site = run.args, run.server.site
    signs = "ssh" if args.ssh else "munge" if args.munge else ""
    return Proving(site, signs, types=args.otp, login=args.login or person.own_login())


def _looked_at(server: Server, nodes: str) -> Iterator[tuple[str, str]]:
    """Each node with the evidence of what it is now, which is told to the person first."""
    found = rows_of(server.get("/api/v1/status", {"nodes": nodes, "wait": 0}), "nodes")
    seen: Mapping[str, Any] = {}
    if any(node.get("recommendation") is None for node in found):  # of one that is well
        seen = part_of(server.get("/api/v2/policy", {"nodes": nodes}), "outlook")
    for node in found:
        name, advice, slurm = text_of(node, "node"), part_of(node, "recommendation"), part_of(node, "slurm")
        why = f"{text_of(advice, 'title')}; {text_of(advice, 'explanation')}" if advice else "it is well"
        said(f"{name} is {text_of(slurm, 'state') or 'not in Slurm'}: {why}")
        yield name, text_of(advice or part_of(seen, name), "evidence")


def _request(proving: Proving, action: str, nodes: Mapping[str, str], reason: str) -> ActionRequest:
    """The request, which is the same however often it is sent. Raises Unusable."""
    try:
        return new_request(proving.cluster, action, nodes, reason, datetime.now(UTC), otp=proving.code())
    except RequestError as error:
        raise Unusable(str(error)) from error


def _pressed(server: Server, request: ActionRequest, proving: Proving) -> Any:
    """botd's answer to the request. Raises Refused; Lost where nobody knows whether it was taken up."""
    body = {"action": request.action, "nodes": dict(request.nodes), "reason": request.reason, "nonce": request.nonce}
    try:
        return _proved(lambda given: _sent(server, {**body, **given}), request, proving)
    except Refused as error:
        error.exit_status = REFUSED  # also where it is a 503: a clock that is not trusted, a full ledger
        raise


def _proved(send: Callable[[Mapping[str, Any]], Any], request: ActionRequest, proving: Proving) -> Any:
    """What is sent with its proof: with none first where none was asked for, and a code where botd wants one."""
    try:
        return send(proving.sent_with(request))
    except Refused as error:
        if error.code != "proof-required" or proving.signs or proving.types:
            raise
    return send({"proof": {"otp": person.asked("code of the moment")}})


def _sent(server: Server, body: Mapping[str, Any]) -> Any:
    """The same request until somebody answers: its nonce makes it one. Raises Lost when nobody does."""
    lost = "nobody knows whether it was taken up: see bofhbot actions"
    return _patiently(lambda: server.send("POST", "/api/v2/actions", body), ("agent-silent",), lost)


def _seen(server: Server, number: int) -> Row:
    """An action as it is now. Raises Lost when nobody says."""
    passing = ("unknown-action", "agent-silent", "store-unavailable", "too-many")  # it was asked for just now
    lost = "what was asked for goes on: see bofhbot actions"
    found: Row = _patiently(lambda: server.get(f"/api/v2/actions/{number}"), passing, lost)
    return found


def _patiently(ask: Callable[[], Any], passing: Collection[str], lost: str) -> Any:
    """The answer, asked for again while nobody answers, or what passes. Raises Refused, and Lost in the end."""
    last: Trouble | None = None
    for attempt in range(PATIENCE):
        time.sleep(POLL_S if attempt else 0)
        try:
            return ask()
        except Trouble as error:
            if isinstance(error, Refused) and error.code not in passing:
                raise
            last = error
    raise Lost(f"{last}; {lost}") from last


def _over(server: Server, number: int, begun_at: float) -> Row:
    """An action as it ended, or awaits somebody, or came to what is not known here. Raises Lost after an hour."""
    shown = ""
    while True:
        action = _seen(server, number)
        node, state = text_of(action, "node"), text_of(action, "state")
        if state != shown:
            said(f"{node}: {state}")
        if state not in GOES_ON:
            if state not in ENDS:
                told(f'{node}: this bofhbot does not know what "{state}" is; see bofhbot actions {node}')
            return action
        waited_s = time.monotonic() - begun_at
        if waited_s > FOLLOWED_S:
            raise Lost("it takes longer than an hour, and goes on: see bofhbot actions")
        shown = state
        time.sleep(min(max(POLL_S, waited_s / 60), CALM_S))


def _say_action(action: Row) -> None:
    told_of = ", ".join(f"{name} {cell(action.get(name))}" for name in ("action", "node", "login", "reason"))
    said(f"to be agreed to: {told_of}")
