"""Letters: what is written is read again, and nothing that somebody else wrote or changed is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from nacl.signing import SigningKey

from botd.answers import (
    Delivery,
    EventsAnswer,
    LoginAnswer,
    Output,
    PingAnswer,
    PowerAnswer,
    PowerState,
    PresenceAnswer,
    SlurmAnswer,
    Source,
    SshState,
)
from botd.workers.letters import (
    Answers,
    BadLetter,
    Order,
    public_of,
    read_answers,
    read_order,
    slice_of,
    write_answers,
    write_order,
)

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
MINE, THEIRS = public_of(KEY), public_of(OTHER)
SLICE = "0123456789abcdef" * 2
ORDER = Order(SLICE, "a", ("n1", "n2"), ("ping", "df_tmp"), {"n2": ("10.0.0.2", "")}, True, datetime.now(UTC))
DELIVERIES = (
    Delivery("n1", Source.PING, PingAnswer(3, 2, 0.25)),
    Delivery("n1", Source.PING, PingAnswer(3, 0, None, "fping: away")),
    Delivery("n1", Source.LOGIN, LoginAnswer(SshState.HOST_KEY, "another key"), 1.5),
    Delivery("n1", Source.COMMAND, Output("mount rw\n4096 9 \x1b[1m\n", 0), 2, "df_tmp"),
    Delivery("n1", Source.COMMAND, Output("", None, True, False, "did not end"), 2.0, "df_tmp"),
    Delivery("n1", Source.PRESENCE, PresenceAnswer(True)),
    Delivery("n1", Source.POWER, PowerAnswer(PowerState.OFF, "it says so")),
    Delivery("n1", Source.EVENTS, EventsAnswer((bytes(range(16)), b"\xff" * 16), 1_700_000_000, 2)),
)
ANSWERS = Answers(SLICE, "a.17@login1", DELIVERIES, True, ("fping is missing",))


def test_an_order_is_read_as_it_was_written() -> None:
    assert read_order(write_order(ORDER, KEY), [MINE]) == ORDER


def test_answers_of_every_kind_are_read_as_they_were_written() -> None:
    letter = write_answers(ANSWERS, KEY)
    assert read_answers(letter, [THEIRS, MINE]) == ANSWERS
    assert slice_of(letter) == SLICE


def test_a_letter_by_another_key_is_refused_also_where_it_names_the_right_one() -> None:
    with pytest.raises(BadLetter, match="may not sign"):
        read_order(write_order(ORDER, OTHER), [MINE])
    forged = json.dumps({**json.loads(write_order(ORDER, OTHER)), "key": MINE})
    with pytest.raises(BadLetter, match="signature"):
        read_order(forged, [MINE])


def test_what_was_changed_on_the_way_is_refused() -> None:
    letter = write_order(ORDER, KEY)
    assert "n2" in letter
    with pytest.raises(BadLetter, match="signature"):
        read_order(letter.replace("n2", "n3"), [MINE])


def test_one_kind_of_letter_is_never_taken_for_the_other() -> None:
    with pytest.raises(BadLetter, match="signature"):
        read_answers(write_order(ORDER, KEY), [MINE])


@pytest.mark.parametrize("letter", [None, 7, "", "{", "[]", "{}", '{"body": 1}', '{"key": 1, "body": "{}"}'])
def test_what_is_no_letter_is_refused(letter: object) -> None:
    for read in (read_order, read_answers):
        with pytest.raises(BadLetter):
            read(letter, [MINE])
    with pytest.raises(BadLetter):
        slice_of(letter)


@pytest.mark.parametrize(
    "row",
    [
        ["n1", "squeue", "", None, [[], "", ""]],
        ["n1", "ping", "", None, [3, 3]],
        ["n1", "ping", "", None, [3, 3, "fast", ""]],
        ["n1", "ping", "", None, [True, 3, 0.1, ""]],
        ["n1", "login", "", None, ["well", ""]],
        ["-oProxyCommand=x", "ping", "", None, [3, 3, 0.1, ""]],
        ["n1", "events", "", None, [["zz"], None, 1, "", ""]],
        ["n1", "nothing", "", None, []],
        ["n1"],
        "n1",
    ],
)
def test_a_signed_answer_that_is_none_is_refused(row: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.workers.letters._row", lambda _: row)
    with pytest.raises(BadLetter, match="cannot be read"):
        read_answers(write_answers(ANSWERS, KEY), [MINE])


def test_what_slurm_says_is_not_a_workers_to_say() -> None:
    answers = Answers(SLICE, "a", (Delivery("n1", Source.JOBS, SlurmAnswer()),))
    with pytest.raises(BadLetter):
        read_answers(write_answers(answers, KEY), [MINE])
