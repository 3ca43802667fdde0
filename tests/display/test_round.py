"""The morning round as a document and as text: every node that needs somebody, once, and no line too long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from botd import nodeset
from botd.advice.rules import FAMILIES
from botd.display.findings import Survey
from botd.display.round import RoundDocument, next_words, round_document
from botd.display.round_text import round_text
from botd.display.terminal import Look
from botd.documents import NodeDocument, iso, status_head
from botd.history.news import News
from botd.model import Note, NoteKind
from botd.rounds import ROUND_FAMILIES
from botd.text import width

NOW = datetime(2026, 11, 26, 8, 10, tzinfo=UTC)
TEXT = st.text(max_size=120)
FAMILY = st.sampled_from(list(FAMILIES))


def node(name: str = "n0007.savio2", family: str = "ready", *, reason: str = "Not responding", **more: Any) -> Any:
    """A node with a recommendation."""
    advice = {
        "diagnosis": family,
        "title": FAMILIES[family],
        "family": family,
        "explanation": "all checks are well",
        "next": "resume",
        "action": "resume",
        "confidence": None,
    }
    slurm = {"state": "drained", "reason": reason, "reason_by": "root", "reason_at": iso(NOW - timedelta(hours=26))}
    return {
        "node": name,
        "groups": [],
        "slurm": {**slurm, **{key: value for key, value in more.items() if key in slurm}},
        "readings": {},
        "recommendation": {**advice, **{key: value for key, value in more.items() if key in advice}},
    }


def made(
    nodes: Sequence[NodeDocument],
    *,
    in_service: Sequence[str] = (),
    news: News | None = None,
    problems: Sequence[str] = (),
    notes: Sequence[Note] = (),
) -> RoundDocument:
    names = {each["node"] for each in nodes}
    head = status_head(["sinfo"], ["ping"], as_of=NOW, count=len(names), complete=True, problems=problems)
    read = Survey(iso(NOW - timedelta(minutes=4)), iso(NOW - timedelta(seconds=12)), 0, {})
    return round_document(
        head, nodes, ROUND_FAMILIES, out=names - set(in_service), total=320, read=read, news=news, notes=notes
    )


def text(document: RoundDocument, columns: int | None = None, *, color: bool = False) -> str:
    return round_text(document, Look(columns, color), NOW)


def news(new: str = "", back: str = "", changed: str = "", *, ago_h: float = 24, whole: bool = True) -> News:
    sets = [frozenset(nodeset.expand(names) if names else ()) for names in (new, back, changed)]
    return News(NOW - timedelta(hours=ago_h), whole, *sets)


def test_families_stand_in_the_order_of_what_can_be_done_and_what_is_somebodys_last() -> None:
    document = made([node(f"n{place}", family) for place, family in enumerate(reversed(FAMILIES))])
    families = [family["family"] for family in document["families"]]
    assert families[0] == "ready"
    assert families[-1] == "colleague"
    assert [family for family in families if family != "colleague"] == [f for f in FAMILIES if f != "colleague"]
    assert [family["family"] for family in document["families"] if family["aside"]] == ["colleague"]


def test_every_family_has_a_title_and_a_gloss() -> None:
    assert ROUND_FAMILIES.titles.keys() == ROUND_FAMILIES.glosses.keys() > set(ROUND_FAMILIES.aside)


@given(st.lists(st.tuples(st.integers(0, 999), FAMILY, st.booleans()), unique_by=lambda each: each[0]))
def test_every_node_stands_exactly_once_under_its_family_and_in_its_hostlist(
    found: list[tuple[int, str, bool]],
) -> None:
    given_families = {f"n{number:04d}.savio2": family for number, family, _ in found}
    in_service = [f"n{number:04d}.savio2" for number, _, serves in found if serves]
    document = made([node(name, family) for name, family in given_families.items()], in_service=in_service)
    placed = [(each["node"], family["family"]) for family in document["families"] for each in family["nodes"]]
    assert sorted(placed) == sorted(given_families.items())
    for family in document["families"]:
        names = {each["node"] for each in family["nodes"]}
        assert set(nodeset.expand(family["nodeset"])) == set(nodeset.expand(family["hostlist"])) == names
        assert family["count"] == len(names)
    assert document["out"] == len(found) - len(in_service)
    lines = text(document).splitlines()
    starts = [line[2:].split()[0] for line in lines if re.match(r"[*~ ] n", line)]
    assert sorted(starts) == sorted(given_families)


def test_a_node_has_two_lines_and_the_same_cause_of_several_stands_once() -> None:
    document = made([node("n0007.savio2"), node("n0008.savio2"), node("n0009.savio2", explanation="no process left")])
    assert text(document).splitlines() == [
        "3 out of service of 320 nodes, read 12 s to 4 min ago (2026-11-26 08:10 UTC)",
        "",
        "READY TO GO BACK (3): everything is well again, the reason is no longer true",
        "    n0007.savio2,n0008.savio2,n0009.savio2",
        "  n0007.savio2  drained  26 h  root  Not responding",
        "  n0008.savio2  drained  26 h  root  Not responding",
        "    > all 2: all checks are well -> resume",
        "  n0009.savio2  drained  26 h  root  Not responding",
        "    > no process left -> resume",
    ]


def test_what_does_not_fit_goes_on_below_and_nothing_is_cut() -> None:
    reason = "NHC: check_hw_physmem:  actual RAM size (57459408 kB) less than minimum allowed (67108864 kB)"
    explanation = "its last words: " + " ".join(f"word{number}" for number in range(12))
    found = text(made([node(reason=reason, family="slurmd", explanation=explanation, next="start slurmd " * 6)]))
    assert " ".join(reason.split()) in " ".join(found.split())
    lines = found.splitlines()[3:]
    assert lines[0] == "  n0007.savio2  drained  26 h  root  NHC: check_hw_physmem: actual RAM size"
    assert lines[1] == " " * 37 + "(57459408 kB) less than minimum allowed"
    assert lines[3].startswith("    > its last words: word0 ")
    assert lines[4].startswith("      word")
    assert lines[5].startswith("    -> start slurmd")
    assert lines[6].startswith("       slurmd")


def test_a_very_long_reason_stands_below_its_node() -> None:
    reason = "see https://tickets.example.org/browse/HPC-12345?focus=comment-9999999 and " * 3
    lines = text(made([node(reason=reason.strip())])).splitlines()[3:]
    assert lines[0] == "  n0007.savio2  drained  26 h  root"
    assert lines[1] == "    see https://tickets.example.org/browse/HPC-12345?focus=comment-9999999 and"


def test_a_title_that_is_not_the_familys_stands_before_the_why() -> None:
    assert "> scratch hung; all checks are well -> resume" in text(
        made([node(family="file-system", title="scratch hung")])
    )


def test_a_title_whose_words_are_in_the_why_is_not_said_twice() -> None:
    found = text(made([node(family="file-system", title="scratch hung", explanation="/global/scratch is hung")]))
    assert "> /global/scratch is hung -> resume" in found


def test_what_is_somebodys_says_what_is_seen_and_no_next_step() -> None:
    found = text(made([node(family="colleague", explanation="powered off", next="leave it", reason="needs new dimms")]))
    assert "needs new dimms\n    > powered off\n" in found
    assert "leave it\n" not in found


def test_a_node_in_service_with_a_finding_stands_where_it_belongs_and_says_so() -> None:
    serving = node("n0001.savio2", "leftovers", state="idle", reason="", reason_by="", reason_at=None)
    document = made([serving, node("n0002.savio2", "leftovers")], in_service=["n0001.savio2"])
    (family,) = document["families"]
    assert [(each["node"], each["in_service"]) for each in family["nodes"]] == [
        ("n0002.savio2", False),
        ("n0001.savio2", True),
    ]
    assert document["out"] == 1
    assert re.search(r"  n0001.savio2  idle +in service\n", text(document))


def test_new_and_changed_nodes_are_marked_and_counted_and_those_that_are_back_are_named() -> None:
    document = made([node("n0001"), node("n0002"), node("n0003")], news=news("n0001", "n[0010-0012]", "n0002"))
    found = text(document)
    assert found.splitlines()[1] == "since yesterday 08:10 UTC: 1 new, 3 back, 1 changed"
    assert "\n* n0001  " in found
    assert "\n~ n0002  " in found
    assert "\n  n0003  " in found
    assert found.splitlines()[-2:] == [
        "# * new, ~ changed since yesterday 08:10 UTC",
        "# back in service since yesterday 08:10 UTC: n[0010-0012]",
    ]


def test_a_record_that_is_younger_than_what_is_asked_for_is_said() -> None:
    found = text(made([node()], news=news(ago_h=0.5, whole=False)))
    assert found.splitlines()[1] == "since 07:40 UTC, when the record begins: nothing new"
    assert text(made([node()], news=news(ago_h=72))).splitlines()[1] == "since 23 Nov 08:10 UTC: nothing new"


def test_what_is_wrong_with_the_answer_stands_at_its_head() -> None:
    found = text(made([node()], problems=["the agent is not running"])).splitlines()
    assert found[1] == "# the agent is not running"


def test_a_morning_on_which_nobody_is_needed_says_so() -> None:
    assert text(made([])).endswith("\n\nNobody is needed: every node asked for is in service and well.\n")


def test_colours_are_for_what_is_new_and_for_what_is_to_be_done() -> None:
    document = made([node("n0001"), node("n0002", "draining", action="wait", next="wait")], news=news("n0001"))
    found = text(document, color=True)
    assert re.findall(r"\x1b\[(\d+)m([^\x1b]*)\x1b", found) == [
        ("1", "READY TO GO BACK (1): everything is well again, the reason is no longer true"),
        ("33", "* n0001  drained  26 h  root  Not responding"),
        ("36", "-> resume"),
        ("1", "DRAINING, A JOB RUNS (1): a job still runs: wait for its end"),
    ]
    assert re.sub(r"\x1b\[\d+m", "", found) == text(document)


@given(
    st.lists(st.tuples(FAMILY, TEXT, TEXT, TEXT, TEXT, TEXT), min_size=1, max_size=4),
    st.integers(20, 120),
)
def test_no_line_is_wider_than_asked_whatever_anybody_writes(found: list[tuple[str, ...]], columns: int) -> None:
    nodes = [
        node(f"n{place:04d}.a-rather-long-cluster", family, reason=reason, reason_by=by, state=state,
             explanation=why, next=then)
        for place, (family, reason, by, state, why, then) in enumerate(found)
    ]  # fmt: skip
    document = made(nodes, news=news("n0000.a-rather-long-cluster"), problems=[found[0][1]])
    for asked, most in ((columns, columns), (None, 80)):
        lines = text(document, asked).splitlines()
        assert max(map(width, lines)) <= most
        assert all(line.isprintable() for line in lines)


@given(TEXT)
def test_a_reason_is_whole_whatever_its_length(reason: str) -> None:
    """But for blanks at the ends of lines, and what a terminal would obey."""
    shown = text(made([node(reason=reason)]), 80)
    kept = "".join(char for char in reason if char.isprintable() and not char.isspace())
    squeezed = "".join(shown.split())
    assert all(word in squeezed for word in [kept[:40], kept[-40:]])


def note(name: str, kind: NoteKind, text: str = "parts ordered", **more: Any) -> Note:
    return Note(name, kind, text, "anna", NOW, "silent", **more, id=7)


def test_a_node_that_somebody_knows_of_or_has_put_off_stands_at_the_end_with_what_was_noted() -> None:
    until = NOW + timedelta(hours=8)
    notes = [
        note("n0", NoteKind.ACKNOWLEDGE, ""),
        note("n1", NoteKind.SNOOZE, until=until),
        note("n2", NoteKind.TICKET, "RT 4711"),
    ]
    document = made([node(f"n{place}") for place in range(4)] + [node("n9", "colleague")], notes=notes)
    assert [(family["family"], family["nodeset"]) for family in document["families"]] == [
        ("ready", "n[2-3]"),
        ("colleague", "n9"),
        ("noted", "n[0-1]"),
    ]
    assert document["families"][-1]["aside"] is True
    lines = text(document).splitlines()
    assert "    # anna, ticket: RT 4711" in lines
    assert (
        "    # anna, snooze until 2026-11-26 16:10 UTC: parts ordered"
        in lines[lines.index("    # anna, acknowledge") :]
    )


def test_what_people_note_keeps_to_the_width_and_commands_no_terminal() -> None:
    said = note("n0", NoteKind.SAY, "word " * 60 + "\x1b[31m\u202e")
    drawn = text(made([node("n0")], notes=[said]), 40)
    assert not {"\x1b", "\u202e"} & set(drawn)
    assert max(map(width, drawn.splitlines())) <= 40


def test_how_sure_it_is_stands_behind_the_next_step_where_it_was_counted() -> None:
    sure = {"p": 0.9, "at_least": 0.86, "good": 190, "of": 210, "scope": "savio2"}
    guess = {**sure, "at_least": None, "good": 0, "of": 0}
    told = [next_words(made([node(confidence=each)])["families"][0]["nodes"][0]) for each in (sure, guess, None)]
    assert told == ["resume, at least 86 %, 190 of 210", "resume", "resume"]
