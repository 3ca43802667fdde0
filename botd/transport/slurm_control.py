"""Asks `libexec/slurm-helper`, which may change one node of Slurm where botd may not. One request, sent once.

Slurm compares nothing before it overwrites. So `show` comes first, and each change carries the stamp that it gave: what
somebody else has changed since is refused. A request that was sent and has no answer is Unknown, and is not sent again.
"""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botd.config import command_words
from botd.settings import ActionsSettings
from botd.text import one_line
from botd.transport.local import CommandMissing, LocalCommandError, run_command

SOCKET = "unix:"
REQUEST = "{request}"
LONGEST_ANSWER = 65_536

NOT_SET = "no [actions] slurm is configured"

_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
"""A request on one line of ASCII. What may stand in it is the helper's to judge."""


@dataclass(frozen=True, slots=True)
class SlurmNow:
    """What Slurm has on one node: its state as sinfo(1) writes it with %T, and the reason, as it is, with its time."""

    state: str
    reason: str | None = None
    by: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What `show` saw, and the stamp that a change of exactly that carries."""

    now: SlurmNow
    stamp: str


@dataclass(frozen=True, slots=True)
class Done:
    """scontrol ended well. `after` is None where Slurm could not be read any more."""

    before: SlurmNow
    after: SlurmNow | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed: `why` is the helper's code or `not-sent`, `words` is for a person."""

    why: str
    words: str
    now: SlurmNow | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been done: Slurm did not answer in time, or nobody did. Read Slurm; do not ask again."""

    words: str
    before: SlurmNow | None = None
    after: SlurmNow | None = None


class SlurmControl:
    """The way to the helper that `[actions] slurm` names."""

    def __init__(self, settings: ActionsSettings) -> None:
        self._way = settings.slurm
        self._timeout_s = settings.slurm_timeout

    def show(self, node: str) -> Shown | Refused:
        """What Slurm has on the node. What is not answered changed nothing, and so is refused too."""
        answer = self._ask(f"show {node}", node)
        if isinstance(answer, Done):
            return Refused("no-answer", "the helper for Slurm answered another question")
        return Refused("no-answer", answer.words) if isinstance(answer, Unknown) else answer

    def drain(self, node: str, stamp: str, reason: str) -> Done | Refused | Unknown:
        """Drains a node that is not drained, with a reason `botd: <action> <id> by <user>`."""
        return self._change(f"drain {node} {stamp} {reason}", node)

    def undrain(self, node: str, stamp: str) -> Done | Refused | Unknown:
        """Takes the drain from a node; one that is down besides stays down."""
        return self._change(f"undrain {node} {stamp}", node)

    def resume(self, node: str, stamp: str) -> Done | Refused | Unknown:
        """Takes a node back that is drained or down."""
        return self._change(f"resume {node} {stamp}", node)

    def _change(self, request: str, node: str) -> Done | Refused | Unknown:
        answer = self._ask(request, node)
        return Unknown("the helper for Slurm answered another question") if isinstance(answer, Shown) else answer

    def _ask(self, request: str, node: str) -> Shown | Done | Refused | Unknown:
        if not self._way:
            return Refused("not-sent", NOT_SET)
        if not _PLAIN.fullmatch(request):
            return Refused("not-sent", "the request is not one line of plain ASCII")
        way = _over_socket if self._way.startswith(SOCKET) else _by_command
        try:
            return read_answer(way(self._way, request, self._timeout_s), node)
        except _NotSent as error:
            return Refused("not-sent", one_line(str(error)))
        except _NoAnswer as error:
            return Unknown(one_line(str(error)))


def read_answer(output: bytes, node: str) -> Shown | Done | Refused | Unknown:
    """What the helper's line says of this node. What is no such line is Unknown: it may have been done."""
    # {"answer": "done", "node": "n0012.savio2", "before": {...}, "words": "", "after": {"state": "drained", ...}}
    try:
        found = json.loads(output)
        if found["answer"] == "refused":
            return Refused(_text(found["code"]), one_line(_text(found["words"])), _now(found["now"]))
        if found["node"] != node:
            return Unknown("the helper for Slurm answered for another node")
        return _of_node(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = one_line(output.decode(errors="replace"), 120)
        return Unknown(f"the helper for Slurm answered what cannot be read: {said or 'nothing'}")


def _of_node(found: dict[str, Any]) -> Shown | Done | Unknown:
    if found["answer"] == "shown":
        return Shown(_there(found["now"]), _text(found["stamp"]))
    before, after = _there(found["before"]), _now(found["after"])
    if found["answer"] == "done":
        return Done(before, after)
    return Unknown(one_line(_text(found["words"])), before, after)


def _now(found: dict[str, Any] | None) -> SlurmNow | None:
    return None if found is None else _there(found)


def _there(found: dict[str, Any]) -> SlurmNow:
    reason, by, at = (None if found[key] is None else _text(found[key]) for key in ("reason", "by", "at"))
    moment = at and datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return SlurmNow(_text(found["state"]), reason, by, moment or None)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


# ---- the ways ----


class _NotSent(Exception):
    """The request has reached nobody."""


class _NoAnswer(Exception):
    """The request may have been read, and no answer came."""


def _by_command(way: str, request: str, timeout_s: float) -> bytes:
    """What a command prints that has the request as an argument where it says so, else on its standard input."""
    words = command_words(way)
    line = b"" if REQUEST in words else request.encode() + b"\n"
    words = [request if word == REQUEST else word for word in words]
    try:
        done = run_command(words, timeout_s=timeout_s, stdin=line, max_output=LONGEST_ANSWER)
    except CommandMissing as error:
        raise _NotSent(str(error)) from None
    except LocalCommandError as error:
        raise _NoAnswer(str(error)) from None
    if not done.stdout:
        said = one_line(done.stderr.decode(errors="replace"), 120)
        raise _NoAnswer(f"{words[0]} ended with status {done.status} and no answer: {said or 'it said nothing'}")
    return done.stdout


def _over_socket(way: str, request: str, timeout_s: float) -> bytes:
    """What is answered on a unix socket, up to its end."""
    until = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(way.removeprefix(SOCKET))
        except OSError as error:
            raise _NotSent(f"{way}: {error.strerror or error}") from None
        try:
            sock.sendall(request.encode() + b"\n")
            return _read_all(sock, until)
        except OSError as error:
            raise _NoAnswer(f"{way}: {error.strerror or error}") from None


def _read_all(sock: socket.socket, until: float) -> bytes:
    answer = b""
    while len(answer) <= LONGEST_ANSWER:
        sock.settimeout(max(0.001, until - time.monotonic()))
        data = sock.recv(LONGEST_ANSWER)
        if not data:
            break
        answer += data
    return answer
