"""What holds of advice whatever is found and whatever was counted: docs/diagnosis.rst names these tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botd.acting.ladder import Tried
from botd.advice import recommend as recommending
from botd.advice.confidence import ALL_HARDWARE, Counts, bound, chance, hope, tally
from botd.advice.experience import Experience, experience_of
from botd.advice.guards import GUARDS, PRESSED, Guard
from botd.advice.outcomes import JUDGED, OTHERS, UNTOLD, WINDOW, Aftermath, Done, Verdict, judge
from botd.advice.reasons import SLURM_REASONS
from botd.advice.recommend import recommend
from botd.advice.rules import PERSON, RESUME, RULES, WAIT
from botd.advice.titles import diagnosis_of
from botd.advice.trust import trust_document
from botd.advice.waiting import Spell
from botd.advice.weighing import EVERYWHERE, Scales
from botd.display.sure import scope_words, sure_words, ways_in_lines
from botd.documents import RecommendationDocument
from botd.history.past import NodePast
from botd.model import DIAGNOSIS, SLURM, Change
from tests.advice.cases import AT, CASES, CHECKS, NODE, Morning
from tests.advice.test_reasons import PEOPLE

TODAY = date(2026, 11, 26)
KINDS = ["savio2", "savio3", ALL_HARDWARE]
counts = st.integers(0, 12)
rows = st.builds(
    Counts,
    st.just(""),
    st.sampled_from(PRESSED),
    st.sampled_from(KINDS),
    st.dates(date(2026, 1, 1), TODAY),
    st.just("own"),
    counts,
    counts,
    st.integers(0, 2),
)
spells = st.builds(Spell, st.just(""), st.floats(0, 100), st.booleans())
mornings = st.sampled_from(CASES)
LADDERED = [each for each in CASES if each.action in PRESSED]
hours = st.floats(0, 100)


@dataclass(frozen=True)
class Seen:
    """What was counted, of whatever diagnosis a morning has."""

    counts: Sequence[Counts] = ()
    spells: Sequence[Spell] = ()

    def of(self, diagnosis: str, step: int = 1) -> Experience:
        """It for one diagnosis, forwards or backwards."""
        counts = [each._replace(diagnosis=diagnosis) for each in self.counts[::step]]
        return experience_of(counts, [each._replace(diagnosis=diagnosis) for each in self.spells[::step]], TODAY)


seen = st.builds(Seen, st.lists(rows, max_size=12), st.lists(spells, max_size=12))


def advised(morning: Morning, found: Seen = Seen(), hours: float = 5.0) -> RecommendationDocument:
    scales = Scales(found.of(morning.rule)).at(AT + timedelta(hours=hours))
    advice = recommend(replace(morning.case(), hardware="savio2"), scales)
    assert advice is not None
    return advice


def actions(advice: RecommendationDocument) -> set[str]:
    """All that it ranks."""
    return {way["action"] for way in advice["ranked"]}


# ---- more good outcomes never lower the bound ----


@given(st.lists(rows, max_size=6), st.sampled_from(KINDS), st.sampled_from(KINDS), counts)
def test_more_good_outcomes_anywhere_never_lower_a_bound_of_its_scope_nor_a_chance(
    before: list[Counts], node: str, where: str, more: int
) -> None:
    before = [each._replace(action=RESUME) for each in before]
    after = [*before, Counts("", RESUME, where, TODAY, "observed", more, 0)]
    old, new = (tally(each, "", RESUME, node, TODAY) for each in (before, after))
    assert chance(new, 0.6) >= chance(old, 0.6) - 1e-9
    assert hope(new, 0.6) >= hope(old, 0.6) - 1e-9
    low, high = bound(old), bound(new)
    if low:
        assert high
        assert (high.scope == low.scope and high.at_least >= low.at_least) or (low.scope, high.scope) == ("", node)


# ---- a guard never adds an action ----


@given(st.sampled_from(LADDERED), seen, hours, st.sets(st.sampled_from(GUARDS), max_size=2), st.sampled_from(GUARDS))
def test_a_guard_more_never_adds_an_action(
    morning: Morning, found: Seen, hours: float, some: set[Guard], one_more: Guard
) -> None:
    def guarded(by: set[Guard]) -> set[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recommending, "GUARDS", tuple(replace(guard, stands=lambda *_: True) for guard in by))
            return actions(advised(morning, found, hours))

    assert guarded({*some, one_more}) <= guarded(some) | {PERSON}


def test_every_guard_takes_an_action_from_some_morning(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [actions(advised(morning)) for morning in CASES]
    for guard in GUARDS:
        always = replace(guard, stands=lambda *_: True)
        monkeypatch.setattr(recommending, "GUARDS", tuple(always if each is guard else each for each in GUARDS))
        assert any(actions(advised(each)) < had | {PERSON} for each, had in zip(CASES, plain, strict=True)), guard.name


# ---- the same evidence gives the same answer ----


@given(mornings, seen, hours, st.permutations(list(CHECKS)))
def test_the_order_in_which_it_was_counted_and_read_makes_no_difference(
    morning: Morning, found: Seen, hours: float, order: Sequence[str]
) -> None:
    at, case = AT + timedelta(hours=hours), morning.case()
    turned = replace(case, readings={name: {**case.readings[name], "took_s": 9.9} for name in order})
    first = recommend(case, Scales(found.of(morning.rule)).at(at))
    second = recommend(turned, Scales(found.of(morning.rule, -1)).at(at))
    assert first == second
    assert found.of(morning.rule).edition == found.of(morning.rule, -1).edition


FAILED = [
    (),
    *(tuple(Tried(NODE, action, 7 + at, AT) for at, action in enumerate(PRESSED) if at <= n) for n in range(4)),
]


def test_what_is_found_by_the_same_evidence_is_answered_the_same() -> None:
    told: dict[str, tuple[object, ...]] = {}
    for morning, incidents, tried in product(CASES, range(5), FAILED):
        found = advised(replace(morning, past=NodePast(incidents, morning.past.since), tried=tried))
        ways = [(way["action"], way["confidence"], way["cost_h"]) for way in found["ranked"]]
        cut = {each["action"]: each["guard"] for each in found["refused_by"]}
        said = (found["diagnosis"], found["family"], found["title"], found["action"], ways, cut)
        assert told.setdefault(found["evidence"], said) == said


# ---- a person's reason is never proposed on ----

texts = st.sampled_from([*PEOPLE, "", "botd: power-cycle b99 by kmf"]) | st.text(min_size=1, max_size=30).map(
    lambda text: f"{text} -jd"
)
slurms = st.sampled_from([row.text.replace("…", "48128") for row in SLURM_REASONS])


@given(mornings, st.sampled_from(["drained", "down*", "draining"]), texts, st.lists(slurms, max_size=2), seen, hours)
def test_on_a_persons_reason_nothing_is_proposed_whoever_else_gave_one_and_whatever_was_counted(
    morning: Morning, state: str, text: str, others: Sequence[str], found: Seen, hours: float
) -> None:
    reasons = [*others[:1], text, *others[1:]] if text else []
    kept = replace(morning, state=state, reason=" : ".join(reasons), by="jd")
    advice = advised(kept, found, hours)
    assert (advice["action"], actions(advice)) == (PERSON, {PERSON}), advice["diagnosis"]


# ---- unknown is never counted as good ----

DARK = ["cannot be told", "not read yet", "what an earlier botd said"]
titles = st.sampled_from(["", "ready to go back", "more load than cores", *DARK]) | st.sampled_from(
    [rule.title for rule in RULES]
)
slurm_words = st.just("in service") | st.sampled_from(["down*", "drained", "not in Slurm"])
moments = st.sampled_from([0.5, 12.0, 22.0, 23.5]) | st.floats(0.01, 23.9)


def _course(found: list[tuple[float, str, str, bool]], begins: tuple[str, str]) -> list[Change]:
    """A day of a node as the history has it, each change with what was there before."""
    title, slurm = begins
    changes = []
    for hours, new_title, new_slurm, is_slurm in sorted(found):
        at = datetime(2026, 11, 25, 3, tzinfo=UTC) + timedelta(hours=hours)
        if is_slurm and new_slurm != slurm:
            changes.append(Change("n1", SLURM, slurm, new_slurm, at, "Not responding"))
            slurm = new_slurm
        elif not is_slurm and new_title != title:
            changes.append(Change("n1", DIAGNOSIS, title, new_title, at))
            title = new_title
    return changes


@settings(max_examples=400)
@given(
    st.sampled_from(JUDGED),
    st.sampled_from([True, None]),
    st.tuples(titles, slurm_words),
    st.lists(st.tuples(moments, titles, slurm_words, st.booleans()), max_size=3),
    st.just(0.0) | st.floats(0, 24),
)
def test_a_day_of_which_something_is_not_known_is_never_good(
    action: str, worked: bool | None, begins: tuple[str, str], found: list[tuple[float, str, str, bool]], blind: float
) -> None:
    done = Done(action, datetime(2026, 11, 25, 3, tzinfo=UTC), worked)
    changes = _course(found, begins)
    judged = judge(done, Aftermath(*begins, changes, (), timedelta(hours=blind)), done.at + WINDOW)
    ends = next((each.new for each in reversed(changes) if each.subject == DIAGNOSIS), begins[0])
    is_dark = bool(ends) and diagnosis_of(ends) in UNTOLD | OTHERS
    if worked is None or blind > 2.4 or (is_dark and action != RESUME):
        assert judged
        assert judged.verdict is not Verdict.GOOD


# ---- a mixed scope is never shown ----


@given(st.sampled_from(LADDERED), seen, hours)
def test_whatever_is_shown_of_a_way_is_of_the_scope_that_it_names(morning: Morning, found: Seen, hours: float) -> None:
    advice = advised(morning, found, hours)
    for way in advice["ranked"]:
        sure = way["confidence"]
        if sure is None or way["action"] == WAIT:
            continue
        these = [each for each in found.counts if each.action == way["action"]]
        these = [each for each in these if sure["scope"] in (each.hardware, EVERYWHERE)]
        good, of = sum(each.good for each in these), sum(each.good + each.bad for each in these)
        assert (sure["good"], sure["of"]) == (good, of)
        scope, shown = scope_words(way), sure_words(way["action"], sure)
        assert scope == (sure["scope"] if shown else f"guess: {100 * sure['p']:.0f} %")
        assert not shown or shown.endswith(f" %, {good} of {of}")
        if way is advice["ranked"][0] and shown:
            assert f"{good} of {of} nodes like this ({advice['title']}, {scope})" in advice["words"]
        if way is not advice["ranked"][0] and shown:
            assert any(line.endswith(f"({shown})") for line in ways_in_lines(advice))


@given(seen)
def test_what_the_page_of_trust_shows_is_of_all_hardware(found: Seen) -> None:
    for row in trust_document([], found.of("silent"))["counted"]:
        these = [each._replace(hardware="savio2") for each in found.counts if each.action == row["action"]]
        whole = bound(tally(these, "", row["action"], "savio2", TODAY))
        assert (row["at_least"], row["good"]) == (whole and whole.at_least, sum(each.good for each in these))
