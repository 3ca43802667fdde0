"""JSON, NDJSON, CSV and the text table of one answer, and hostile text in each."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.checks import site_checks
from botd.config import parse_config
from botd.display.formats import MIME, Form, records_body, status_body, to_csv, to_json, to_ndjson
from botd.display.terminal import Look
from botd.documents import encode, node_document, reading_document
from botd.model import Reading, SlurmNode, State

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOSTILE = "a\x1b[31m\n\r\tb\x00\u202ec\u2066\x9b节点\u2028d"


def node(name: str = "n1.x", reason: str = "no IB", **values: object) -> dict[str, Any]:
    readings = {
        check: reading_document(Reading(State.OK, value, CHECKS[check].unit)) for check, value in values.items()
    }
    slurm = SlurmNode(name, "drained", "IDLE", ("DRAIN",), reason=reason)
    return node_document(name, ["sinfo", "x"], slurm, readings, [CHECKS[check] for check in values])


def body(
    form: str,
    *nodes: dict[str, Any],
    problems: tuple[str, ...] = (),
    fold: bool = False,
    width: int | None = None,
    color: bool = False,
) -> str:
    names = list(nodes[0]["readings"]) if nodes else []
    head = {"as_of": None, "checks": names, "count": len(nodes), "chosen": "", "problems": list(problems)}
    wanted = Form(form, Look(width, color), fold)
    return status_body(wanted, head, lambda: list(nodes), lambda: list(map(encode, nodes)), CHECKS, NOW).decode()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


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


def test_csv_has_a_row_per_node_and_a_state_and_a_value_per_check() -> None:
    (row,) = rows(body("csv", node(ping=-1.5, users=["bob"], ipmi_reachable=True, ipmi_state=None)))
    assert (row["node"], row["groups"], row["slurm_state"], row["reason"]) == ("n1.x", "sinfo x", "drained", "no IB")
    assert (row["ping_state"], row["ping_ms"]) == ("ok", "-1.5")
    assert (row["users"], row["ipmi_reachable"], row["ipmi_state"]) == ("bob", "true", "")


DF = {"size": 4096, "free": 1024, "used_percent": 74.5, "mounted": None, "read_only": False, "hung": False}
MEMORY = {"size": 48 * 2**30, "free": 2**30, "expected": 64 * 2**30}
JOB = {
    "job_id": "77_1",
    "user": "alice",
    "state": "FAILED",
    "exit_code": "1:0",
    "ended_at": datetime(2026, 11, 23, tzinfo=UTC),
}


def test_an_object_has_a_column_for_each_of_its_parts_with_the_unit_in_its_name() -> None:
    (row,) = rows(
        body("csv", node(df_tmp=DF, memory=MEMORY, last_job=JOB, slurmd={"running": True, "version": "22.05.8"}))
    )
    assert (row["df_tmp_size_bytes"], row["df_tmp_free_bytes"], row["df_tmp_used_percent"]) == ("4096", "1024", "74.5")
    assert (row["df_tmp_mounted"], row["df_tmp_hung"]) == ("", "false")
    assert (row["memory_size_bytes"], row["memory_missing_bytes"]) == (str(48 * 2**30), str(16 * 2**30))
    assert (row["last_job_id"], row["last_job_end"], row["last_job_ended_at"]) == (
        "77_1",
        "FAILED",
        "2026-11-23T00:00:00.000Z",
    )
    assert (row["slurmd_running"], row["slurmd_version"]) == ("true", "22.05.8")


def test_a_list_is_its_words_and_lines_are_parted() -> None:
    (row,) = rows(body("csv", node(users=["alice", "bob"], jobs=[], slurmd_log=["error: a", "error: b"])))
    assert (row["users"], row["jobs"], row["slurmd_log"]) == ("alice bob", "", "error: a | error: b")


def test_numbers_that_differ_in_a_fold_are_a_range_in_their_column() -> None:
    bigger = {**MEMORY, "size": 49 * 2**30}
    (row,) = rows(body("csv", node(ping=0.5, memory=MEMORY), node("n2.x", ping=1.5, memory=bigger), fold=True))
    assert (row["nodeset"], row["ping_ms"]) == ("n[1-2].x", "0.5-1.5")
    assert (row["memory_expected_bytes"], row["memory_missing_bytes"]) == (
        str(64 * 2**30),
        f"{15 * 2**30}-{16 * 2**30}",
    )


@pytest.mark.parametrize("value", [None, "from an earlier version", {"other": 1}, ["x"], 7, True])
def test_a_value_of_another_shape_leaves_the_columns_empty_and_moves_none(value: object) -> None:
    (row,) = rows(body("csv", node(memory=value, ssh="up")))
    assert {cell for name, cell in row.items() if name.startswith("memory_")} == {"ok", ""}
    assert row["ssh"] == "up"


def test_no_cell_holds_json_and_no_two_columns_have_one_name() -> None:
    given = {
        "df_tmp": DF,
        "memory": MEMORY,
        "last_job": JOB,
        "users": ["a"],
        "slurmd": {"running": False, "version": None},
    }
    document = node(**{name: given.get(name) for name in CHECKS})
    header = body("csv", document).splitlines()[0].split(",")
    assert len(set(header)) == len(header)
    (row,) = rows(body("csv", document))
    assert not [cell for cell in row.values() if cell.startswith(("{", "["))]


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


def test_the_table_shows_node_state_checks_and_reason() -> None:
    header, line, legend, _ = body("table", node(ping=1.5, users=[])).split("\n")
    assert header.split() == ["NODE", "STATE", "PING", "USERS", "SINCE", "BY", "REASON"]
    assert line.split() == ["n1.x", "drained", "1.50", "ms", "none", "no", "IB"]
    assert legend.startswith("# 1 node, as of never;")


def test_hostile_text_breaks_no_line_of_the_table() -> None:
    text = body("table", node(reason=HOSTILE, users=[HOSTILE]), node("n2.x", users=[]), problems=(HOSTILE,))
    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert lines[-1].startswith("# a [31m")


def test_a_narrow_table_keeps_node_state_and_reason_and_names_what_it_leaves_out() -> None:
    ill = node("n2.x", ping=None, ssh="up", users=["bob"], uptime=90061.0, load=0.5)
    ill["readings"]["users"]["state"] = "warn"
    text = body("table", node(ping=1.5, ssh="up", users=[], uptime=7.0, load=1.5), ill, width=44)
    header, *lines = text.splitlines()
    assert max(map(len, text.splitlines())) <= 44
    assert header.split() == ["NODE", "STATE", "USERS", "PING", "SSH", "REASON"]
    assert "nothing wrong in, and left out: UPTIME, LOAD" in " ".join(lines).replace("# ", "").replace(" #", "")


def test_a_table_that_is_narrower_still_leaves_out_checks_with_findings_from_the_right() -> None:
    ill = node(ping=None, ssh="refused")
    for reading in ill["readings"].values():
        reading["state"] = "fail"
    header, *rest = body("table", ill, width=30).splitlines()
    assert header.split() == ["NODE", "STATE", "REASON"]
    assert "no room for: PING, SSH" in " ".join(rest)


def test_what_is_wrong_and_has_no_room_stands_below_its_row() -> None:
    well, ill = node("n1.x", ping=1.0, ssh="up", users=[]), node("n2.x", ping=None, ssh="refused", users=["bob"])
    for check, state in (("ping", "fail"), ("ssh", "fail"), ("users", "warn")):
        ill["readings"][check] |= {"state": state, "at": "2026-11-23T08:00:00.000Z"}
    lines = body("table", well, ill, width=40).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["n1.x", "n2.x"]
    told = " ".join(line.strip() for line in lines[3:] if line.startswith("  "))
    assert told == "SSH: refused; Users: bob (warn)"
    assert "PING" in lines[0]
    assert max(map(len, lines)) <= 40
    assert not [line for line in body("table", well, ill).splitlines() if line.startswith("  ")]


def test_what_is_wrong_stands_first_and_what_is_empty_goes_first() -> None:
    ill = {**node(ping=1.0, ssh="up", load=9.0), "since": "2026-11-22T06:00:00.000Z"}
    ill["readings"]["load"]["state"] = "fail"
    header, line, *_ = body("table", ill).splitlines()
    assert header.split() == ["NODE", "STATE", "LOAD", "PING", "SSH", "SINCE", "BY", "REASON"]
    assert line.split() == ["n1.x", "drained", "!!", "9.00", "1.00", "ms", "up", "26", "h", "no", "IB"]
    narrow = body("table", ill, width=52).splitlines()[0]
    assert narrow.split() == ["NODE", "STATE", "LOAD", "PING", "SSH", "SINCE", "REASON"]
    assert body("table", ill, width=42).splitlines()[0].split() == ["NODE", "STATE", "LOAD", "SINCE", "REASON"]


def test_a_check_that_is_skipped_has_nothing_to_tell_either() -> None:
    ill = node(ping=None, load=None)
    ill["readings"]["ping"]["state"], ill["readings"]["load"]["state"] = "fail", "skipped"
    text = body("table", ill, width=36).replace("\n#", "")
    assert "nothing wrong in, and left out: LOAD" in text
    assert "no room for" not in text


def test_node_state_and_reason_stay_however_narrow_it_is() -> None:
    header, line, *_ = body("table", node("n1", ping=1.5), width=20).splitlines()
    assert header == "NODE  STATE    REAS…"
    assert line == "n1    drained  no IB"


def test_a_table_has_colours_only_when_asked() -> None:
    ill = node(ping=None)
    ill["readings"]["ping"]["state"] = "fail"
    assert "\x1b" not in body("table", ill)
    assert "\x1b[1;31m!! no answer\x1b[0m" in body("table", ill, color=True)


# ---- folded ----


def folding() -> list[dict[str, Any]]:
    return [node("n1.x", ping=0.3), node("n2.x", ping=0.11), node("n3.x", reason="other", ping=1.0)]


def test_a_folded_table_has_a_line_for_nodes_with_the_same_answers() -> None:
    header, first, second, legend, _ = body("table", *folding(), fold=True).split("\n")
    assert header.split() == ["COUNT", "NODESET", "STATE", "PING", "SINCE", "BY", "REASON"]
    assert first.split() == ["2", "n[1-2].x", "drained", "0.11-0.30", "ms", "no", "IB"]
    assert second.split()[:2] == ["1", "n3.x"]
    assert legend.startswith("# 3 nodes")


def test_every_form_folds() -> None:
    found = json.loads(body("json", *folding(), fold=True))
    assert (found["count"], [item["nodeset"] for item in found["nodes"]]) == (3, ["n[1-2].x", "n3.x"])
    lines = body("ndjson", *folding(), fold=True).splitlines()
    assert [json.loads(line)["count"] for line in lines] == [2, 1]
    first, _ = rows(body("csv", *folding(), fold=True))
    assert (first["nodeset"], first["count"], first["ping_ms"]) == ("n[1-2].x", "2", "0.11-0.3")


# ---- other lists ----

RECORDS = [{"name": "=x", "nodes": -3, "tags": ["a", "b"], "last": {"id": 7}, "none": None}]


def records(form: str) -> str:
    columns = ["name", "nodes", "tags", "last", "none"]
    return records_body(Form(form), {"count": 1}, "groups", RECORDS, columns).decode()


def test_a_list_of_records_comes_in_every_form() -> None:
    assert json.loads(records("json")) == {"count": 1, "groups": RECORDS}
    assert json.loads(records("ndjson")) == RECORDS[0]
    assert rows(records("csv")) == [{"name": "'=x", "nodes": "-3", "tags": "a b", "last": "id=7", "none": ""}]
    assert records("table").splitlines()[1].split() == ["=x", "-3", "a", "b", "id=7"]


def test_every_form_has_a_media_type() -> None:
    assert set(MIME) == {"json", "ndjson", "csv", "table"}
    for form in MIME:
        assert body(form, node(ping=1))
