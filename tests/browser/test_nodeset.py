"""Hostlists that the page folds are read back by the program's own nodesets."""

from __future__ import annotations

import random

import pytest

from botd.nodeset import expand
from tests.browser.conftest import OpenTab
from tests.browser.tab import Served, Tab

FOLD = "async names => (await import('/static/nodeset.js')).fold(names)"


@pytest.fixture
def page(open_tab: OpenTab, server: Served) -> Tab:
    tab = open_tab(server.base)
    tab.visit("/changes")  # any page of the server
    return tab


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        (["n0003.savio2", "n0005.savio2", "n0006.savio2", "n0007.savio2"], "n[0003,0005-0007].savio2"),
        (["n1", "n2", "n3", "n9", "n10", "n11"], "n[1-3,9-11]"),
        (["n09", "n10", "n99", "n100"], "n[09-10,99-100]"),
        (["n1", "n01", "n001"], "n[1,01,001]"),
        (["r1n01.a", "r1n02.a", "r2n01.a"], "r1n[01-02].a,r2n01.a"),
        (["login", "gpu-3x.b2", "gpu-4x.b2"], "login,gpu-[3-4]x.b2"),
        (["n1.a", "n1.a"], "n1.a"),
        ([], ""),
    ],
)
def test_names_are_folded(page: Tab, names: list[str], folded: str) -> None:
    assert page.page.evaluate(FOLD, names) == folded
    assert sorted(expand(folded)) == sorted(set(names))


def test_whatever_is_folded_expands_to_the_same_names(page: Tab) -> None:
    rng = random.Random(7)
    for _ in range(40):
        names = {odd_name(rng) for _ in range(rng.randint(1, 120))}
        assert sorted(expand(page.page.evaluate(FOLD, sorted(names)))) == sorted(names)


def odd_name(rng: random.Random) -> str:
    """A name with numbers of all widths in one to three places."""
    number = f"{rng.randint(0, 130):0{rng.choice((1, 1, 2, 4))}d}"
    head = rng.choice(("n", "r1n", "gpu-", "x9-", "c0"))
    return head + number + rng.choice(("", "", "a", "-ib")) + rng.choice(("", ".savio2", ".s3.example", ".4"))
