"""What a web process writes to the agent, before it is sealed, and what the agent tells it of who is logged in.

Kind, nonce and time stand inside, so that who moves sealed letters about in the shared database can make none of them
another one. They are padded: the length of one tells nobody the length of a password.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypedDict, TypeGuard, TypeVar, get_args, get_origin, get_type_hints

from botd.access.tokens import is_token
from botd.errors import StoreDamaged

PEOPLE_KINDS = ("login", "logout", "used", "token", "end")
"""Log in; end what this token is; it is still in use; have a token for scripts; end another session or token."""

ACTION_KINDS = ("act", "approve", "veto", "halt", "seen", "harm", "stop", "go-on", "close-breaker")
"""Do something to nodes; agree to that as a second person, or not; end one action that was not sent yet; say that one
has looked at what may have happened; stop everything; end that; close the breaker."""

TAIL_KINDS = ("tail",)
"""Follow a log of a node."""

KINDS = PEOPLE_KINDS + ACTION_KINDS + TAIL_KINDS

PADDED_TO = 512


class HolderDocument(TypedDict):
    """A session or a token, as the agent tells it: whose, what for, until when. `groups` are those that roles name."""

    id: int
    kind: Literal["session", "token"]
    login: str
    name: str
    scope: Literal["read", "ask"]
    address: str
    made_at: str
    used_at: str
    until: str
    groups: list[str]
    roles: list[str]


class PersonDocument(TypedDict):
    """Somebody whom the ledger or the roles file knows, for who is logged in by a proxy."""

    groups: list[str]
    roles: list[str]


class RolesDocument(TypedDict):
    """The roles file as the agent has it. `faults` says of groups why they are not believed."""

    text: str
    digest: str
    fault: str
    faults: dict[str, str]


Told = TypeVar("Told", HolderDocument, PersonDocument, RolesDocument)


def read_told(shape: type[Told], document: Any) -> Told:
    """What the agent told, as it lies in the shared database. Raises StoreDamaged for what has another shape."""
    hints = get_type_hints(shape)
    is_whole = isinstance(document, dict) and document.keys() == hints.keys()
    if not (is_whole and all(_has_type(document[name], hint) for name, hint in hints.items())):
        raise StoreDamaged("what the agent told the database was altered there; it puts that right within seconds")
    return document  # type: ignore[no-any-return]


def _has_type(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return type(value) is hint


@dataclass(frozen=True)
class Letter:
    """An ask. `token` is who asks, at a login what a new session is to be known by. `at` is seconds since the epoch."""

    kind: str
    nonce: str
    at: float
    token: str
    address: str
    says: Mapping[str, Any] = field(default_factory=dict)


def write_letter(letter: Letter) -> bytes:
    """The letter as bytes, a multiple of 512."""
    text = json.dumps(asdict(letter)).encode()
    return text + b" " * (-len(text) % PADDED_TO)


def read_letter(data: bytes) -> Letter:
    """The letter in these bytes. Raises ValueError, without what stands in it, for one that no botd writes."""
    try:
        letter = Letter(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        raise ValueError("it is no letter") from None
    if not _is_sound(letter):
        raise ValueError("it is no letter")
    return letter


def _is_sound(letter: Letter) -> bool:
    texts = (letter.kind, letter.nonce, letter.token, letter.address)
    is_typed = all(map(_is_text, texts)) and isinstance(letter.says, dict)
    is_timed = isinstance(letter.at, float) and 0 < letter.at < 1e11
    return is_typed and is_timed and letter.kind in KINDS and is_token(letter.token)


def said(letter: Letter, name: str, longest: int = 200) -> str:
    """A text that a letter says. Raises ValueError where it says none, or one that is too long."""
    text = letter.says.get(name, "")
    if not _is_text(text) or len(text) > longest:
        raise ValueError(f"{name} must be a text of at most {longest} characters")
    return text


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether it is a text that a database can have: JSON brings half a surrogate too (RFC 8259, 8.2)."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)
