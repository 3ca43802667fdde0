"""How good botd's word is: by what it told before and what came of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.advice.confidence import Outcome, counted
from botd.advice.experience import UNTRIED, experience_of
from botd.advice.trust import Saying, TrustDocument, trust_document
from botd.display.reliability import Point, draw, words
from botd.documents import decode, encode, has_shape
from tests.advice.cases import AT

sayings = st.lists(st.builds(Saying, st.floats(0, 1), st.booleans()), max_size=80)


def made(*told: tuple[float, int, int]) -> TrustDocument:
    """Of so many good and bad ones each, with what was told."""
    found = [Saying(p, place < good) for p, good, bad in told for place in range(good + bad)]
    return trust_document(found, UNTRIED)


def test_the_score_is_the_mean_square_beside_that_of_who_always_tells_the_same() -> None:
    found = made((0.8, 3, 1))
    assert (found["brier"], found["brier_constant"]) == (pytest.approx((3 * 0.04 + 0.64) / 4), 0.1875)


def test_while_few_came_true_it_is_said_that_they_are_too_few() -> None:
    assert made()["words"] == [
        "No action was judged yet for which a chance had been told: how good botd's word is cannot be said."
    ]
    assert made((0.8, 1, 0))["words"] == ["1 outcome so far: too few to say how good botd's word is."]
    assert made((0.8, 20, 9))["words"][0].startswith("29 outcomes so far: too few")


def test_a_tenth_that_is_off_is_said_in_words_once_enough_came_of_it() -> None:
    found = made((0.75, 20, 20), (0.95, 38, 2))
    assert found["words"][1:] == ["Where it told 75 %, 20 of 40 came true (50 %): it tells too much there."]
    assert len(made((0.75, 10, 15))["words"]) == 1


def test_it_is_better_than_a_constant_where_it_tells_apart() -> None:
    assert "it is better than always telling the same" in made((0.9, 27, 3), (0.1, 3, 27))["words"][0]
    assert "it is no better than" in made((0.9, 3, 27), (0.1, 27, 3))["words"][0]


@given(sayings)
def test_every_one_stands_in_one_tenth_and_the_document_has_its_shape(found: list[Saying]) -> None:
    told = trust_document(found, UNTRIED)
    assert sum(tenth["of"] for tenth in told["tenths"]) == told["of"] == len(found)
    assert all(tenth["low"] <= tenth["told"] <= tenth["high"] + 0.001 for tenth in told["tenths"])
    assert has_shape(TrustDocument, decode(encode(told)))


def test_what_was_counted_is_told_by_who_acted() -> None:
    outcomes = [
        Outcome("silent", "power-cycle", "savio2", AT, True, source=source)
        for source in ("own", "observed", "observed", "imported")
    ]
    (row,) = trust_document([], experience_of(counted(outcomes), [], AT.date()))["counted"]
    assert (row["good"], row["of"], row["own"], row["observed"], row["imported"]) == (4, 4, 1, 2, 1)
    assert row["at_least"] == 0.63


def test_the_bound_of_what_was_counted_is_of_all_of_it_also_where_the_hardware_of_some_is_not_known() -> None:
    outcomes = [Outcome("silent", "power-cycle", each, AT, each == "") for each in ("", "", "", "savio2", "savio2")]
    (row,) = trust_document([], experience_of(counted(outcomes), [], AT.date()))["counted"]
    assert (row["good"], row["of"], row["at_least"]) == (3, 5, 0.26)


def test_the_picture_has_a_point_for_each_tenth_and_says_it_in_words() -> None:
    points = [Point(0.75, 0.5, 40), Point(0.95, 0.9, 20)]
    assert words(points) == "told 75 %, came 50 % of 40; told 95 %, came 90 % of 20"
    assert draw(points).count(b"<circle") == 2
    assert draw([]).count(b"<circle") == 0
