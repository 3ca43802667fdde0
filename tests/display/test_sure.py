"""How sure it is, in few words: only what was counted is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from botd.display.sure import scope_words, sure_words, ways_in_lines
from botd.documents import ConfidenceDocument
from botd.model import State
from tests.advice.test_weighing import SILENT, advised, healed, tried

SURE: ConfidenceDocument = {"p": 0.863, "at_least": 0.77, "good": 41, "of": 47, "scope": "savio2"}
GUESS: ConfidenceDocument = {"p": 0.75, "at_least": None, "good": 0, "of": 0, "scope": "all hardware"}


def test_a_bound_is_said_with_its_count() -> None:
    assert sure_words("power-cycle", SURE) == "at least 77 %, 41 of 47"
    assert sure_words("wait", {**SURE, "at_least": None}) == "41 of 47 came back alone"


def test_a_guess_and_a_person_are_not_said_to_be_sure() -> None:
    assert [sure_words("power-cycle", GUESS), sure_words("person", None)] == ["", ""]


def test_it_is_said_on_what_it_was_counted_and_that_a_guess_is_one() -> None:
    told = {way["action"]: scope_words(way) for found in (advised(tried(41, 6)), advised()) for way in found["ranked"]}
    assert told == {"power-cycle": "guess: 75 %", "person": ""}
    assert scope_words(advised(tried(41, 6))["ranked"][0]) == "savio2"


def test_every_other_way_and_every_guard_has_its_line() -> None:
    found = advised(tried(10, 5), healed(9, 10), after=timedelta(hours=1))
    first, *others = ways_in_lines(found)
    assert first == found["words"]
    assert [line.partition(":")[0] for line in others] == ["not power-cycle", "not person"]
    assert others[0].endswith("(at least 45 %, 10 of 15)")
    busy = advised(morning=replace(SILENT, bad={**SILENT.bad, "jobs": (State.OK, ["7"], "")}))
    assert ways_in_lines(busy) == ["not power-cycle: Slurm has job 7 on it"]
