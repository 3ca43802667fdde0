"""Logs of nodes, followed for who has the right `tail`: lines go from the node through the store to a web process.

A log is one that `[tail]` names. What is asked for comes sealed, as all that the agent is asked to do; lines go back
through the store as they are, since whoever can read that could read the answer too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botd.access.judge import rights_of
from botd.access.letters import Letter, said
from botd.agent.actions.kit import Kit
from botd.agent.node_list import NodeList
from botd.agent.people.holders import Holder
from botd.audit import Event
from botd.errors import Elsewhere, LoginRequired, NotAllowed, StoreUnavailable, TooMany, UnknownLog, UnknownNode
from botd.inventory.networks import network_of, networks_of
from botd.model import Clock, SlurmNode
from botd.store import Store
from botd.text import log_line
from botd.transport.ssh.follow import LONGEST_S, Take, command_of

log = logging.getLogger(__name__)

TAIL = "tail"
"""The right, and the kind of letter."""

AT_ONCE = 4

MOST_PER_S = 200
"""Lines of one log that go on; of more at once the last ones do."""

LOOK_S = 1.0
"""How often is looked whether somebody still reads."""

LONGEST_PIECE = 65_536
"""Bytes without an end of line that are waited for."""

Follow = Callable[[str, Mapping[str, SlurmNode], str, Take], str]
"""Has a node run a command that has no end: `Probes.follow`."""


class Tails:
    """The logs that are followed now. Used from any thread."""

    def __init__(self, kit: Kit, store: Store, nodes: NodeList, follow: Follow) -> None:
        self._kit = kit
        self._networks = networks_of(kit.config)
        self._store = store
        self._nodes = nodes
        self._follow = follow
        self._lock = threading.Lock()
        self._under_way = 0
        self._stop = threading.Event()

    def answer(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """The number under which the lines of a log come from now on. Raises BotdError, ValueError."""
        if holder is None:
            raise LoginRequired("that session or token is over; log in again")
        self._check(holder.login)
        node, name = said(letter, "node", 253), said(letter, "log", 32)
        command = self._command(node, name)
        if not self._begin():
            raise TooMany(f"{AT_ONCE} logs are followed already; try again when somebody has ended one")
        try:
            self._record(holder.login, node, name)
            number = self._store.tails.begin(node, name, self._kit.clock())
            args = (number, node, command)
            threading.Thread(target=self._run, args=args, name=f"tail {node}", daemon=True).start()
        except BaseException:
            self._over()
            raise
        return {"tail": number}

    def close(self) -> None:
        """Ends all, and waits a moment for that."""
        self._stop.set()
        until = time.monotonic() + 2.0
        while self._under_way and time.monotonic() < until:
            time.sleep(0.05)

    def _check(self, login: str) -> None:
        """Raises NotAllowed unless they have the right by a roles file that is whole."""
        state = self._kit.roles()
        if state.fault:
            raise NotAllowed(f"the right `{TAIL}` counts for nothing now: {state.fault}")
        if TAIL not in rights_of(state.roles, self._kit.people.person(login)):
            raise NotAllowed(f"that takes the right `{TAIL}`, which no role of yours has")

    def _command(self, node: str, name: str) -> str:
        """What shows this log. Raises UnknownNode, Elsewhere, UnknownLog."""
        if not self._nodes.inventory.is_known(node):
            raise UnknownNode(f'there is no node "{node[:60]}"; give its whole name')
        if network := network_of(self._networks, node, "ssh"):
            raise Elsewhere(f"{node} is reached by a worker of {network.name} alone, and workers follow no logs")
        where = self._kit.config.tail.get(name)
        if where is None:
            raise UnknownLog(f'the [tail] of the agent names no log "{name}"')
        return command_of(where, node)

    def _record(self, login: str, node: str, name: str) -> None:
        with self._kit.ledger.write() as db:
            self._kit.ledger.chain.add(db, Event("tailed", login, node, name), self._kit.clock())

    def _begin(self) -> bool:
        with self._lock:
            has_room = self._under_way < AT_ONCE
            self._under_way += has_room
            return has_room

    def _over(self) -> None:
        with self._lock:
            self._under_way -= 1

    def _run(self, number: int, node: str, command: str) -> None:
        """One log from its begin to its end, in its own thread."""
        pump = Pump(self._store, number, self._kit.clock, self._stop)
        try:
            why = self._follow(node, self._nodes.inventory.nodes, command, pump.take) or pump.why
        except Exception:  # who reads must hear of the end, and the fault must be seen
            log.exception("log not followed node=%s", node)
            why = "botd failed; see the log of the agent"
        self._over()
        try:
            self._store.tails.end(number, why)
        except StoreUnavailable as error:
            log.error("the end of a log is not written error=%s", error)


class Pump:
    """Puts the lines of one log into the store. `why` is why it wants no more, empty while it does."""

    def __init__(
        self,
        store: Store,
        number: int,
        clock: Clock,
        stop: threading.Event,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.why = ""
        self._store = store
        self._number = number
        self._clock = clock
        self._stop = stop
        self._now_s = now_s
        self._until_s = now_s() + LONGEST_S
        self._look_s = self._filled_s = now_s()
        self._room = float(MOST_PER_S)
        self._rest = b""
        self._left_out = 0

    def take(self, data: bytes) -> bool:
        """Takes what the command printed. Whether more is wanted."""
        try:
            self._put(self._lines(data))
            self.why = self._why_no_more()
        except StoreUnavailable as error:
            self.why = str(error)
        return not self.why

    def _lines(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_PIECE:
            whole, self._rest = [*whole, self._rest], b""
        return [log_line(line.decode("utf-8", "replace")) for line in whole]

    def _put(self, lines: list[str]) -> None:
        """Puts the last of the lines into the store, as many as may go on now."""
        now_s = self._now_s()
        self._room = min(float(MOST_PER_S), self._room + (now_s - self._filled_s) * MOST_PER_S)
        self._filled_s = now_s
        kept = lines[max(0, len(lines) - int(self._room)) :] if self._room >= 1 else []
        self._left_out += len(lines) - len(kept)
        if not kept:
            return
        self._room -= len(kept)
        if self._store.tails.add(self._number, kept, self._left_out):
            self._left_out = 0
        else:
            self._left_out += len(kept)

    def _why_no_more(self) -> str:
        now_s = self._now_s()
        if self._stop.is_set():
            return "the agent ends"
        if now_s > self._until_s:
            return f"{LONGEST_S // 60} minutes are over; ask again"
        if now_s < self._look_s:
            return ""
        self._look_s = now_s + LOOK_S
        return "" if self._store.tails.is_read(self._number, self._clock()) else "nobody reads it any more"
