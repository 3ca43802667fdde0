"""Saved `sinfo -R` outputs: recorded ones of each layout, and the ways in which files differ."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botd.inventory.saved import LAYOUTS, parse_saved, parse_time
from botd.model import SlurmNode
from tests.recorded import FOLDER

RECORDED = FOLDER / "slurm-22.05.8"
AT = datetime(2026, 11, 23, 20, 16, 37, tzinfo=UTC)


@pytest.fixture(autouse=True)
def utc_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def recorded(name: str) -> str:
    return (RECORDED / name).read_bytes().decode("utf-8", "replace")


def names(nodes: tuple[SlurmNode, ...]) -> list[str]:
    return [node.node for node in nodes]


def read(text: str) -> tuple[tuple[SlurmNode, ...], list[str]]:
    return parse_saved(text, "file")


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("name", ["sinfo-R.txt", "sinfo-R-node-first.txt", "sinfo-R-user-first.txt"])
def test_every_recorded_layout_gives_the_same_nodes_with_and_without_header(name: str, header: bool) -> None:
    text = recorded(f"twelve-nodes/{name}") if header else recorded(f"twelve-nodes/{name}").partition("\n")[2]
    nodes, problems = read(text)
    assert problems == []
    assert sorted(names(nodes)) == sorted([f"n000{i}.savio2" for i in range(5)] + [f"n000{i}.savio3" for i in range(4)])
    by_name = {node.node: node for node in nodes}
    assert {node.reason_by for node in nodes} == {"root"}
    assert by_name["n0001.savio2"].reason == "a  b\tc"
    assert by_name["n0001.savio2"].reason_at == AT
    assert by_name["n0001.savio3"].reason == "=cmd()|x"
    assert by_name["n0000.savio3"].reason.startswith("Reason=fake [root@20")
    assert by_name["n0003.savio3"].state == ("" if name == "sinfo-R.txt" else "down*")


def test_a_layout_with_states_gives_base_and_flags() -> None:
    nodes, _ = read(recorded("twelve-nodes/sinfo-R-node-first.txt"))
    node = next(node for node in nodes if node.node == "n0002.savio2")
    assert (node.state, node.base, node.flags) == ("drained", "IDLE", ("DRAIN",))
    assert node.reason == "quote \" ' ; % & <b>x</b> `id` $(id)"


def test_the_long_form_has_a_date_above_and_states() -> None:
    nodes, problems = read(recorded("ten-nodes/sinfo-lR.txt"))
    states = {node.node: node.state for node in nodes}
    assert states == {"n0": "drained", "n1": "drained", "n2": "down$", "n3": "drained*", "n4": "fail*", "n5": "down*"}
    assert [problem.partition(": ")[0] for problem in problems] == ["file:6"]  # a newline in a reason
    assert {node.reason_by for node in nodes} == {"root"}  # printed as root(0)


def test_a_table_with_partitions_and_without_reasons_is_read_too() -> None:
    for name in ("sinfo-N.txt", "sinfo.txt"):
        nodes, problems = read(recorded(f"twelve-nodes/{name}"))
        assert problems == []
        assert len(nodes) == 12
        assert {node.partitions for node in nodes} == {("savio2",), ("savio3",), ("vector0",)}
        assert [node.state for node in nodes if node.node == "n0000.vector0"] == ["idle"]


def test_a_node_of_two_partitions_is_one_node_with_both() -> None:
    nodes, _ = read(
        "NODELIST   NODES PARTITION STATE\nn1             1     main* drain\nn1             1       htc drain\n"
    )
    assert [(node.node, node.partitions) for node in nodes] == [("n1", ("htc", "main"))]


def test_a_reason_cut_inside_a_character_costs_nothing() -> None:
    data = "ünïcode ☃ — ☃x".encode()[:20] + b" root      2026-11-23T20:16:37 n0004.savio2\n"
    nodes, problems = read(data.decode("utf-8", "replace"))
    assert problems == []
    assert names(nodes) == ["n0004.savio2"]
    assert nodes[0].reason.startswith("ünïcode ☃ —")


def test_folded_names_in_one_cell_are_expanded() -> None:
    nodes, _ = read("bad             root 2026-11-23T20:16:37 n[0000-0003].savio2,n0007.savio[2-3]\n")
    assert names(nodes) == [f"n000{i}.savio2" for i in range(4)] + ["n0007.savio2", "n0007.savio3"]


@pytest.mark.parametrize(
    "text",
    [
        "bad disk  root 2026-11-23T20:16:37 n1,n2,\nn3\nworse     root 2026-11-23T20:16:37 n9\n",
        "bad disk  root 2026-11-23T20:16:37 n1,\n   n2,\n   n3\nworse     root 2026-11-23T20:16:37 n9\n",
        "bad disk  root 2026-11-23T20:16:37 n[1,\n   2-3]\nworse     root 2026-11-23T20:16:37 n9\n",
        "bad disk  root 2026-11-23T20:16:37 n1,n2\n           ,n3\nworse     root 2026-11-23T20:16:37 n9\n",
        "n1,n2, drain 2026-11-23T20:16:37 root bad disk\nn3\nn9 drain 2026-11-23T20:16:37 root worse\n",
        "n1,n2,\nn3 drain 2026-11-23T20:16:37 root bad disk\nn9 drain 2026-11-23T20:16:37 root worse\n",
        "root 2026-11-23T20:16:37 drain n1, bad disk\n       n2,n3\nroot 2026-11-23T20:16:37 drain n9 worse\n",
    ],
)
def test_a_node_list_goes_on_over_lines(text: str) -> None:
    nodes, problems = read(text)
    assert problems == []
    assert {node.node: node.reason for node in nodes} == {
        "n1": "bad disk",
        "n2": "bad disk",
        "n3": "bad disk",
        "n9": "worse",
    }


def test_an_indented_word_without_a_digit_is_no_node() -> None:
    nodes, problems = read("bad disk  root 2026-11-23T20:16:37 n1\n   rebooting\n")
    assert names(nodes) == ["n1"]
    assert [problem.partition(": ")[0] for problem in problems] == ["file:2"]


def test_comments_blank_lines_and_carriage_returns_do_not_matter() -> None:
    text = "# saved at seven\n\nREASON USER TIMESTAMP NODELIST\r\n\r\nbad disk root 2026-11-23T20:16:37 n1\r\n  \n#x\n"
    nodes, problems = read(text)
    assert problems == []
    assert [(node.node, node.reason) for node in nodes] == [("n1", "bad disk")]


def test_a_node_list_goes_on_over_lines_that_end_with_carriage_returns() -> None:
    nodes, problems = read("n1,\r\nn2 drain 2026-11-23T20:16:37 root bad disk\r\n")
    assert problems == []
    assert names(nodes) == ["n1", "n2"]


def test_the_header_says_which_column_is_which() -> None:
    nodes, problems = read(
        "PARTITION NODELIST STATE REASON               USER      TIMESTAMP\n"
        "savio2*   n1       down* 2020-01-01T00:00:00 n7 root      2026-11-23T20:16:37\n"
    )
    assert problems == []
    (node,) = nodes
    assert (node.node, node.reason, node.reason_at, node.partitions) == (
        "n1",
        "2020-01-01T00:00:00 n7",
        AT,
        ("savio2",),
    )


def test_a_second_header_changes_the_columns() -> None:
    nodes, problems = read(
        "REASON USER TIMESTAMP NODELIST\nbad root 2026-11-23T20:16:37 n1\n"
        "USER TIMESTAMP STATE NODELIST REASON\nroot 2026-11-23T20:16:37 drain n2 worse\n"
    )
    assert problems == []
    assert [(node.node, node.reason) for node in nodes] == [("n1", "bad"), ("n2", "worse")]


def test_a_time_stamp_inside_a_reason_moves_no_column() -> None:
    fake = "since 2020-01-01T00:00:00 n8 root 2021-01-01T00:00:00 n9"
    for line in (
        f"{fake} root 2026-11-23T20:16:37 n1",
        f"n1 drain 2026-11-23T20:16:37 root {fake}",
        f"root 2026-11-23T20:16:37 drain n1 {fake}",
    ):
        nodes, problems = read(line)
        assert problems == []
        assert [(node.node, node.reason, node.reason_at) for node in nodes] == [("n1", fake, AT)]


def test_no_reason_and_no_time_are_not_known() -> None:
    nodes, _ = read("none                 Unknown   Unknown             n1\n")
    assert [(node.node, node.reason, node.reason_at) for node in nodes] == [("n1", "", None)]


def test_a_line_that_cannot_be_read_is_named_and_the_rest_is_used() -> None:
    text = (
        "REASON USER TIMESTAMP NODELIST\n"
        "bad root yesterday n1\n"
        "bad root 2026-11-23T20:16:37 n[1-\n"
        "bad root 2026-11-23T20:16:37 n;rm\n"
        "bad root 2026-11-23T20:16:37 n[0-99999999]\n"
        "bad root 2026-11-23T20:16:37 n5\n"
    )
    nodes, problems = read(text)
    assert names(nodes) == ["n5"]
    assert sorted(problem.partition(": ")[0] for problem in problems) == ["file:2", "file:3", "file:4", "file:5"]


def test_an_unfinished_last_list_is_named() -> None:
    nodes, problems = read("bad root 2026-11-23T20:16:37 n5\nn6,\n")
    assert names(nodes) == ["n5"]
    assert problems == ["file: the last node list ends with a comma and does not go on"]


def test_the_first_record_of_a_node_counts() -> None:
    nodes, _ = read("one root 2026-11-23T20:16:37 n1\ntwo root 2026-11-23T20:16:37 n1\n")
    assert [node.reason for node in nodes] == ["one"]


def test_times_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ+7")
    time.tzset()
    assert parse_time("2026-11-23T20:16:37") == datetime(2026, 11, 24, 3, 16, 37, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Unknown", "", "0000-00-00T00:00:00", "0001-01-01T00:00:00", "2026-11-23"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None or text == "0001-01-01T00:00:00"


REASONS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=40).map(str.strip)


@given(st.sampled_from(LAYOUTS), REASONS)
@example(LAYOUTS[3], "NOT RESPONDING")
def test_any_reason_survives_in_any_layout_with_a_header(columns: tuple[str, ...], reason: str) -> None:
    cells = {"NODELIST": "n1", "STATE": "down*", "TIMESTAMP": "2026-11-23T20:16:37", "USER": "root", "REASON": reason}
    line = " ".join(cells[column] for column in columns)
    nodes, problems = read(f"{' '.join(columns)}\n{line}\n")
    if line.startswith("#") or re.fullmatch(r"\s*", line):
        return
    assert problems == []
    assert [(node.node, node.reason) for node in nodes] == [("n1", "" if reason == "none" else reason)]


@given(st.text(alphabet=st.sampled_from("n1 [],-\n\r\t#:TROSE2026\x85\u2028é*"), max_size=300))
@example("n1,\n" * 50)
@example("NODELIST STATE\n")
def test_any_text_gives_nodes_and_problems_and_no_exception(text: str) -> None:
    nodes, problems = read(text)
    assert len(set(names(nodes))) == len(nodes)
    assert all(problem.startswith("file:") for problem in problems)
