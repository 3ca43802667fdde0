"""What came of one command to a BMC."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """The BMC has the command. A completion code of 0 is yes (IPMI v2.0 rev. 1.1, table 5-2); `guid` says which BMC."""

    code: int
    guid: str | None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The command has not left this machine: `why` for programs, `words` for a person."""

    why: str
    words: str
    guid: str | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The command was sent once and may have been done. It is not sent again."""

    words: str
    guid: str | None = None


Outcome = Answered | NotSent | NoAnswer
