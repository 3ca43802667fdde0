"""What agent and workers write to each other: JSON that its writer has signed (Ed25519).

The broker carries it and is believed nothing. Celery's own signed messages say whether a known key signed, and not
which: here an answer must be signed by a key of the network that it speaks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

import orjson
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from botd.answers import (
    Answer,
    Delivery,
    EventsAnswer,
    LoginAnswer,
    Output,
    PingAnswer,
    PowerAnswer,
    PowerState,
    PresenceAnswer,
    Source,
    SshState,
)
from botd.errors import BadNodeset
from botd.nodeset import check_name

ORDER, ANSWERS = "order", "answers"
"""The kinds of letters. One is never taken for the other: the kind is signed too."""

LONGEST = 32 * 1024 * 1024
"""Characters of a letter."""

_TYPES: dict[Source, type] = {
    Source.PING: PingAnswer,
    Source.LOGIN: LoginAnswer,
    Source.COMMAND: Output,
    Source.PRESENCE: PresenceAnswer,
    Source.POWER: PowerAnswer,
    Source.EVENTS: EventsAnswer,
}
"""What a worker can answer."""

T = TypeVar("T")

_TOKEN = re.compile(r"[0-9a-f]{32}")


class BadLetter(ValueError):
    """Raised for a letter that nobody of those who may has signed, or that cannot be read."""


@dataclass(frozen=True)
class Order:
    """What a worker is asked: these checks of these nodes.

    `slice` is a number that was never used before; `places` is where Slurm says that a node is, its NodeAddr and
    NodeHostName, for those where that is not their name. After `until` nobody waits for an answer.
    """

    slice: str
    network: str
    nodes: tuple[str, ...]
    checks: tuple[str, ...]
    places: Mapping[str, tuple[str, str]]
    fresh: bool
    until: datetime


@dataclass(frozen=True)
class Answers:
    """Some of what a worker was told by nodes. The last of a slice `ends` it, and has what was wrong as a whole."""

    slice: str
    worker: str
    deliveries: tuple[Delivery, ...] = ()
    ends: bool = False
    problems: tuple[str, ...] = ()


def public_of(key: SigningKey) -> str:
    """The public half of a key, in hexadecimal."""
    return bytes(key.verify_key).hex()


def write_order(order: Order, key: SigningKey) -> str:
    """The letter with an order."""
    body = {
        "slice": order.slice,
        "network": order.network,
        "nodes": order.nodes,
        "checks": order.checks,
        "places": order.places,
        "fresh": order.fresh,
        "until": order.until.isoformat(),
    }
    return _signed(ORDER, body, key)


def read_order(letter: object, keys: Collection[str]) -> Order:
    """The order in a letter that one of these keys has signed. Raises BadLetter."""
    body = _opened(ORDER, letter, keys)
    try:
        return Order(
            _token(body["slice"]),
            _as(str, body["network"]),
            tuple(check_name(_as(str, node)) for node in _as(list, body["nodes"])),
            tuple(_as(str, check) for check in _as(list, body["checks"])),
            {check_name(node): _pair(place) for node, place in _as(dict, body["places"]).items()},
            _as(bool, body["fresh"]),
            datetime.fromisoformat(_as(str, body["until"])),
        )
    except (BadNodeset, LookupError, ValueError, TypeError) as error:
        raise BadLetter(f"the order cannot be read: {type(error).__name__}") from None


def write_answers(answers: Answers, key: SigningKey) -> str:
    """The letter with answers."""
    body = {
        "slice": answers.slice,
        "worker": answers.worker,
        "answers": [_row(delivery) for delivery in answers.deliveries],
        "ends": answers.ends,
        "problems": answers.problems,
    }
    return _signed(ANSWERS, body, key)


def slice_of(letter: object) -> str:
    """The slice that a letter says it answers, before anybody has looked who signed it. Raises BadLetter."""
    try:
        return _token(orjson.loads(_as(str, _envelope(letter)["body"]))["slice"])
    except (LookupError, ValueError, TypeError):
        raise BadLetter("it names no slice") from None


def read_answers(letter: object, keys: Collection[str]) -> Answers:
    """The answers in a letter that one of these keys has signed. Raises BadLetter."""
    body = _opened(ANSWERS, letter, keys)
    try:
        return Answers(
            _token(body["slice"]),
            _as(str, body["worker"]),
            tuple(_delivery(row) for row in _as(list, body["answers"])),
            _as(bool, body["ends"]),
            tuple(_as(str, problem) for problem in _as(list, body["problems"])),
        )
    except (BadNodeset, LookupError, ValueError, TypeError) as error:
        raise BadLetter(f"the answers cannot be read: {type(error).__name__}") from None


# ---- signatures ----


def _signed(kind: str, body: Mapping[str, Any], key: SigningKey) -> str:
    text = orjson.dumps(body).decode()
    signature = key.sign(_to_sign(kind, text)).signature.hex()
    return orjson.dumps({"key": public_of(key), "signature": signature, "body": text}).decode()


def _opened(kind: str, letter: object, keys: Collection[str]) -> dict[str, Any]:
    envelope = _envelope(letter)
    try:
        key, text = _as(str, envelope["key"]), _as(str, envelope["body"])
        if key not in keys:
            raise BadLetter(f"it is signed by the key {key[:64]!r}, which may not sign it")
        VerifyKey(bytes.fromhex(key)).verify(_to_sign(kind, text), bytes.fromhex(_as(str, envelope["signature"])))
        return dict(_as(dict, orjson.loads(text)))
    except BadLetter:
        raise
    except (BadSignatureError, LookupError, ValueError, TypeError) as error:
        raise BadLetter(f"its signature is not good: {type(error).__name__}") from None


def _envelope(letter: object) -> dict[str, Any]:
    if not isinstance(letter, str) or len(letter) > LONGEST:
        raise BadLetter("it is no letter")
    try:
        return dict(_as(dict, orjson.loads(letter)))
    except (ValueError, TypeError):
        raise BadLetter("it is no letter") from None


def _to_sign(kind: str, text: str) -> bytes:
    return f"botd {kind}\n{text}".encode()


# ---- values ----


def _row(delivery: Delivery) -> list[Any]:
    """A delivery as JSON has it: node, source, check, seconds, and the fields of the answer in their order."""
    answer = delivery.answer
    values = [_plain(getattr(answer, field.name)) for field in fields(answer)]
    return [delivery.node, delivery.source, delivery.check, delivery.took_s, values]


def _plain(value: Any) -> Any:
    return [record.hex() for record in value] if isinstance(value, tuple) else value


def _delivery(row: Any) -> Delivery:
    node, source, check, took_s, values = _as(list, row)
    kind = Source(source)
    return Delivery(check_name(_as(str, node)), kind, _answer(kind, values), _number(took_s), _as(str, check))


def _answer(source: Source, values: Any) -> Answer:
    cls = _TYPES[source]
    return cls(*_typed(cls, _as(list, values)))  # type: ignore[no-any-return]


def _typed(cls: type, values: list[Any]) -> Iterator[Any]:
    """The values in the types that the fields of an answer have. Raises ValueError."""
    for field, value in zip(fields(cls), values, strict=True):
        yield _READERS[str(field.type)](value)


def _as(cls: type[T], value: Any) -> T:
    """The value, which is of exactly this type. Raises ValueError."""
    if type(value) is not cls:
        raise ValueError(f"not {cls.__name__}")
    return value


def _number(value: Any) -> float | None:
    return None if value is None else float(_as(float, value) if isinstance(value, float) else _as(int, value))


def _pair(value: Any) -> tuple[str, str]:
    address, hostname = _as(list, value)
    return _as(str, address), _as(str, hostname)


def _token(value: Any) -> str:
    if not _TOKEN.fullmatch(_as(str, value)):
        raise ValueError("no slice")
    return str(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "str": lambda value: _as(str, value),
    "bool": lambda value: _as(bool, value),
    "int": lambda value: _as(int, value),
    "int | None": lambda value: None if value is None else _as(int, value),
    "float | None": _number,
    "SshState": SshState,
    "PowerState": PowerState,
    "tuple[bytes, ...]": lambda value: tuple(bytes.fromhex(_as(str, record)) for record in _as(list, value)),
}
"""How each type of a field is read."""
