"""Patterns of a configuration: what could be slow is refused, and what is taken is fast on any text."""

from __future__ import annotations

import pytest

from botd.patterns import bounded


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"#\d{1,9}", "see #4711, #x", "#4711"),
        (r"RT ?#?(\d{1,8})", "RT 12", "RT 12"),
        (r"(INC|CHG)\d{7}", "CHG0000001.", "CHG0000001"),
        (r"(?i)[A-Z]{2,10}-\d{1,8}", "hpc-42", "hpc-42"),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}\b", "12345678-0000-1111-ffff", "12345678-0000-1111-ffff"),
    ],
)
def test_a_pattern_of_a_ticket_is_taken(pattern: str, text: str, found: str) -> None:
    match = bounded(pattern).search(text)
    assert match
    assert match[0] == found


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d+",
        r"(a+)+$",
        r"(a*)*b",
        r"(a|a){1,30}b",
        r"((a{1,9}){1,9}){1,9}",
        r"(a{0,1}){0,40}b",
        r"a{0,9}a{0,9}a{0,9}a{0,9}b",
        r"a{1,4000000000}",
        r"(a)\1",
        r"(?=a)a",
        r"(?<!a)b",
        r"(?>a)",
        "(",
        "[",
        "(" * 90 + ")" * 90 + "(" * 90,
        "x" * 201,
        r"a{1,99999999999999999999}",
        r"(?:\b){4000000000}",
        r"(){4000000000}",
        r"(?:a{0}){2000}b",
        r"(?:(?:^){200}){200}",
    ],
)
def test_what_is_no_pattern_or_may_be_slow_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^(it|say) "):
        bounded(pattern)
