"""Which nodes of an answer are shown, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from botd.board.choosing import COLUMNS, EVERYTHING, Choice, choose, read_choice
from botd.checks import site_checks
from botd.config import parse_config
from botd.documents import NodeDocument, iso
from botd.errors import BadRequest

CHECKS = site_checks(parse_config({}))
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def node(name: str, state: str | None = "idle", cause: str = "", hours: float | None = None, **readings: Any) -> Any:
    """A node with a cause such as `ssh/sshd-gone`, for so many hours, and readings as `state value`."""
    family, _, rule = cause.partition("/")
    return {
        "node": name,
        "groups": [],
        "slurm": {"state": state, "reason": "", "reason_by": ""} if state else None,
        "recommendation": {"family": family, "diagnosis": rule, "title": rule} if cause else None,
        "since": None if hours is None else iso(NOW - timedelta(hours=hours)),
        "readings": {check: reading(*said) for check, said in readings.items()},
    }


def reading(state: str, value: Any = None) -> dict[str, Any]:
    return {"state": state, "value": value, "unit": None, "at": iso(NOW), "took_s": None, "detail": ""}


NODES: list[NodeDocument] = [
    node("n1", "drained*", "ssh/sshd-gone", 30, ssh=("fail", "refused"), load=("skipped",)),
    node("n2", "draining", "draining/draining", 2, ssh=("ok", "up"), load=("warn", 1.6)),
    node("n9", "idle", "", None, ssh=("ok", "up"), load=("ok", 0.5)),
    node("n10", None, "ssh/login", 5, ssh=("unknown", "?"), load=("unknown",)),
]


def names(nodes: list[NodeDocument]) -> list[str]:
    return [node["node"] for node in nodes]


def read(**args: str) -> Choice:
    return read_choice(args, ("ssh", "load"), ("drained*", "unheard+"), NOW - timedelta(hours=24))


@pytest.mark.parametrize(
    ("args", "chosen"),
    [
        ({}, ["n1", "n2", "n9", "n10"]),
        ({"family": "ssh"}, ["n1", "n10"]),
        ({"family": "ssh, draining"}, ["n1", "n2", "n10"]),
        ({"diagnosis": "sshd-gone"}, ["n1"]),
        ({"any": "fail"}, ["n1"]),
        ({"any": "warn,unknown"}, ["n2", "n10"]),
        ({"any": "not-ok"}, ["n1", "n2", "n10"]),
        ({"any": "ok"}, ["n9"]),
        ({"any": "skipped"}, ["n1"]),
        ({"only": "new"}, ["n2", "n10"]),
        ({"state": "drained"}, ["n1"]),
        ({"state": "drained*,IDLE"}, ["n1", "n9"]),
        ({"state": "not in Slurm"}, ["n10"]),
        ({"state": "unheard"}, []),
        ({"family": "ssh", "only": "new"}, ["n10"]),
        ({"family": "", "any": ",", "state": " ", "only": "", "sort": ""}, ["n1", "n2", "n9", "n10"]),
    ],
)
def test_filters_choose_nodes(args: dict[str, str], chosen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.board.choosing.RULES", [Rule("sshd-gone")])
    assert names(choose(NODES, read(**args), CHECKS)) == chosen


class Rule:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("name", ["n1", "n2", "n9", "n10"]),
        ("-name", ["n10", "n9", "n2", "n1"]),
        ("state", ["n1", "n2", "n9", "n10"]),
        ("since", ["n2", "n10", "n1", "n9"]),
        ("-since", ["n1", "n10", "n2", "n9"]),
        ("family", ["n1", "n10", "n2", "n9"]),
        ("-family,-name", ["n2", "n10", "n1", "n9"]),
        ("load", ["n9", "n2", "n10", "n1"]),
        ("-load", ["n10", "n2", "n9", "n1"]),
        ("-ssh", ["n1", "n10", "n2", "n9"]),
    ],
)
def test_they_stand_in_the_order_that_is_asked_for_and_what_has_nothing_comes_last(sort: str, order: list[str]) -> None:
    assert names(choose(NODES, read(sort=sort), CHECKS)) == order


def test_every_column_sorts_every_node() -> None:
    for column in (*COLUMNS, "ssh", "load"):
        for way in ("", "-"):
            assert sorted(names(choose(NODES, read(sort=way + column), CHECKS))) == sorted(names(NODES))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"family": "shh"}, 'parameter "family": there is no "shh"; did you mean "ssh"?'),
        ({"diagnosis": "qqqqq"}, 'parameter "diagnosis": there is no "qqqqq"; known: '),
        ({"any": "fial"}, 'parameter "any": there is no "fial"; did you mean "fail"?'),
        (
            {"any": "ok,purple"},
            'parameter "any": there is no "purple"; known: fail, not-ok, ok, skipped, unknown, warn',
        ),
        ({"only": "old"}, 'parameter "only": there is no "old"; known: new'),
        ({"state": "drainde"}, 'parameter "state": there is no "drainde"; did you mean "drained"?'),
        ({"sort": "-laod"}, 'parameter "sort": there is no "laod"; did you mean "load"?'),
        ({"sort": "ping"}, 'parameter "sort": there is no "ping"'),
    ],
)
def test_a_word_that_is_not_known_is_refused_with_the_parameter_and_the_nearest(
    args: dict[str, str], words: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**args)
    assert str(refused.value).startswith(words)


def test_the_filters_are_told_as_they_stand_in_the_url_and_a_choice_of_nothing_is_everything() -> None:
    assert read(sort="-name", state="DRAINED*", family="ssh,ssh").words == "family=ssh state=drained"
    assert read(family="", since="") == EVERYTHING
