"""JSON, NDJSON, CSV and the text table of one answer, and hostile text in each."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.cells import width
from botd.checks import site_checks
from botd.config import parse_config
from botd.documents import encode, node_document, reading_document
from botd.formats import MIME, records_body, status_body, to_csv, to_json, to_ndjson, to_table
from botd.model import Reading, SlurmNode, State

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
HOSTILE = "a\x1b[31m\n\r\tb\x00\u202ec\u2066\x9b节点\u2028d"


def node(name: str = "n1.x", reason: str = "no IB", **values: object) -> dict[str, Any]:
    readings = {check: reading_document(Reading(State.OK, value)) for check, value in values.items()}
    slurm = SlurmNode(name, "drained", "IDLE", ("DRAIN",), reason=reason)
    return node_document(name, ["sinfo", "x"], slurm, readings, [CHECKS[check] for check in values])


def body(form: str, *nodes: dict[str, Any], problems: tuple[str, ...] = ()) -> str:
    names = list(nodes[0]["readings"]) if nodes else []
    head = {"as_of": None, "checks": names, "count": len(nodes), "problems": list(problems)}
    return status_body(form, head, lambda: list(nodes), lambda: [encode(item) for item in nodes], CHECKS).decode()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def columns_of(text: str, words: tuple[str, ...]) -> list[int]:
    """Where each word begins, in columns of a terminal."""
    return [width(line[: line.index(word)]) for line in text.splitlines() for word in words if word in line]


# ---- JSON ----


def test_json_is_the_head_and_then_the_nodes() -> None:
    found = json.loads(body("json", node(ping=1.5), node("n2.x", ping=None)))
    assert [item["node"] for item in found["nodes"]] == ["n1.x", "n2.x"]
    assert (found["count"], found["checks"]) == (2, ["ping"])


def test_json_without_nodes_is_json_too() -> None:
    assert json.loads(body("json"))["nodes"] == []
    assert json.loads(to_json({"a": 1}, "items", [])) == {"a": 1, "items": []}


def test_ndjson_is_one_document_a_line() -> None:
    lines = body("ndjson", node(ping=1.5), node("n2.x", reason=HOSTILE, ping=2)).split("\n")
    assert [json.loads(line)["node"] for line in lines[:-1]] == ["n1.x", "n2.x"]
    assert lines[-1] == ""
    assert to_ndjson([]) == b""


# ---- CSV ----


def test_csv_has_a_row_per_node_and_two_columns_per_check() -> None:
    (row,) = rows(body("csv", node(ping=-1.5, users=["bob"], ipmi_reachable=True, ipmi_state=None)))
    assert (row["node"], row["groups"], row["slurm_state"], row["reason"]) == ("n1.x", "sinfo x", "drained", "no IB")
    assert (row["ping_state"], row["ping"]) == ("ok", "-1.5")
    assert (row["users"], row["ipmi_reachable"], row["ipmi_state"]) == ('["bob"]', "true", "")


def test_a_node_that_slurm_does_not_know_has_empty_cells() -> None:
    document = {**node(ping=1), "slurm": None}
    (row,) = rows(body("csv", document))
    assert (row["slurm_state"], row["reason"], row["reason_at"]) == ("", "", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "\u202e=", "＝", "\x1b="])
def test_a_csv_text_cannot_start_a_formula(start: str) -> None:
    (row,) = rows(body("csv", node(reason=f'{start}HYPERLINK("http://x")', ping=1)))
    assert row["reason"].startswith("'")


@pytest.mark.parametrize("value", [-5, -0.25, 5, 1e-7])
def test_a_csv_number_stays_a_number(value: float) -> None:
    (row,) = rows(to_csv(["a"], [[value]]).decode())
    assert float(row["a"]) == value


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1))
def test_a_csv_row_is_one_line_whatever_it_holds(table: list[list[str]]) -> None:
    text = to_csv(["a", "b"], table).decode()
    assert text.endswith("\r\n")
    lines = text.removesuffix("\r\n").split("\r\n")
    assert len(lines) == len(table) + 1
    assert all(line.isprintable() for line in lines)


# ---- the table ----


def test_the_columns_of_the_table_are_aligned() -> None:
    text = to_table(["NODE", "PING"], [["n1", "1 ms"], ["a-long-name", "2 ms"]]).decode()
    assert text == "NODE         PING\nn1           1 ms\na-long-name  2 ms\n"


def test_wide_and_combining_characters_keep_the_alignment() -> None:
    text = to_table(["A", "B"], [["节点", "x"], ["e\u0301", "x"], ["abcd", "x"]]).decode()
    assert columns_of(text, ("B", "x")) == [6, 6, 6, 6]


def test_a_long_cell_is_cut_but_the_last_one_is_whole() -> None:
    (_, line, _) = to_table(["A", "REASON"], [["a" * 50, "r" * 500]]).decode().split("\n")
    assert line == "a" * 39 + "…  " + "r" * 500


def test_the_table_shows_node_state_checks_and_reason() -> None:
    header, line, legend, _ = body("table", node(ping=1.5, users=[])).split("\n")
    assert header.split() == ["NODE", "STATE", "PING", "USERS", "REASON"]
    assert line.split() == ["n1.x", "drained", "1.50", "none", "no", "IB"]
    assert legend.startswith("# 1 nodes, as of never;")


def test_hostile_text_breaks_no_line_of_the_table() -> None:
    text = body("table", node(reason=HOSTILE, users=[HOSTILE]), node("n2.x", users=[]), problems=(HOSTILE,))
    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert lines[-1].startswith("# a [31m")


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), min_size=1))
def test_a_table_row_is_one_line_whatever_it_holds(table: list[list[str]]) -> None:
    lines = to_table(["A", "B", "C"], table).decode().removesuffix("\n").split("\n")
    assert len(lines) == len(table) + 1
    assert all(line.isprintable() for line in lines)


# ---- other lists ----

RECORDS = [{"name": "=x", "nodes": -3, "tags": ["a", "b"], "last": {"id": 7}, "none": None}]


def records(form: str) -> str:
    return records_body(form, {"count": 1}, "groups", RECORDS, ["name", "nodes", "tags", "last", "none"]).decode()


def test_a_list_of_records_comes_in_every_form() -> None:
    assert json.loads(records("json")) == {"count": 1, "groups": RECORDS}
    assert json.loads(records("ndjson")) == RECORDS[0]
    assert rows(records("csv")) == [{"name": "'=x", "nodes": "-3", "tags": "a b", "last": "id=7", "none": ""}]
    assert records("table").splitlines()[1].split() == ["=x", "-3", "a", "b", "id=7"]


def test_every_form_has_a_media_type() -> None:
    assert set(MIME) == {"json", "ndjson", "csv", "table"}
    for form in MIME:
        assert body(form, node(ping=1))
