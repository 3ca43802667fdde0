"""The person at the terminal: asked at /dev/tty, whatever stands on a pipe, and never by an argument."""

from __future__ import annotations

import getpass
import os
import pwd
from collections.abc import Callable

from botd.client.trouble import Unusable
from botd.text import plain


def asked(prompt: str) -> str:
    """What somebody types where it can be seen. Raises Unusable without a terminal."""
    return _at_terminal(prompt, _visible)


def secret(prompt: str) -> str:
    """What somebody types where it cannot. Raises Unusable without a terminal."""
    return _at_terminal(prompt, getpass.getpass)


def own_login() -> str:
    """The name of who runs this, on this machine; empty where it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def _at_terminal(prompt: str, ask: Callable[[str], str]) -> str:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        raise Unusable("this asks a person, and there is no terminal; a script has a token_file") from error
    try:
        return ask(f"{plain(prompt)}: ")
    except (EOFError, UnicodeDecodeError) as error:
        raise Unusable("nothing was typed that can be used") from error


def _visible(prompt: str) -> str:
    """As getpass, with what is typed."""
    with open("/dev/tty", "w", encoding="utf-8") as screen, open("/dev/tty", encoding="utf-8") as keys:
        screen.write(prompt)
        screen.flush()
        if not (line := keys.readline()):
            raise EOFError
        return line.rstrip("\n")
