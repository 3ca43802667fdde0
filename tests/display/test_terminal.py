"""Aligned tables in any width, and the lines below them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.display.terminal import WIDE, Column, Look, draw, notes
from botd.text import width

TEXT = st.text(max_size=60)


def lines(*columns: list[str], look: Look = WIDE) -> list[str]:
    """The table of these columns, the title of each first."""
    return draw([Column(title, texts) for title, *texts in columns], look).lines


def columns_of(lines: list[str], words: tuple[str, ...]) -> list[int]:
    """Where each word begins, in columns of a terminal."""
    return [width(line[: line.index(word)]) for line in lines for word in words if word in line]


def test_the_columns_are_aligned() -> None:
    found = lines(["NODE", "n1", "a-long-name"], ["PING", "1 ms", "2 ms"])
    assert found == ["NODE         PING", "n1           1 ms", "a-long-name  2 ms"]


def test_wide_and_combining_characters_keep_the_alignment() -> None:
    found = lines(["A", "节点", "e\u0301", "abcd"], ["B", "x", "x", "x"])
    assert columns_of(found, ("B", "x")) == [6, 6, 6, 6]


def test_a_long_cell_is_cut_but_the_first_and_the_last_are_whole() -> None:
    (_, line) = lines(["N", "n" * 60], ["A", "a" * 50], ["REASON", "r" * 500])
    assert line == "n" * 60 + "  " + "a" * 39 + "…  " + "r" * 500


def test_a_table_without_rows_is_its_header() -> None:
    assert lines(["A"], ["B"]) == ["A  B"]


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), min_size=1))
def test_a_row_is_one_line_whatever_it_holds(table: list[list[str]]) -> None:
    found = lines(*([title, *(row[i] for row in table)] for i, title in enumerate("ABC")))
    assert len(found) == len(table) + 1
    assert all(line.isprintable() for line in found)


@given(st.lists(st.lists(TEXT, min_size=4, max_size=4), min_size=1, max_size=4), st.integers(1, 100))
def test_no_line_is_wider_than_asked(table: list[list[str]], columns: int) -> None:
    found = lines(*([title, *(row[i] for row in table)] for i, title in enumerate("ABCD")), look=Look(columns))
    assert max(map(width, found)) <= columns


def test_quiet_columns_go_first_and_the_rightmost_of_them() -> None:
    columns = [
        Column("NODE", ["n1"], kept=True),
        Column("A", ["aaaaaaaa"]),
        Column("B", ["bbbbbbbb"], quiet=True),
        Column("C", ["cccccccc"], quiet=True),
        Column("D", ["dddddddd"]),
        Column("REASON", ["r"]),
    ]
    gone = {
        columns_wide: [c.title for c in draw(columns, Look(columns_wide)).left_out] for columns_wide in range(5, 60)
    }
    assert (gone[59], gone[44], gone[34], gone[24], gone[14]) == (
        [],
        ["C"],
        ["B", "C"],
        ["B", "C", "D"],
        ["A", "B", "C", "D"],
    )


def test_a_last_column_in_which_nothing_stands_goes_before_one_in_which_something_does() -> None:
    columns = [Column("GROUP", ["g1"]), Column("WARN_NODES", ["n" * 20]), Column("FAIL_NODES", [""])]
    assert draw(columns, Look(30)).lines == ["GROUP  WARN_NODES", "g1     " + "n" * 20]
    kept = [*columns[:2], Column("REASON", [""], kept=True)]
    assert draw(kept, Look(30)).lines == ["GROUP  REASON", "g1"]


def test_the_last_column_takes_what_is_left_and_at_least_a_third() -> None:
    columns = [Column("NODE", ["n1"], kept=True), Column("A", ["a" * 20]), Column("REASON", ["r" * 100])]
    wide, narrow = draw(columns, Look(60)), draw(columns, Look(33))
    assert wide.lines[1] == "n1    " + "a" * 20 + "  " + "r" * 31 + "…"
    assert narrow.lines[1] == "n1    " + "r" * 26 + "…"


def test_colours_are_in_the_cells_of_a_state_and_count_for_nothing() -> None:
    columns = [
        Column("NODE", ["n1", "n2"]),
        Column("PING", ["!! lost", "1 ms"], ["fail", "ok"]),
        Column("END", ["e", "e"]),
    ]
    plain, colored = draw(columns, WIDE).lines, draw(columns, Look(color=True)).lines
    assert colored[1] == "n1    \x1b[1;31m!! lost\x1b[0m  e"
    assert colored[2] == plain[2]


@given(st.lists(st.text()), st.integers(1, 60))
def test_notes_keep_to_the_width_and_lose_nothing(sentences: list[str], columns: int) -> None:
    found = notes(sentences, Look(columns + 3)).splitlines()
    assert all(line.startswith("# ") and width(line) <= columns + 3 for line in found)
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize("look", [WIDE, Look(80)])
def test_a_note_is_one_line_where_it_fits(look: Look) -> None:
    assert notes(["a b", "c"], look) == "# a b\n# c\n"
