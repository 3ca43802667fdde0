"""A person at each text browser logs in, presses, and sees what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from werkzeug.serving import make_server

from tests.actor import Actor, make_actor, moved, tell, tell_switches
from tests.conftest import Site
from tests.pages.ready import BESIDE, READY, ROLES, ready_site
from tests.pages.test_press import WELL, site_in
from tests.program import wait_until
from tests.text_browsers.terminal import CLEAR, DOWN, ENTER, Terminal
from tests.text_browsers.test_login import LOG_IN

WHY, CODE = "fan fails", "123123"


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Actor:
    return make_actor(site_in(make_site), monkeypatch)


@pytest.fixture
def address(actor: Actor) -> Iterator[str]:
    with actor.office.open(), served(actor.site) as address:
        yield address


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of a site that answers."""
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def press_elinks(terminal: Terminal) -> None:
    for name, text in (("reason", WHY), ("code", CODE)):
        terminal.press_until(DOWN, f"name {name}")
        terminal.keys(ENTER, CLEAR, text)
    terminal.press_until(DOWN, "Post form to")
    terminal.keys(ENTER)
    terminal.see("Do you want to post form data")
    terminal.keys(ENTER)


def press_lynx(terminal: Terminal) -> None:
    terminal.press_until(DOWN, "Enter text into the field")
    terminal.keys(WHY, DOWN, CODE, DOWN, ENTER)


def press_w3m(terminal: Terminal) -> None:
    terminal.keys("/Why", ENTER, "\t", ENTER)
    terminal.see("TEXT:")
    terminal.keys(WHY, ENTER, "\t", ENTER)
    terminal.keys(CODE, ENTER, "\t", ENTER)


PRESS: Mapping[str, Callable[[Terminal], None]] = {"elinks": press_elinks, "lynx": press_lynx, "w3m": press_w3m}

AGAIN = {"elinks": (), "lynx": ("\x12",), "w3m": ("R",)}
"""What is typed to see a page as it is now: elinks loads it again by itself, as it was told to."""


def test_a_person_presses_and_sees_what_came_of_it(
    actor: Actor, address: str, browser: str, environment: dict[str, str]
) -> None:
    words = {"elinks": ["elinks", "-no-connect"], "lynx": ["lynx", "-accept_all_cookies"], "w3m": ["w3m", "-cookie"]}
    path = f"/login?to=/node/{WELL}/do/drain"
    with Terminal([*words[browser], address + path], environment) as terminal:
        terminal.see("Code of the moment")
        LOG_IN[browser](terminal)
        terminal.see("One line to the helper of Slurm")
        PRESS[browser](terminal)
        wait_until(lambda: len(actor.hand.actions) == 1)
        terminal.see("is asked for")
        (told,) = actor.hand.actions
        assert (told["node"], told["reason"]) == (WELL, WHY)
        tell(actor.site.store, moved(told, "succeeded", words="it is drained"))
        terminal.keys(*AGAIN[browser])
        terminal.see("It is drained")


def test_a_family_is_pressed_together_and_each_node_is_reported(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, browser: str, environment: dict[str, str]
) -> None:
    actor = make_actor(ready_site(make_site), monkeypatch, ROLES)
    words = {"elinks": ["elinks", "-no-connect"], "lynx": ["lynx", "-accept_all_cookies"], "w3m": ["w3m", "-cookie"]}
    with actor.office.open(), served(actor.site) as address:
        tell_switches(actor.site.store)
        path = "/login?to=/do/resume"
        with Terminal([*words[browser], address + path], environment) as terminal:
            terminal.see("Code of the moment")
            LOG_IN[browser](terminal)
            terminal.see("Resume several nodes")
            PRESS[browser](terminal)
            wait_until(lambda: len(actor.hand.actions) == 2)
            terminal.see("2 requested")
            assert {told["node"] for told in actor.hand.actions} == {READY, BESIDE}
            assert {told["reason"] for told in actor.hand.actions} == {WHY}
            first, second = actor.hand.actions
            done = moved(first, "succeeded", words="it is in service")
            tell(actor.site.store, done, moved(second, "refused", code="busy"))
            terminal.keys(*AGAIN[browser])
            terminal.see("It is in service")
