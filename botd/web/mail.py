"""What this process asks of the agent: sealed to its public key, put into the store, and answered there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from nacl.public import PublicKey, SealedBox

from botd.access.letters import Letter, write_letter
from botd.config import resolve_path
from botd.documents import iso
from botd.errors import AgentSilent, BotdError, LoginRequired
from botd.store import ALIVE_S
from botd.web.here import board, config, store

PATIENCE_S = 10.0
"""Until the agent must have answered: it looks at two passwords in a second, and at most 64 asks wait."""

_POLL_S = 0.05


def _with_those_below(cls: type[BotdError]) -> Iterator[type[BotdError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _with_those_below(child)


_REFUSALS = {cls.code: cls for cls in _with_those_below(BotdError)}
"""What the agent refuses with, by its code."""


def ask(
    kind: str, token: str, address: str, says: Mapping[str, Any] | None = None, *, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """The agent's answer. Raises what it refuses with, AgentSilent where it does not answer, or StoreUnavailable."""
    nonce = secrets.token_urlsafe(24)
    send(kind, nonce, token, address, says)
    until = time.monotonic() + patience_s
    while (answer := store().asks.answer_to(nonce)) is None:
        if time.monotonic() >= until:
            raise AgentSilent("the agent has not answered; see whether it runs, and send the same again")
        time.sleep(_POLL_S)
    return _taken(answer)


def send(kind: str, nonce: str, token: str, address: str, says: Mapping[str, Any] | None = None) -> None:
    """Puts an ask where the agent finds it, and does not wait. Raises AgentSilent where there is no agent to ask."""
    if not token:
        raise LoginRequired("the proxy's word is enough to read, and not for this: log in at /login")
    now = board().now()
    beat_at = store().pulse().agent_beat_at
    if beat_at is None or (now - beat_at).total_seconds() > ALIVE_S:
        raise AgentSilent(
            f"the agent does not run (last seen: {iso(beat_at) or 'never'}), and it alone knows who is who"
        )
    letter = Letter(kind, nonce, now.timestamp(), token, address, dict(says or {}))
    store().asks.put(nonce, kind, SealedBox(_public_key()).encrypt(write_letter(letter)), now)


def _taken(answer: Any) -> dict[str, Any]:
    if isinstance(answer, dict) and answer.get("ok") is True:
        return answer
    known = answer if isinstance(answer, dict) else {}
    words = str(known.get("words", "the agent failed; its log says how"))
    refusal = _REFUSALS.get(str(known.get("code")), BotdError)
    raise refusal.__new__(refusal, words)  # the words are whole, and no argument from which others are made


def _public_key() -> PublicKey:
    """The agent's key of this moment: it may have another one since. Raises AgentSilent where there is none."""
    path = resolve_path(config(), config().ledger.public_key)
    try:
        return PublicKey(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except (OSError, ValueError, TypeError) as error:
        raise AgentSilent(f"the agent's public key in {path} cannot be read, so nothing can be sealed to it") from error
