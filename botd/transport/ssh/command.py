"""The one command of a visit: the script goes in, frames come back, each delivered as it comes.

Frames are read in the thread of the connection, as paramiko hands over their bytes; the visit's own thread sends the
script and sleeps until all is told. Waking it for each piece cost two switches of the interpreter's lock each.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sized

import paramiko
from paramiko.buffered_pipe import BufferedPipe

from botd.answers import Output, SshState
from botd.text import one_line
from botd.transport.ssh import script
from botd.transport.ssh.session import LOST, WINDOW, Session
from botd.transport.ssh.visit import Visit

FRAME_ROOM = 500
"""Bytes allowed for what surrounds a fragment's output in its frame."""

SAID = 1000
"""Bytes kept of what the login shell says on standard error."""


def run_fragments(visit: Visit, session: Session, timeout_s: float, stuck: Callable[[Frames], None]) -> bool:
    """Runs the fragments of a visit in one command. Whether each has delivered its output. Raises Over.

    Where the time is up before the login shell has begun, `stuck` takes over the connection, which then stays open.
    """
    visit.step(SshState.HUNG, "the command did not end", timeout_s)
    nonce = secrets.token_hex(8)
    frames = Frames(visit, nonce)
    try:
        channel = session.channel or session.open(timeout_s, window_for(visit.fragments))
        visit.sent()
        channel.in_buffer, channel.in_stderr_buffer = frames, frames.errors
        channel.exec_command(script.COMMAND)
        channel.sendall(script.build_script(nonce, visit.fragments))
        channel.shutdown_write()
        visit.hold(lambda: frames.end(session), lambda: frames.give_up(stuck))
        frames.over.wait()
        missing = None if frames.complete or frames.stuck else _missing(frames, session, channel)
    except LOST:
        missing = Output(detail=_lost(session) if session.lost() else "sshd did not run the command")
    if missing:
        visit.finish(missing=missing)
    return frames.complete


def room_for(fragments: Sized) -> int:
    """Bytes that a node may print before it counts as babbling."""
    return script.MAX_NOISE + len(fragments) * (script.MAX_OUTPUT + FRAME_ROOM)


def window_for(fragments: Sized) -> int:
    """Bytes that a node may send in one command. Nothing ever widens the window of `Frames`, so all must fit."""
    return max(WINDOW, room_for(fragments) + script.MAX_NOISE)


class Frames(BufferedPipe):  # type: ignore[type-arg]  # generic in the stubs only
    """Stands in for the input buffer of a channel, and delivers each frame when its last byte comes in.

    `over` is set when all frames are in (`complete`), when the node prints too much (`babbling`), and when nothing
    more can come. `said` is the first that the node printed, `errors` what came on standard error, where only the login
    shell writes; `error` what went wrong with delivering, if anything.
    """

    def __init__(self, visit: Visit, nonce: str) -> None:
        super().__init__()
        self.over = threading.Event()
        self.complete = False
        self.babbling = False
        self.said = b""
        self.errors = Errors(self)
        self.error: Exception | None = None
        self._given_up = False
        self._visit = visit
        self._reader = script.FrameReader(nonce)
        self._room = room_for(visit.fragments)

    def feed(self, data: bytes) -> None:
        """Takes what the node printed; called by the thread of the connection, which must not die of it.

        Also after `give_up`: a shell that hung may begin.
        """
        if self.over.is_set() and not self.stuck:
            return
        try:
            self._read(data)
        except Exception as error:  # noqa: BLE001  # raised again in the visit's thread
            self.error = error
            self.over.set()

    @property
    def begun(self) -> bool:
        """Whether the login shell has begun with the script."""
        return self._reader.begun

    @property
    def stuck(self) -> bool:
        """Whether the time was up before the login shell began."""
        return self._given_up and not self.begun

    def give_up(self, stuck: Callable[[Frames], None]) -> None:
        """The time is up: hands over what has not begun, nor ended."""
        self._given_up = not (self.begun or self.over.is_set())
        if self.stuck:
            stuck(self)

    def end(self, session: Session) -> None:
        """Ends the waiting when the time is up, and the connection unless the shell is stuck on it."""
        if not self.stuck:
            session.close()
        self.over.set()

    def close(self) -> None:
        """Nothing more comes; called by the thread of the connection, and by who closes it."""
        super().close()
        self.over.set()

    def overhear(self, data: bytes) -> None:
        """Counts what is in no frame and is not kept."""
        self._visit.heard()
        self._room -= len(data)
        if self._room < 0:
            self.babbling = True
            self.over.set()

    def _read(self, data: bytes) -> None:
        self._visit.heard()
        self._room -= len(data)
        self.said = self.said or data
        for name, output in self._reader.feed(data):
            self.complete = self._visit.output(name, output)
        if self.begun:
            self._visit.begun()
        self.babbling = self._reader.babbling or self._room < 0
        if self.complete or self.babbling:
            self.over.set()


class Errors(BufferedPipe):  # type: ignore[type-arg]  # generic in the stubs only
    """Stands in for the buffer of standard error: keeps its first bytes, in `said`."""

    def __init__(self, frames: Frames) -> None:
        super().__init__()
        self.said = b""
        self._frames = frames

    def feed(self, data: bytes) -> None:
        """Takes what the node printed; called by the thread of the connection."""
        self.said = (self.said + data)[:SAID] if len(self.said) < SAID else self.said
        self._frames.overhear(data)


def _missing(frames: Frames, session: Session, channel: paramiko.Channel) -> Output:
    """What to say of the frames that did not come. Raises what kept one from being delivered."""
    if frames.error:
        raise frames.error
    if frames.babbling:
        limit = f"{script.MAX_NOISE // 1024} KiB"
        return Output(truncated=True, detail=f"the node printed more than {limit} besides the checks' output")
    if not channel.eof_received and session.lost():
        return Output(detail=_lost(session))
    return Output(detail="the command ended without it" + _last_words(frames))


def _lost(session: Session) -> str:
    return "the connection was lost" + session.fault()


def _last_words(frames: Frames) -> str:
    """What the node said instead of running the script: `This account is currently not available.`"""
    words = (frames.errors.said or frames.said).decode("utf-8", "replace").partition("\x1e")[0]
    return f': "{one_line(words)}"' if words.strip() else ""
