"""The one command of a visit: the script goes in, frames come back, each delivered as it comes."""

from __future__ import annotations

import secrets

import paramiko

from botd.model import Output, SshState
from botd.transport import script
from botd.transport.ssh_answers import printable
from botd.transport.ssh_session import LOST, WINDOW, Session
from botd.transport.ssh_visit import Visit

FRAME_ROOM = 500
"""Bytes allowed for what surrounds a fragment's output in its frame."""


def run_fragments(visit: Visit, session: Session, timeout_s: float) -> bool:
    """Runs the fragments of a visit in one command. Whether each has delivered its output. Raises Over."""
    visit.step(SshState.HUNG, "the command did not end", timeout_s)
    nonce = secrets.token_hex(8)
    try:
        channel = session.channel or session.open(timeout_s)
        visit.sent()
        channel.exec_command(script.COMMAND)
        channel.sendall(script.build_script(nonce, visit.fragments))
        channel.shutdown_write()
        missing = _read_frames(visit, session, channel, nonce)
    except LOST:
        missing = Output(detail="the connection was lost" if session.lost() else "sshd did not run the command")
    if missing:
        visit.finish(missing=missing)
    return missing is None


def _read_frames(visit: Visit, session: Session, channel: paramiko.Channel, nonce: str) -> Output | None:
    """Delivers the frames as they come. None when all are in, else what to say of the others."""
    reader = script.FrameReader(nonce)
    room = script.MAX_NOISE + len(visit.fragments) * (script.MAX_OUTPUT + FRAME_ROOM)
    said = b""
    while data := channel.recv(WINDOW):
        visit.heard()
        room -= len(data)
        said = said or data
        for name, output in reader.feed(data):
            if visit.output(name, output):
                return None
        if reader.babbling or room < 0:
            limit = f"{script.MAX_NOISE // 1024} KiB"
            return Output(truncated=True, detail=f"the node printed more than {limit} besides the checks' output")
    if not channel.eof_received and session.lost():
        return Output(detail="the connection was lost")
    return Output(detail="the command ended without it" + _last_words(channel, said))


def _last_words(channel: paramiko.Channel, said: bytes) -> str:
    """What the node said instead of running the script: `This account is currently not available.`"""
    errors = channel.recv_stderr(1000) if channel.recv_stderr_ready() else b""
    words = (errors or said).decode("utf-8", "replace").partition("\x1e")[0]
    return f': "{printable(words)}"' if words.strip() else ""
