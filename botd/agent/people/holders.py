"""A session or a token of the ledger, as the desk hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose it is and what for. Times are as they stand in an answer; `used_at` is as old as what `until` is worked out
    from: a session that is not used ends sooner.
    """

    id: int
    kind: Literal["session", "token"]
    login: str
    name: str
    scope: Literal["read", "ask"]
    address: str
    made_at: str
    used_at: str
    until: str
