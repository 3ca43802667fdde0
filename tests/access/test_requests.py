"""The canonical text of a request: one for each, read back only as it was written."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.access import requests
from botd.access.requests import (
    LONGEST,
    MAX_NODES,
    SKEW,
    RequestError,
    check_times,
    digest,
    new_request,
    parse_request,
    signed_text,
)

NOW = datetime(2026, 11, 26, 10, 4, tzinfo=UTC)
NODE = {"n0012.savio2": "7f3a90c14be2"}
ONE = new_request("brc", "power-cycle", NODE, "hangs again", NOW, nonce="q0pVwXy1-_q0pVwXy1")
TEXT = (
    '{"action":"power-cycle","expires_at":"2026-11-26T10:06:00Z","issued_at":"2026-11-26T10:04:00Z",'
    '"nodes":{"n0012.savio2":"7f3a90c14be2"},"nonce":"q0pVwXy1-_q0pVwXy1","reason":"hangs again","site":"brc"}'
)


def changed(**more: Any) -> str:
    """The text of the request with other members, canonical."""
    return requests.canonical({**json.loads(TEXT), **more})


def test_the_text_that_is_signed_is_this_one() -> None:
    assert signed_text(ONE) == TEXT
    assert parse_request(TEXT) == ONE


def test_the_module_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(requests.__file__).read_text())
    named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {name.partition(".")[0] for name in named} <= set(sys.stdlib_module_names)


@given(
    st.dictionaries(st.from_regex(r"n[0-9]{1,6}(\.[a-z0-9]{1,9})?", fullmatch=True), st.just("0" * 16), min_size=1),
    st.text(max_size=500).filter(str.isprintable),
)
def test_what_was_made_is_read_back(nodes: dict[str, str], reason: str) -> None:
    made = new_request("brc", "drain", nodes, reason, NOW)
    assert parse_request(signed_text(made)) == made
    assert signed_text(made).isascii()


@given(st.text(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(RequestError):
        parse_request(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT.replace(":", ": ", 1), "not canonical"),
        (TEXT[:-1] + ',"site":"brc"}', "not canonical"),  # a name twice: which one was meant?
        (TEXT.replace("hangs", "h\\u0061ngs"), "not canonical"),
        (changed(sitename="x"), '"sitename"'),
        (TEXT.replace('"site":"brc"', '"sit":"brc"'), '"sit"'),
        (changed(reason=7), "reason must be a text"),
        (changed(reason="a\nb"), "on one line"),
        (changed(reason="\ud800"), "printable"),
        (changed(reason="x" * 501), "at most 500"),
        (changed(site="a b"), "site must be"),
        (changed(action="Reboot"), "action must be"),
        (changed(nonce="short"), "nonce must be 16 to 64"),
        (changed(otp="12345"), "otp must be 6 digits"),
        (changed(nodes={}), "name 1 to 64 nodes"),
        (changed(nodes=["n1"]), "an object"),
        (changed(nodes={"-rf": "7f3a90c14be2"}), "plain name"),
        (changed(nodes={"n[1-9999]": "7f3a90c14be2"}), "plain name"),
        (changed(nodes={"n1\n": "7f3a90c14be2"}), "plain name"),
        (changed(nodes={"n1": "no"}), "evidence of n1"),
        (changed(nodes={"n1": None}), "evidence of n1"),
        (changed(nodes={f"n{i}": "7f3a90c14be2" for i in range(MAX_NODES + 1)}), "name 1 to 64 nodes"),
        (changed(issued_at="2026-02-31T10:04:00Z"), "issued_at must be a time"),
        (changed(issued_at="2026-11-26T10:04:00+00:00"), "issued_at must be a time"),
        (changed(expires_at="2026-11-26T10:06:01Z"), "within 120 s"),
        (changed(expires_at="2026-11-26T10:04:00Z"), "within 120 s"),
        ("[" * 100_000, "more than"),
        ("[" * 30_000, "not JSON"),
    ],
)
def test_a_request_that_is_none_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(RequestError, match=r".+") as caught:
        parse_request(text)
    assert words in str(caught.value)


def test_a_request_is_good_from_its_issue_to_its_expiry() -> None:
    for good in (NOW - SKEW, NOW, NOW + LONGEST - timedelta(seconds=1)):
        check_times(ONE, good)
    with pytest.raises(RequestError, match="set the clock"):
        check_times(ONE, NOW - SKEW - timedelta(seconds=1))
    with pytest.raises(RequestError, match="expired"):
        check_times(ONE, NOW + LONGEST)


def test_each_node_of_a_batch_has_a_nonce_of_its_own() -> None:
    batch = replace(ONE, nodes={"n2": "0" * 8, "n10": "1" * 8})
    assert [tuple(member) for member in batch.members()] == [
        ("n10", "1" * 8, "q0pVwXy1-_q0pVwXy1/n10"),
        ("n2", "0" * 8, "q0pVwXy1-_q0pVwXy1/n2"),
    ]
    assert [member.nonce for member in ONE.members()] == [ONE.nonce]


def test_two_presses_are_the_same_whatever_the_clock_and_the_code_say() -> None:
    later = replace(ONE, issued_at=NOW + LONGEST, expires_at=NOW + 2 * LONGEST, otp="123456", nonce="x" * 16)
    assert digest(later) == digest(ONE)
    for other in ({"reason": "hangs"}, {"nodes": {"n0012.savio2": "0" * 12}}, {"action": "power-on"}, {"site": "x"}):
        assert digest(replace(ONE, **other)) != digest(ONE)


def test_a_re_arm_names_no_node() -> None:
    assert parse_request(signed_text(new_request("brc", "re-arm", {}, "looked", NOW))).nodes == {}
    with pytest.raises(RequestError, match="leave nodes empty"):
        new_request("brc", "re-arm", NODE, "looked", NOW)


def test_a_code_may_stand_inside_the_signed_text() -> None:
    made = new_request("brc", "drain", NODE, "", NOW, otp="012345")
    assert '"otp":"012345"' in signed_text(made)
    assert parse_request(signed_text(made)) == made
