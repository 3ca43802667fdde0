"""What the page draws: short rows, and what each cell sorts by."""

from __future__ import annotations

import pytest

from botd.display.rows import sort_key


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (0.25, 0.25),
        (7, 7),
        (True, None),
        (None, None),
        ("up", None),
        ([], 0),
        (["amy", "bob"], 2),
        ({"size": 2**40, "used_percent": 61.0, "mounted": True}, 61.0),
        ({"size": 2**36, "free": 2**30, "expected": None}, 2**36),
        ({"size": 2**40, "used_percent": 34.0, "mounted": False}, None),
        ({"size": 2**40, "used_percent": 61.0, "mounted": True, "hung": True}, None),
        ({"running": True, "version": "22.05.8"}, None),
    ],
)
def test_a_cell_sorts_by_the_number_in_its_value(value: object, key: float | None) -> None:
    assert sort_key(value) == key
