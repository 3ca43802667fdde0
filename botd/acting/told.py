"""What the agent tells of actions, as it lies in the shared database and as the API gives it: shown, never built upon.

The kinds of copies are `action` (by id, twelve digits), `switches` (one, `now`) and `spend` (by the id of the action).
"""

from __future__ import annotations

from typing import TypedDict

from botd.documents import Time


class MoveDocument(TypedDict):
    """A move of an action from one state to another. `source` is null for the first; `by` is a login, or `agent`."""

    source: str | None
    target: str
    by: str
    code: str
    words: str
    at: Time


class ActionDocument(TypedDict):
    """An action with every move of it. `certain` is null where nothing was sent, or nobody has answered yet.

    `code` and `words` say why it was refused, or how it ended. `seen_by` is who looked at what may have happened.
    """

    id: int
    nonce: str
    batch: str
    action: str
    weight: str
    node: str
    login: str
    reason: str
    evidence: str
    proof: str
    dry: bool
    state: str
    code: str
    words: str
    asked_at: Time
    changed_at: Time
    sent_at: Time | None
    certain: bool | None
    seen_by: str
    moves: list[MoveDocument]


class SwitchesDocument(TypedDict):
    """What everything waits for, each in words and empty where nothing does; `mode` is that of [actions]."""

    mode: str
    stop: str
    breaker: str
    storm: str
    clock: str
    ledger: str
    roles: str


class SpendDocument(TypedDict):
    """An action that was reserved, and so counts against caps: for those of a dry run, or for the real ones."""

    node: str
    action: str
    weight: str
    login: str
    role: str
    incident: str
    free: bool
    sent: bool
    dry: bool
    at: Time
