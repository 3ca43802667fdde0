"""A person at each text browser: the form is filled in and sent, and a link is followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.program import DemoProgram
from tests.text_browsers.conftest import every_node
from tests.text_browsers.terminal import CLEAR, DOWN, ENTER, Terminal

GROUP = "savio3"


def fill_in_elinks(terminal: Terminal, text: str) -> None:
    terminal.see("Welcome to ELinks")
    terminal.keys(ENTER)
    terminal.press_until(DOWN, "name groups (press Enter to edit)")
    terminal.keys(ENTER, CLEAR, text)
    terminal.press_until(DOWN, "Submit form to")
    terminal.keys(ENTER)
    terminal.see("Do you want to post form data")
    terminal.keys(ENTER)


def fill_in_lynx(terminal: Terminal, text: str) -> None:
    terminal.press_until(DOWN, "Enter text into the field")
    terminal.keys(CLEAR, text)
    terminal.press_until(DOWN, "(Form submit button)")
    terminal.keys(ENTER)


def fill_in_w3m(terminal: Terminal, text: str) -> None:
    terminal.keys("/Groups or nodes", ENTER, "\t", ENTER)
    terminal.see("TEXT:")
    terminal.keys(CLEAR, text, ENTER, "\t", "\t", "\t", ENTER)


FILL_IN: Mapping[str, Callable[[Terminal, str], None]] = {
    "elinks": fill_in_elinks,
    "lynx": fill_in_lynx,
    "w3m": fill_in_w3m,
}


def test_a_person_asks_for_a_group_and_looks_at_a_node(terminal: Terminal, browser: str, program: DemoProgram) -> None:
    nodes = every_node(program, GROUP)
    terminal.see("Readings are")
    FILL_IN[browser](terminal, GROUP)
    terminal.see(f"{len(nodes)} nodes: {GROUP}")
    wanted = nodes[2]["node"]
    terminal.see(wanted)
    terminal.keys(f"/{wanted}", ENTER)
    terminal.keys(ENTER)
    screen = terminal.see("Readings are")
    assert wanted in screen
    terminal.see(f"Slurm: {nodes[2]['slurm']['state']}")
    terminal.see("packets answered")
