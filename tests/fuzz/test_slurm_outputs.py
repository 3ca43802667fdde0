"""Whatever Slurm's commands print: nodes and jobs that every later step can use, or SlurmFailed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botd.answers import Job, SlurmAnswer
from botd.documents import decode, encode, hostinfo_node_document
from botd.errors import SlurmFailed
from botd.inventory import Inventory, build, states
from botd.inventory.document import from_document, to_document
from botd.inventory.jobs import newest_jobs, parse_accounting, parse_queue
from botd.inventory.saved import parse_saved
from botd.inventory.slurm import SlurmReader, parse_delimited, parse_nodes
from botd.inventory.times import parse_time
from botd.model import Facts, SlurmNode
from botd.nodeset import check_name
from botd.settings import SlurmSettings
from botd.sweep import read_answer
from tests.fuzz.conftest import FUZZ, fuzz
from tests.fuzz.strategies import (
    at_most_mb,
    changed,
    encoded,
    is_one_of,
    json_values,
    names,
    node_lists,
    numbers,
    slurm_numbers,
    spoiled,
    texts,
)

NODE_LISTS = node_lists()
NOW = datetime(2026, 11, 23, 20, tzinfo=UTC)
TOKEN = "0123456789abcdef"
UNREAD = {"value": None, "detail": "", "at": None}


def assert_usable(nodes: Iterable[SlurmNode]) -> None:
    """What is made of these nodes later can be made: an inventory, its document in the store, and answers."""
    inventory = build(nodes, {}, NOW)
    again = from_document(decode(encode(to_document(inventory))))
    assert again == inventory
    assert set(inventory.down()) <= set(inventory.names())
    for group in inventory.group_names():
        assert inventory.groups[check_name(group)].nodes
    for node in inventory.nodes.values():
        assert node.base in states.BASES
        assert set(node.flags) <= set(states.FLAGS)
        shown = json.loads(encode(hostinfo_node_document(node, UNREAD)))
        assert shown["reason_at"] is None or datetime.fromisoformat(shown["reason_at"])


def assert_named_well(inventory: Inventory) -> None:
    assert [check_name(name) for name in inventory.names()] == list(inventory.names())


@fuzz(200)
@given(st.sampled_from(NODE_LISTS).flatmap(changed))
def test_any_document_gives_nodes_that_can_be_kept_and_shown(document: Any) -> None:
    nodes = parse_nodes(json.loads(json.dumps(document), strict=False))
    listed = document.get("nodes")
    assert len(nodes) <= (len(listed) if isinstance(listed, list) else 0)
    assert_usable(nodes)


KEYS = (
    "name", "state", "state_flags", "reason", "reason_set_by_user", "reason_changed_at", "partitions", "features",
    "address", "real_memory", "cpus", "boot_time", "slurmd_version", "version",
)  # fmt: skip


@FUZZ
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), json_values | slurm_numbers, max_size=8), max_size=3))
def test_any_json_gives_nodes_that_can_be_kept_and_shown(entries: list[dict[str, Any]]) -> None:
    assert_usable(parse_nodes({"nodes": entries}))


@FUZZ
@given(texts, texts)
def test_any_text_in_a_document_can_be_kept_and_shown(first: str, second: str) -> None:
    entry = {"name": first, "reason": second, "partitions": [first], "features": second, "state": [first, second]}
    assert_usable(parse_nodes({"nodes": [entry, {**entry, "address": second, "reason_set_by_user": first}]}))


@FUZZ
@given(numbers | texts, numbers | slurm_numbers)
def test_any_number_in_a_document_can_be_kept(seconds: Any, number: Any) -> None:
    entry = {"name": "n1", "reason": "x", "reason_changed_at": seconds, "boot_time": number, "cpus": number}
    assert_usable(parse_nodes({"nodes": [{**entry, "real_memory": seconds}]}))


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A command that prints the file `output` beside it, whatever its options are."""
    path = tmp_path_factory.mktemp("tool") / "tool"
    path.write_text(f"#!/bin/sh\nexec cat {path.parent}/output\n")
    path.chmod(0o755)
    return path


spoiled_lists = st.sampled_from([json.dumps(listed).encode() for listed in NODE_LISTS]).flatmap(spoiled)
named_nodes = st.lists(names | texts, max_size=3).map(lambda found: [{"name": name, "state": "idle"} for name in found])
lists_of_names = named_nodes.map(lambda nodes: json.dumps({"nodes": nodes}).encode())


@fuzz(60)
@given(spoiled_lists | lists_of_names | st.binary(max_size=100))
def test_the_reader_takes_any_bytes_of_a_command(tool: Path, output: bytes) -> None:
    (tool.parent / "output").write_bytes(output)
    reader = SlurmReader(SlurmSettings(sinfo=str(tool), scontrol=str(tool)))
    if nodes := is_one_of((SlurmFailed,), reader.read):
        assert_usable(nodes)
        assert_named_well(build(nodes, {}, NOW))
        assert len({node.node for node in nodes}) == len(nodes)
    assert all(problem.isprintable() for problem in reader.problems)


ROWS = f"""\
{TOKEN}|n0|drained|root(0)|2026-11-23T20:59:50|main*|500|a,b|10.0.0.1|n0|bad \N{REPLACEMENT CHARACTER} utf8 | x
{TOKEN}|n0|drained|root(0)|2026-11-23T20:59:50|htc|500|a,b|10.0.0.1|n0|bad \N{REPLACEMENT CHARACTER} utf8 | x
{TOKEN}|n2|down$|root(0)|2026-11-23T20:54:06|main*|500|(null)|n2|n2|tab	and | pipe "q" <b> \\ %
{TOKEN}|n0004.savio2|mixed-|root(0)|Unknown|main*|500|a,b|10.0.0.4|n0004|none
""".encode()


@FUZZ
@given(spoiled(ROWS))
def test_any_rows_give_nodes_that_can_be_kept_and_shown(output: bytes) -> None:
    rows = output.decode("utf-8", "replace")
    if nodes := is_one_of((SlurmFailed,), lambda: parse_delimited(rows, TOKEN)):
        assert len(nodes) <= rows.count(TOKEN)
        assert_usable(nodes)


@FUZZ
@given(texts, texts)
def test_a_reason_forges_no_row(reason: str, forged: str) -> None:
    """Whoever writes a reason does not know the token."""
    row = f"{TOKEN}|n1|down|root(0)|2026-11-23T20:16:37|p|500|(null)|10.0.0.1|n1|"
    text = f"{row}{reason}\n{forged}\n{row.replace('n1', 'n2')}x\n"
    assert [node.node for node in parse_delimited(text, TOKEN)] == ["n1", "n2"]


@FUZZ
@given(texts | st.lists(st.sampled_from([*states.WORDS, *states.FLAGS, *states.MARKS, "+"])).map("".join))
def test_any_state_is_a_base_with_flags_and_has_a_word(text: str) -> None:
    for state in (states.from_text(text), states.from_document(text, [text])):
        assert state.base in states.BASES
        assert set(state.flags) <= set(states.FLAGS)
        assert states.text(state.base, state.flags)
        assert (
            text.strip() == "" or state.unrecognised or state.base != "UNKNOWN" or state.flags or "UNK" in text.upper()
        )


SAVED = (
    b"REASON USER TIMESTAMP NODELIST\nbad GPU 3, RMA open  root  2026-11-23T20:16:37 n[0-3].savio2,n7.savio3\n",
    b"REASON USER TIMESTAMP NODELIST\nNot responding  slurm  Unknown  n4,\nn5\n",
    b"Mon Nov 23 20:59:53 2026\nREASON USER TIMESTAMP STATE NODELIST\nno IB root(0) Unknown drained* n[1-3]\n",
    b"root 2026-11-23T20:16:37 drng n1 see hung mpirun for user42\nroot 2026-11-23T20:16:37 down* n2 \n",
    b"NODELIST  NODES PARTITION STATE\nn1,n2 2 main* idle~\n  n3\n",
)


@FUZZ
@given(st.sampled_from(SAVED).flatmap(spoiled))
@example(SAVED[0].replace(b"n[0-3]", b"n[0-"))
@example(SAVED[0].replace(b"n[0-3]", b"n[0-999999999]"))
def test_any_saved_list_gives_nodes_that_can_be_kept_and_shown(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    nodes, problems = parse_saved(data, "file")
    assert all(problem.startswith("file:") and problem.isprintable() for problem in problems)
    assert len(problems) <= text.count("\n") + 1
    assert_usable(nodes)
    assert_named_well(build(nodes, {}, NOW))


@pytest.mark.parametrize("line", ["ABC " * 2_000_000, "n1," * 2_500_000, "[" * 8_000_000, "a b " * 2_000_000 + "n1"])
def test_a_saved_list_of_one_long_line_takes_little_more_memory_than_it_has(line: str) -> None:
    with at_most_mb(64):
        parse_saved(line.encode(), "file")


@pytest.mark.parametrize("line", ["\n", "x\n", "n1,\n", "NODELIST STATE\n", "n1 x y\n"])
def test_a_saved_list_of_many_bad_lines_tells_of_some(line: str) -> None:
    with at_most_mb(128):
        _, problems = parse_saved(line.encode() * 20_000, "file")
    assert len(problems) < 1000


QUEUE = f"""\
{TOKEN}|13|alice|RUNNING|0:04|n0000.savio2|pipe|in|name
{TOKEN}|16_[0-3]|alice|PENDING|0:00||<b>array</b>
{TOKEN}|14|bob|SUSPENDED|0:01|n[0-3]|two
lines|RUNNING|0:01|n0000.savio9|forged
""".encode()
ENDED = b"""\
4|root(0)|CANCELLED by 0|0:0|2026-11-23T20:54:30|2026-11-23T20:54:52|n9
7|root(0)|FAILED|3:0|2026-11-23T20:54:52|2026-11-23T20:54:52|n[0-1]
5|alice|COMPLETED|0:0|Unknown|Unknown|(null)
9|alice|RUNNING|0:0|2026-11-23T21:30:30|Unknown|n0001.vector0
"""


@FUZZ
@given(spoiled(QUEUE))
def test_any_queue_gives_jobs_on_well_named_nodes(output: bytes) -> None:
    text = output.decode("utf-8", "replace")
    rows = is_one_of((SlurmFailed,), lambda: list(parse_queue(text, TOKEN))) or []
    assert len(rows) <= text.count(TOKEN)
    for job, nodes in rows:
        assert [check_name(node) for node in nodes] == list(nodes)
        assert_readable(job)


@FUZZ
@given(spoiled(ENDED))
def test_any_accounting_gives_jobs_on_well_named_nodes(output: bytes) -> None:
    text = output.decode("utf-8", "replace")
    jobs = is_one_of((SlurmFailed,), lambda: list(parse_accounting(text, since=NOW))) or []
    assert set(newest_jobs(jobs, ["n0", "n9"])) <= {"n0", "n9"}
    for job, _, nodes in jobs:
        assert [check_name(node) for node in nodes] == list(nodes)
        assert_readable(job)


def assert_readable(job: Job) -> None:
    """Both checks that read jobs make a finding of it that JSON can hold."""
    from tests.checks.test_cases import as_document, find_check

    for name in ("jobs", "last_job"):
        found = read_answer(find_check(name, None), SlurmAnswer((job,)), Facts("n1", SlurmNode("n1", "idle", "IDLE")))
        assert as_document(found)


@FUZZ
@given(names, st.lists(texts, min_size=2, max_size=2))
def test_a_job_name_forges_no_job(name: str, lines: list[str]) -> None:
    row = f"{TOKEN}|7|bob|RUNNING|0:04|n1|"
    rows = list(parse_queue(f"{row}{name}|{lines[0]}\n{lines[1]}\n{row}x\n", TOKEN))
    assert [(job.job_id, nodes) for job, nodes in rows] == [("7", ("n1",)), ("7", ("n1",))]


@pytest.mark.parametrize("nodes", ["n[0-999999999]", "n[0-9][0-9][0-9][0-9][0-9][0-9]", "n[0-9999999]," * 1000])
def test_a_job_on_too_many_nodes_costs_no_memory(nodes: str) -> None:
    with at_most_mb(8):
        with pytest.raises(SlurmFailed):
            list(parse_queue(f"{TOKEN}|7|bob|RUNNING|0:04|{nodes}|x\n", TOKEN))
        with pytest.raises(SlurmFailed):
            list(parse_accounting(f"7|bob|FAILED|1:0|Unknown|Unknown|{nodes}\n", since=NOW))


@FUZZ
@given(
    texts | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", fullmatch=True) | st.datetimes().map(datetime.isoformat)
)
def test_any_time_is_one_in_utc_or_none(text: str) -> None:
    at = parse_time(text)
    assert at is None or at.tzinfo is UTC
    assert encoded(text) or at is None
