"""The chain of the audit: what is altered, taken out or cut off shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from botd.audit import (
    GENESIS,
    KINDS,
    LIMIT,
    Checkpoint,
    Event,
    Row,
    chained,
    checkpoint_text,
    key_text,
    lines,
    make_checkpoint,
    next_row,
    read_checkpoint,
    sign,
    verify,
)

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
KEY, NEXT, STRANGER = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))


def made(key: SigningKey = KEY) -> Event:
    return Event("ledger-made", "agent", detail={"key": key_text(key.verify_key)})


def chain(*events: Event) -> list[Row]:
    rows: list[Row] = []
    for event in (made(), *events):
        rows.append(next_row(rows[-1] if rows else None, event, NOW))
    return rows


def signed(rows: list[Row], size: int, key: SigningKey = KEY) -> Checkpoint:
    return make_checkpoint(size, rows[size - 1].hash, NOW, key)


LOGINS = [Event("login", name) for name in ("anna", "kmf", "bea", "cho")]


def test_a_row_is_canonical_json_and_its_hash_covers_all_before_it() -> None:
    first, second = chain(Event("login", "anna", words="bad GPU 3"))
    assert second.document == (
        '{"about":"","at":"2026-11-26T20:00:00.000Z","by":"anna","detail":{},"kind":"login","number":2,'
        '"words":"bad GPU 3"}'
    )
    assert first.hash == chained(GENESIS, first.document)
    assert second.hash == chained(first.hash, second.document)


def test_a_kind_that_there_is_none_of_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="coffee"):
        next_row(None, Event("coffee"), NOW)


@given(st.text(st.characters(exclude_categories=())))
def test_what_people_type_is_cut_and_can_neither_end_a_line_nor_obey(text: str) -> None:
    row = next_row(None, Event("login", text, text, text, {"x": text}), NOW)
    assert row.document.isascii()
    assert row.document.isprintable()
    found = json.loads(row.document)
    assert all(part.isprintable() for part in (found["words"], found["by"], found["about"], found["detail"]["x"]))
    if text.isprintable():
        assert found["words"] == text[:LIMIT]


def test_a_whole_chain_is_whole_also_against_what_was_signed() -> None:
    rows = chain(*LOGINS)
    verdict = verify(rows, [signed(rows, 2), signed(rows, 5)])
    assert verdict == (5, rows[-1].hash, None, "", ())
    assert verify([]) == (0, GENESIS, None, "", ())


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_row_that_was_altered_breaks_the_chain_there(number: int) -> None:
    rows = chain(*LOGINS)
    old = rows[number - 1]
    rows[number - 1] = old._replace(document=old.document.replace("login", "logon").replace("agent", "nobody"))
    assert verify(rows).broken_at == number


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_row_that_was_taken_out_breaks_the_chain_there(number: int) -> None:
    rows = chain(*LOGINS)
    del rows[number - 1]
    verdict = verify(rows)
    assert (verdict.broken_at, verdict.why) == (number, f"row {number} is missing")


ROTATED = '{"detail":{"key":"","signature":""},"kind":"keys-rotated","number":1}'


@pytest.mark.parametrize("rows", [[Row(1, b"{}", "")], [Row(1, ROTATED, chained(GENESIS, ROTATED))]])
def test_bytes_in_place_of_a_text_and_a_new_key_of_none_are_broken(rows: list[Row]) -> None:
    assert verify(rows).broken_at == 1


@pytest.mark.parametrize("document", ["{}", "[]", "no json", "null", '{"number":6}', "[" * 100_000])
def test_a_row_with_a_right_hash_that_is_no_row_is_broken(document: str) -> None:
    rows = chain(*LOGINS)
    rows.append(Row(6, document, chained(rows[-1].hash, document)))
    assert verify(rows).broken_at == 6


def test_a_chain_that_was_made_anew_from_some_row_on_is_not_what_was_signed() -> None:
    rows = chain(*LOGINS)
    forged = chain(LOGINS[0], Event("login", "mallory"), *LOGINS[2:])
    verdict = verify(forged, [signed(rows, 2), signed(rows, 4)])
    assert (verdict.broken_at, verdict.why) == (
        4,
        "row 4 was another one when it was signed at 2026-11-26T20:00:00.000Z",
    )


def test_a_tail_that_was_cut_off_shows() -> None:
    rows = chain(*LOGINS)
    verdict = verify(rows[:3], [signed(rows, 2), signed(rows, 5)])
    assert verdict.broken_at == 4
    assert verdict.why == "rows 4 to 5 are missing, which were signed at 2026-11-26T20:00:00.000Z"


def test_what_a_stranger_signed_is_no_checkpoint_of_the_chain() -> None:
    rows = chain(*LOGINS)
    assert "a key that the chain does not name" in verify(rows, [signed(rows, 3, STRANGER)]).why


# ---- keys ----


def rotation(new: SigningKey, by: SigningKey) -> Event:
    key = key_text(new.verify_key)
    return Event("keys-rotated", "kmf", detail={"key": key, "signature": sign(by, key)})


def test_what_the_old_and_the_new_key_have_signed_counts() -> None:
    rows = chain(LOGINS[0], rotation(NEXT, KEY), LOGINS[1])
    assert verify(rows, [signed(rows, 2), signed(rows, 4, NEXT)]).broken_at is None


def test_a_key_that_the_old_one_has_not_signed_breaks_the_chain() -> None:
    rows = chain(LOGINS[0], rotation(NEXT, STRANGER), LOGINS[1])
    assert (verify(rows).broken_at, verify(rows).why) == (3, "row 3: the new key is not signed by the one before")


def test_keys_that_were_made_because_there_were_none_are_told() -> None:
    rows = chain(LOGINS[0], Event("keys-made", "kmf", detail={"key": key_text(NEXT.verify_key)}))
    verdict = verify(rows, [signed(rows, 3, NEXT)])
    assert (verdict.broken_at, verdict.notes) == (None, ("row 3: keys were made, because there were none",))


# ---- a restored ledger ----


def test_rows_that_were_lost_with_a_restored_ledger_are_a_note_where_somebody_has_said_so() -> None:
    lost = chain(*LOGINS)
    points = [signed(lost, 2), signed(lost, 4), signed(lost, 5)]
    rearm = Event("rearm", "kmf", words="disk died", detail={"lost_size": 5, "lost_head": lost[4].hash})
    rows = chain(LOGINS[0], rearm, Event("login", "dan"), Event("login", "eve"))
    verdict = verify(rows, [*points, signed(rows, 3), signed(rows, 5)])
    assert verdict.broken_at is None
    assert verdict.notes == ("row 3: a person has said that rows up to 5 were lost, and why",)


def test_a_rearm_forgives_nothing_that_was_signed_after_it() -> None:
    lost = chain(*LOGINS)
    rearm = Event("rearm", "kmf", detail={"lost_size": 4, "lost_head": lost[3].hash})
    rows = chain(LOGINS[0], rearm, Event("login", "dan"))
    later = chain(LOGINS[0], rearm, Event("login", "eve"))
    assert verify(rows, [signed(lost, 4), signed(later, 4)]).broken_at == 4


# ---- checkpoints ----


def test_a_checkpoint_survives_its_text() -> None:
    point = signed(chain(*LOGINS), 3)
    assert read_checkpoint(checkpoint_text(point)) == point
    assert list(lines(f"{checkpoint_text(point)}\n" * 2)) == [point, point]


@pytest.mark.parametrize("field", ["size", "head", "at", "key", "signature"])
def test_a_checkpoint_of_which_anything_was_altered_is_none(field: str) -> None:
    point = signed(chain(*LOGINS), 3)
    other = {"size": 4, "head": GENESIS, "at": "2027-01-01T00:00:00.000Z", "key": "00" * 32, "signature": "00" * 64}
    with pytest.raises(ValueError, match="wrong signature"):
        read_checkpoint(checkpoint_text(point._replace(**{field: other[field]})))


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"size": 1}', "{" * 100_000, '{"size":"1","head":"","at":"","key":"","signature":""}'],
)
def test_what_is_no_checkpoint_is_said_with_its_line(text: str) -> None:
    good = checkpoint_text(signed(chain(), 1))
    with pytest.raises(ValueError, match="line 2 is no checkpoint"):
        list(lines(f"{good}\n{text}\n{good}\n"))


def test_every_kind_of_row_has_its_words() -> None:
    assert all(kind.replace("-", "").isalpha() and words for kind, words in KINDS.items())
