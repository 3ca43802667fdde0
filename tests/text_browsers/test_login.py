"""A person at each text browser logs in, by form, redirect and cookie, and sees what they may."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from werkzeug.serving import make_server

from tests.conftest import Site
from tests.office import Office
from tests.text_browsers.terminal import CLEAR, DOWN, ENTER, Terminal

SENT = ("anna", "anna", "123456")


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """A server with a desk behind it."""
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    with Office(site).open():
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def log_in_elinks(terminal: Terminal) -> None:
    terminal.see("Welcome to ELinks")
    terminal.keys(ENTER)
    for name, text in zip(("login", "password", "code"), SENT, strict=True):
        terminal.press_until(DOWN, f"name {name}")
        terminal.keys(ENTER, CLEAR, text)
    terminal.press_until(DOWN, "Post form to")
    terminal.keys(ENTER)
    terminal.see("Do you want to post form data")
    terminal.keys(ENTER)


def log_in_lynx(terminal: Terminal) -> None:
    terminal.press_until(DOWN, "Enter text into the field")
    terminal.keys(SENT[0], DOWN, SENT[1], DOWN, SENT[2], DOWN, ENTER)


def log_in_w3m(terminal: Terminal) -> None:
    terminal.keys("/Name", ENTER, "\t", ENTER)
    terminal.see("TEXT:")
    terminal.keys(SENT[0], ENTER, "\t", ENTER)
    terminal.keys(SENT[1], ENTER, "\t", ENTER)
    terminal.keys(SENT[2], ENTER, "\t", ENTER)


LOG_IN: Mapping[str, Callable[[Terminal], None]] = {
    "elinks": log_in_elinks,
    "lynx": log_in_lynx,
    "w3m": log_in_w3m,
}


def test_a_person_logs_in_and_sees_what_they_may(address: str, browser: str, environment: dict[str, str]) -> None:
    words = {"elinks": ["elinks", "-no-connect"], "lynx": ["lynx", "-accept_all_cookies"], "w3m": ["w3m", "-cookie"]}
    with Terminal([*words[browser], f"{address}/login"], environment) as terminal:
        terminal.see("Code of the moment")
        LOG_IN[browser](terminal)
        terminal.see("identify, drain on savio2")
