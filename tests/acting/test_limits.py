"""Shares of a number of nodes: they round up, and never to nothing."""

from __future__ import annotations

import pytest

from botd.acting.limits import Breaker, Caps, Storm, parse_share


@pytest.mark.parametrize(
    ("text", "nodes", "number"),
    [
        ("6", 10_000, 6),
        ("4%", 100, 4),
        ("7%", 100, 7),
        ("4%", 101, 5),
        ("4%", 0, 1),
        ("0.5%", 1000, 5),
        ("min(6, 4%)", 10, 1),
        ("min(6, 4%)", 100, 4),
        ("min(6, 4%)", 1000, 6),
        ("max(20, 3%)", 100, 20),
        ("max( 20 , 3% )", 1000, 30),
    ],
)
def test_a_share_is_this_of_so_many_nodes(text: str, nodes: int, number: int) -> None:
    assert parse_share(text).of(nodes) == number


@pytest.mark.parametrize("text", ["", "0", "0%", "-1", "101%", "min(0, 4%)", "min(4%, 6)", "6 %", "avg(1, 2%)", "1e3"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        parse_share(text)


def test_the_defaults_are_shares() -> None:
    for limits in (Caps(), Breaker(), Storm()):
        for value in vars(limits).values():
            if isinstance(value, str):
                assert parse_share(value)
