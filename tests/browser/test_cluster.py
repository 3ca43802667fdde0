"""The picture of the cluster in a real browser: colours, keyboard, and what it is without a script."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from botd.model import Reading, State
from tests.browser.conftest import OpenTab
from tests.browser.tab import PHONE, Served, Tab
from tests.conftest import Site, drained, idle

COUNT = 60
LOUD = ("ok", "fail", "warn", "unknown", "out")
QUIET = ("mixed", "allocated", "idle", "unread")
"""What a node is that was not read: in service, as far as Slurm knows."""


@pytest.fixture
def picture(site: Site, server: Served, open_tab: OpenTab) -> Tab:
    """The picture of 60 nodes in one group, of which three are ill."""
    names = [f"n{number:04d}.savio2" for number in range(COUNT)]
    unlike = {"MIXED": names[-4], "ALLOCATED": names[-3], "FUTURE": names[-2]}
    busy = [replace(idle(name), base=base) for base, name in unlike.items()]
    site.nodes(*map(idle, set(names) - {node.node for node in busy}), *busy, drained(names[8]))
    for name in set(names[:-4]) - {names[8]}:
        site.reading(name)
    site.reading(names[5], ssh=Reading(State.FAIL, "timeout"))
    site.reading(names[6], load=Reading(State.WARN, 2.0))
    site.reading(names[7], load=Reading(State.UNKNOWN))
    tab = open_tab(server.base)
    tab.visit("/cluster")
    return tab


def focused(tab: Tab) -> str:
    """The name of the node whose square has the focus."""
    return str(tab.page.evaluate("document.activeElement.title.split(':')[0]"))


def press(tab: Tab, *keys: str) -> str:
    for key in keys:
        tab.page.keyboard.press(key)
    return focused(tab)


def squares_in_a_line(tab: Tab) -> int:
    tops = tab.find(".squares a").evaluate_all("squares => squares.map(square => square.getBoundingClientRect().top)")
    return tops.count(tops[0])


def test_arrow_keys_move_between_squares(picture: Tab) -> None:
    picture.find(".squares a").first.focus()
    line = squares_in_a_line(picture)
    assert 1 < line < COUNT
    assert press(picture, "ArrowRight", "ArrowRight", "ArrowLeft") == "n0001.savio2"
    assert press(picture, "ArrowDown") == f"n{1 + line:04d}.savio2"
    assert press(picture, "ArrowUp") == "n0001.savio2"
    assert press(picture, "ArrowUp", "ArrowLeft", "ArrowLeft") == "n0000.savio2"
    assert press(picture, "End", "ArrowRight") == f"n{COUNT - 1:04d}.savio2"
    assert press(picture, "Home") == "n0000.savio2"


def test_a_group_is_one_stop_of_the_tab_key(picture: Tab) -> None:
    picture.find(".squares a").first.focus()
    press(picture, "ArrowRight")
    assert picture.find('.squares a:not([tabindex="-1"])').count() == 1
    press(picture, "Tab")
    assert picture.page.evaluate("document.activeElement.closest('.squares')") is None
    assert press(picture, "Shift+Tab") == "n0001.savio2"


def test_enter_leads_to_the_node(picture: Tab) -> None:
    picture.find(".squares a").first.focus()
    press(picture, "ArrowRight")
    picture.page.keyboard.press("Enter")
    picture.page.wait_for_url("**/node/n0001.savio2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_has_a_colour_and_a_mark_of_its_own(picture: Tab, scheme: Any) -> None:
    picture.page.emulate_media(color_scheme=scheme)
    looks = picture.find(".squares a").evaluate_all(
        "squares => squares.map(s => [s.className, s.textContent, getComputedStyle(s).backgroundColor])"
    )
    found = {tuple(look) for look in looks}
    assert {name for name, _, _ in found} == {*LOUD, *QUIET}
    assert len({mark for _, mark, _ in found}) == len(found)
    colours = {name: colour for name, _, colour in found}
    assert len({colours[name] for name in LOUD} | {colours["idle"]}) == len(LOUD) + 1
    assert {colours[name] for name in QUIET} == {colours["idle"]}


def test_the_picture_fits_a_phone(picture: Tab) -> None:
    picture.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert picture.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_a_script_every_square_is_a_link(site: Site, server: Served, open_tab: OpenTab) -> None:
    tab = open_tab(server.base, java_script_enabled=False)
    tab.visit("/cluster")
    tab.find(".squares a").first.click()
    tab.page.wait_for_url("**/node/n0000.savio2")
