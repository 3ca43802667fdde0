"""Text from outside: what each way leaves of it, wherever it goes."""

from __future__ import annotations

import pytest

from botd.text import WIDTH, clean, clean_value, escaped, is_number, one_line, plain, shown, unformulated, whole

ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07and\x1b]8;;http://x\x1b\\link"
BIDI = "a\u202eb\u2066c\u200fd"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("as it is", "as it is"),
        (ESCAPES, "red andlink"),
        ("two\nlines\tand   blanks ", "two lines and blanks"),
        ("bell\x07nul\0c1\x9b3m", "bell nul c1"),
        (BIDI, "a b c d"),
        ("x" * (WIDTH + 1), "x" * WIDTH),
        ("größer 漢字", "größer 漢字"),
    ],
)
def test_a_nodes_text_is_one_line_without_what_a_terminal_obeys(text: str, left: str) -> None:
    assert clean(text) == left


def test_every_text_in_a_value_is_cleaned_at_any_depth() -> None:
    assert clean_value({"a": ["\x1b[1mb\x1b[0m", {"c": "d\n"}], "n": 1, "t": True, "x": None}) == {
        "a": ["b", {"c": "d"}],
        "n": 1,
        "t": True,
        "x": None,
    }


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**63, -(2**63) - 1])
def test_a_number_that_json_cannot_carry_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="number"):
        clean_value([{"n": number}])


@pytest.mark.parametrize("text", [ESCAPES, BIDI, "a\0b\nc", "\ud800", "\x9b2J"])
def test_no_way_leaves_anything_unprintable(text: str) -> None:
    for way in (clean, one_line, shown, plain, escaped, unformulated):
        assert way(text).isprintable()


def test_what_an_error_repeats_is_short_and_says_that_something_was_there() -> None:
    assert shown("n\x1b1;rm") == "n?1;rm"
    assert shown("n" * 61) == "n" * 57 + "..."
    assert shown("n" * 99, 100) == "n" * 99


def test_what_a_detail_repeats_is_one_line_of_bounded_length() -> None:
    assert one_line(" Permission\n denied \r\n") == "Permission denied"
    assert len(one_line("word " * 10_000)) == 200


def test_a_screen_sees_no_marks_that_turn_a_line_around() -> None:
    assert plain(BIDI) == "abcd"
    assert plain("a\tb\nc") == "a b c"


def test_a_line_of_the_log_shows_what_was_sent() -> None:
    assert escaped("a\nb\x1b[1m\u202e") == r"a\x0ab\x1b[1m\x202e"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "＝1", " \t=1", "\u202e=1"])
def test_a_spreadsheet_runs_no_text_as_a_formula(text: str) -> None:
    assert unformulated(text).startswith("'")


def test_an_ordinary_text_gets_no_apostrophe() -> None:
    assert unformulated("no IB") == "no IB"


def test_half_a_surrogate_can_be_encoded_afterwards() -> None:
    assert whole("a\ud800b").encode() == b"a?b"


@pytest.mark.parametrize(("value", "yes"), [(1, True), (0.5, True), (True, False), ("1", False), (None, False)])
def test_true_and_false_are_no_numbers(value: object, yes: bool) -> None:
    assert is_number(value) is yes
