"""How a login ended, in words: what the kernel, paramiko and sshd say of it becomes a state and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import paramiko
from paramiko.ssh_exception import PartialAuthentication

from botd.answers import LoginAnswer, SshState
from botd.text import one_line


class LoginFailed(Exception):
    """Raised inside the ssh transport when a login ends; `answer` says how."""

    def __init__(self, state: SshState, detail: str) -> None:
        super().__init__(detail)
        self.answer = LoginAnswer(state, detail)


def connect_answer(error: OSError) -> LoginAnswer:
    """What a failed connect(2) says of the node: refused where something answered, else timeout."""
    answered = isinstance(error, ConnectionError)
    state = SshState.REFUSED if answered else SshState.TIMEOUT
    return LoginAnswer(state, one_line(error.strerror or str(error)).lower())


def login_ended(transport: paramiko.Transport, when: str) -> LoginFailed:
    """How a login ended in which the connection did."""
    error = transport.get_exception()
    text = one_line(str(error or ""))
    if isinstance(error, paramiko.AuthenticationException):
        return LoginFailed(SshState.AUTH, f"{text} {when}")
    if "Signature verification" in text:
        return LoginFailed(SshState.HOST_KEY, "the node could not prove its host key")
    if isinstance(error, EOFError) or not text:
        return LoginFailed(SshState.REFUSED, f"closed the connection {when}")
    return LoginFailed(SshState.REFUSED, f"the login ended {when}: {text}")


def keys_refused(user: str, offered: Sequence[str], wanted: str) -> LoginFailed:
    """How a login ended in which no key was taken. `wanted` is what sshd asked for beside or instead of a key."""
    what = "; offered: " + "; ".join(offered) if offered else ": botd has no key to offer, set [ssh] key_file"
    return LoginFailed(SshState.AUTH, f'user "{user}" was refused{what}' + (f"; sshd wants {wanted}" if wanted else ""))


def wanted_instead(error: Exception | None) -> str:
    """What sshd wants besides or instead of a key: `password, keyboard-interactive`. Empty when it does not say."""
    if isinstance(error, (paramiko.BadAuthenticationType, PartialAuthentication)):
        return one_line(", ".join(error.allowed_types), 80)
    return ""
