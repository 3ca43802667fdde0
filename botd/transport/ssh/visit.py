"""One node's part of a run: its answers, each delivered exactly once, and the clock that it is under.

A visit goes from step to step, and ends when the step that it is in takes too long. The threads that make it
wait without limits of their own and are woken by what they wait for being closed.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Sequence

from botd.answers import Deliver, Delivery, LoginAnswer, Output, Source, SshState
from botd.transport.ssh.script import Fragment


class Over(Exception):
    """Raised in a visit's thread when the visit has ended meanwhile."""


class Visit:
    """One node's part of a run. Methods may be called from any thread.

    `direct` says whether botd connects to the address itself, and not a jump node. The connect loop keeps
    `sock`, `connected` and `has_place`; `heard_s` is when the node last gave a sign of life, by the monotonic
    clock, and `longest_silence_s` the longest time between two of them.
    """

    def __init__(
        self, node: str, address: str, port: int, fragments: Sequence[Fragment], deliver: Deliver, *, direct: bool
    ) -> None:
        self.node = node
        self.address = address
        self.port = port
        self.direct = direct
        self.fragments = tuple(fragments)
        self.sock: socket.socket | None = None
        self.connected = False
        self.has_place = False
        self.done = False
        self.heard_s = 0.0
        self.longest_silence_s = 0.0
        self._deliver = deliver
        self._lock = threading.RLock()
        self._missing = {part.name for part in self.fragments}
        self._up = False
        self._in_time = True
        self._begun = False
        self._late = LoginAnswer(SshState.TIMEOUT)
        self._closer: Callable[[], None] | None = None
        self._late_call: Callable[[], None] | None = None
        self._started_s = self._sent_s = self._step_s = self._late_s = self._deadline_s = 0.0

    def start(self, deadline_s: float) -> None:
        """Starts the clock: from now on the visit takes at most `deadline_s` seconds."""
        self._started_s = time.monotonic()
        self._deadline_s = self._started_s + deadline_s

    def step(self, state: SshState, late: str, limit_s: float) -> None:
        """Begins a step. If it takes longer than `limit_s`, the login has ended in `state`, and the detail is
        `late` and the time. Raises Over when the visit has ended.
        """
        with self._lock:
            if self.done:
                raise Over
            self.heard()
            self._step_s = self.heard_s
            self._late = LoginAnswer(state, late)
            self._late_s = min(self._step_s + limit_s, self._deadline_s)

    def pause(self) -> None:
        """Stops the clock until `resume`: it is botd that the node waits for. Raises Over when the visit has ended."""
        with self._lock:
            if self.done:
                raise Over
            self.heard()
            self._late_s = math.inf

    def resume(self) -> None:
        """Gives the node back what it has waited for botd, and takes none of that for its silence."""
        with self._lock:
            now_s = time.monotonic()
            self._deadline_s += now_s - self.heard_s
            self.heard_s = now_s

    def heard(self) -> None:
        """Notes a sign of life."""
        now_s = time.monotonic()
        if self.heard_s and self.connected:
            self.longest_silence_s = max(self.longest_silence_s, now_s - self.heard_s)
        self.heard_s = now_s

    def hold(self, closer: Callable[[], None], late: Callable[[], None] | None = None) -> None:
        """Names what wakes the visit's thread when the time is up; called at once, and Over raised, if it is. `late` is
        called by the clock just before the visit ends, and must not wait.
        """
        with self._lock:
            self._closer, self._late_call = closer, late
            if not self.done:
                return
        closer()
        raise Over

    def take_socket(self) -> socket.socket | None:
        """The connected socket, which is the caller's from now on. None for a node behind a jump node."""
        sock, self.sock = self.sock, None
        return sock

    def up(self, detail: str = "") -> None:
        """Delivers that the login succeeded. Raises Over when the visit has ended."""
        with self._lock:
            if self.done:
                raise Over
            self._login(LoginAnswer(SshState.UP, detail))
            self._up = True

    def sent(self) -> None:
        """Notes that the command is on its way: the outputs' `took_s` counts from here."""
        self._sent_s = time.monotonic()

    def begun(self) -> None:
        """Notes that the login shell runs the command."""
        self._begun = True

    def output(self, name: str, output: Output) -> bool:
        """Delivers what a fragment printed, unless it has been delivered. Whether all are in now."""
        with self._lock:
            if name in self._missing and not self.done:
                self._missing.discard(name)
                self._in_time &= not output.timed_out
                took_s = round(time.monotonic() - self._sent_s, 4) if self._sent_s else None
                self._deliver(Delivery(self.node, Source.COMMAND, output, took_s, name))
            return not self._missing

    @property
    def answered(self) -> bool:
        """Whether the node answered in full, and no command of its own took too long."""
        return self._up and not self._missing and self._in_time

    def finish(self, login: LoginAnswer | None = None, missing: Output | None = None) -> None:
        """Delivers what has not been delivered, and ends the visit."""
        with self._lock:
            if self.done:
                return
            if self._up:
                for name in sorted(self._missing):
                    self.output(name, missing or Output())
            else:
                self._login(login or self._late)
            self.done = True

    def check_time(self, now_s: float, own_delay_s: float = 0.0) -> None:
        """Ends the visit when its step, or all of it, takes too long; its thread is woken.

        `own_delay_s` of the time since the last look this process could not run: the node gets them back.
        """
        with self._lock:
            if self._late_s == math.inf:
                return
            self._late_s += min(own_delay_s, max(0.0, now_s - self._step_s))
            self._deadline_s += min(own_delay_s, max(0.0, now_s - self._started_s))
            if self.done or now_s < self._late_s:
                return
            limit = f"within {max(0.0, self._late_s - self._step_s):.1f}".removesuffix(".0") + " s"
            login = LoginAnswer(self._late.state, f"{self._late.detail} {limit}")
            if self._late_call:
                self._late_call()
            self.finish(login, self._not_in_time(limit))
            closer = self._closer
        if closer:
            # Closing may wait for another node (a jump node), and the clock waits for nobody.
            threading.Thread(target=closer, name=f"close {self.node}", daemon=True).start()

    def _not_in_time(self, limit: str) -> Output:
        """What to say of outputs that did not come: a command that never began has not hung."""
        if self._sent_s and not self._begun:
            return Output(detail=f"the login shell did not begin {limit}")
        return Output(timed_out=True, detail=f"did not end {limit}")

    def _login(self, answer: LoginAnswer) -> None:
        took_s = round(time.monotonic() - self._started_s, 4) if self._started_s else None
        self._deliver(Delivery(self.node, Source.LOGIN, answer, took_s))
