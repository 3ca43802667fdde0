"""The stand-ins for Slurm's commands against what the real ones printed on a cluster of twelve nodes."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from botd.demo.machine import DemoJob, Node, Partition
from botd.demo.site import build_site
from botd.demo.state import ClusterState
from botd.demo.tools.base import Printed, node_list
from botd.demo.tools.sacct import read_time
from botd.demo.tools.table import run_tool
from botd.inventory.reservations import parse_reservations, parse_topology
from tests.demo.rebuilt import rebuilt
from tests.recorded import FOLDER, all_recordings, printed, recording

RECORDED = FOLDER / "slurm-22.05.8" / "twelve-nodes"
SURROUNDINGS = Path(__file__).parents[1] / "inventory" / "surroundings"
PARTITIONS = (Partition("savio2", usual=True), Partition("savio3"), Partition("vector0"))
NOW = datetime(2026, 11, 23, 20, 17, 30).timestamp()


def at(text: str) -> float:
    """The moment of a local time of the recorded day."""
    return datetime.fromisoformat(f"2026-11-23T{text}").timestamp()


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def recorded_nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = json.loads(recorded("sinfo.json"))["nodes"]
    return nodes


def local_seconds(recorded_at: int) -> float:
    """The moment at which this machine's clock shows what the recording machine's clock, in UTC, showed."""
    return datetime.fromtimestamp(recorded_at, UTC).replace(tzinfo=None).timestamp()


REFUSED = [name for name, _ in all_recordings() if "/refused/" in name]


@pytest.fixture
def twelve() -> ClusterState:
    """The recorded cluster: its nodes, and the jobs that it had when squeue was recorded."""
    nodes = [rebuilt(i, each, local_seconds) for i, each in enumerate(recorded_nodes())]
    jobs = [
        DemoJob(1, "root", "wrap", "vector0", ("n0001.vector0",), 2, at("20:17:25"), "FAILED", at("20:17:27"), "3:0"),
        DemoJob(2, "root", "wrap", "vector0", ("n0000.vector0", "n0002.vector0"), 2, NOW - 2),
        DemoJob(3, "root", "na|me", "savio2", ("n0001.savio2",), 2, NOW - 2),
    ]
    return ClusterState(nodes, jobs, lambda: NOW, partitions=PARTITIONS)


@pytest.fixture
def idle(twelve: ClusterState) -> ClusterState:
    """The recorded cluster without jobs, as it was when sinfo was recorded."""
    return ClusterState(twelve.nodes.values(), [], lambda: NOW, partitions=PARTITIONS)


def run(state: ClusterState, line: str) -> Printed:
    """One command line, as a person types it."""
    return run_tool(state, shlex.split(line), b"")


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("sinfo", "sinfo.txt"),
        ("sinfo -N", "sinfo-N.txt"),
        ("sinfo -R", "sinfo-R.txt"),
        ("sinfo -h -N -R -S %E --format='%N|%T|%U|%H|%P|%E'", "sinfo-R-format.txt"),
        ("sinfo -R -S %E -o '%N %6t %19H %9u %E'", "sinfo-R-node-first.txt"),
    ],
)
def test_sinfo_prints_what_the_real_one_printed(idle: ClusterState, line: str, file: str) -> None:
    assert run(idle, line).out.decode("latin-1").splitlines() == recorded(file).decode("latin-1").splitlines()


def test_sinfo_json_has_the_keys_and_types_of_the_real_document(idle: ClusterState) -> None:
    ours = json.loads(run(idle, "sinfo -a --json").out)
    theirs = json.loads(recorded("sinfo.json"))
    assert ours["meta"] == theirs["meta"]
    for our_node, their_node in zip(ours["nodes"], theirs["nodes"], strict=True):
        assert list(our_node) == list(their_node)
        types = {key: (type(our_node[key]), type(their_node[key])) for key in our_node}
        assert {key: pair for key, pair in types.items() if pair[0] is not pair[1]} == {}


@pytest.mark.parametrize("key", ["name", "state", "state_flags", "reason", "reason_set_by_user", "partitions", "cpus"])
def test_sinfo_json_says_what_the_real_one_said(idle: ClusterState, key: str) -> None:
    ours = json.loads(run(idle, "sinfo --json").out)["nodes"]
    assert [node[key] for node in ours] == [node[key] for node in recorded_nodes()]


def test_sinfo_prints_a_node_of_two_partitions_once_for_each_with_one_line_per_node(idle: ClusterState) -> None:
    node = idle.nodes["n0000.savio2"]
    shared = Node(node.name, 0, 2, 500, ("savio2", "htc"), "", "", 0.0)
    state = ClusterState([shared], [], lambda: NOW)
    assert run(state, "sinfo -h -N -a --format=%N").out == b"n0000.savio2\n" * 2
    assert run(state, "sinfo -h -p savio2,htc -o %N").out == b"n0000.savio2\n"
    assert len(json.loads(run(state, "sinfo --json").out)["nodes"]) == 1


def test_sinfo_keeps_literal_text_of_the_format(idle: ClusterState) -> None:
    assert run(idle, "sinfo -h -n n0000.vector0 -o '<%N>;%.6D'").out == b"<n0000.vector0>;     1\n"


def test_sinfo_finds_nodes_by_state(idle: ClusterState) -> None:
    assert run(idle, "sinfo -h -t down -o %N").out == b"n0003.savio3\n"
    assert run(idle, "sinfo -h -t idle,down -N -o %N").out.count(b"vector0") == 3


def test_a_draining_node_reads_so_and_is_a_drain_for_the_filter(twelve: ClusterState) -> None:
    assert run(twelve, "sinfo -h -n n0001.savio2 -o '%T %t %C'").out == b"draining drng 2/0/0/2\n"
    assert b"n0001.savio2" in run(twelve, "sinfo -h -N -t drain -o %N").out


def test_squeue_prints_what_the_real_one_printed(twelve: ClusterState) -> None:
    assert run(twelve, "squeue -h -a --format='%i|%u|%T|%N|%M|%j'").out == recorded("squeue.txt")


def test_squeue_finds_jobs_by_node_and_user(twelve: ClusterState) -> None:
    assert run(twelve, "squeue -h -w n0002.vector0 -o %i").out == b"2\n"
    assert run(twelve, "squeue -h -u nobody -o %i").out == b""


def test_squeue_alone_prints_its_usual_table(twelve: ClusterState) -> None:
    heading, first, _ = run(twelve, "squeue").out.decode().splitlines()
    assert heading == "             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)"
    assert first == "                 3    savio2    na|me     root  R       0:02      1 n0001.savio2"


def test_sacct_prints_what_the_real_one_printed(twelve: ClusterState) -> None:
    line = "sacct -P -X -a -S 2026-11-23 -E now -o JobID,User,State,ExitCode,End,NodeList"
    assert run(twelve, line).out == recorded("sacct.txt")


def test_sacct_finds_jobs_by_node_and_time(twelve: ClusterState) -> None:
    assert run(twelve, "sacct -nPX -a -S now-1day -E now -o jobid -N 'n0002.vector0,n0003.vector0'").out == b"2\n"
    assert run(twelve, "sacct -nPX -a -S now-1day -E 2026-11-23T20:17:26 -o jobid").out == b"1\n"
    assert run(twelve, "sacct -nPX -a -S 2026-11-23T20:17:28 -E now -o jobid").out == b"2\n3\n"


def test_sacct_takes_a_bracketed_list_of_nodes(twelve: ClusterState) -> None:
    assert run(twelve, "sacct -nPX -o jobid -N 'n[0001-0002].vector0'").out == b"1\n2\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("now", 0), ("now-1day", -86_400), ("now-2hours", -7_200), ("now+90minutes", 5_400), ("2026-11-23T20:17:00", -30)],
)
def test_sacct_reads_times(text: str, seconds: int) -> None:
    assert read_time(text, NOW) == NOW + seconds


def keys_of(shown: str) -> list[list[str]]:
    return [re.findall(r"(?:^|\s)([A-Za-z_:*]+)=", line) for line in shown.splitlines()]


def test_scontrol_shows_the_same_fields_in_the_same_lines(idle: ClusterState) -> None:
    ours = run(idle, "scontrol show node n0003.savio3").out.decode()
    theirs = re.search(r"NodeName=n0003\.savio3.*?\n\n", recorded("scontrol-show-node.txt").decode(), re.DOTALL)
    assert theirs
    assert keys_of(ours) == keys_of(theirs[0])
    same = [line for line in theirs[0].splitlines() if re.search("State=|Partitions=|Reason=|NodeName=", line)]
    assert [line for line in same if line not in ours.splitlines()] == []


SURROUNDINGS = Path(__file__).parents[1] / "inventory" / "surroundings"


@pytest.mark.parametrize(("asked", "name"), [("reservation -o", "reservations"), ("topology", "topology")])
def test_scontrol_shows_reservations_and_switches_in_the_form_of_the_real_one(asked: str, name: str) -> None:
    site = build_site(40, 1, NOW)
    ours = run(ClusterState(site.nodes, site.jobs, lambda: NOW), f"scontrol --all --local show {asked}").out.decode()
    theirs = (SURROUNDINGS / f"{name}.txt").read_text()
    assert keys_of(ours)[0] == keys_of(theirs)[0]
    assert keys_of(ours)[-1] == keys_of(theirs)[-1]


def test_scontrol_says_so_where_there_is_no_reservation(twelve: ClusterState) -> None:
    assert run(twelve, "scontrol show reservation -o").out == b"No reservations in the system\n"


def test_scontrol_drains_and_resumes(twelve: ClusterState) -> None:
    assert run(twelve, "scontrol update nodename=n0001.vector0 state=drain reason='bad | fan'") == Printed()
    assert run(twelve, "sinfo -h -n n0001.vector0 -o '%T|%u|%E'").out == b"drained|root|bad | fan\n"
    assert run(twelve, "scontrol update NodeName=n0001.vector0 State=RESUME").status == 0
    assert run(twelve, "sinfo -h -n n0001.vector0 -o '%T|%E'").out == b"idle|none\n"


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_as_the_real_one_did(name: str) -> None:
    told = recording(name)
    nodes = [Node(name, 0, 2, 500, ("vector0",), "", "", 0.0) for name in ("n0002.vector0", "n0003.vector0")]
    done = run_tool(ClusterState(nodes, [], lambda: NOW), told.command, b"")
    assert (done.status, done.out, done.err.decode()) == (told.exit, printed(name), told.stderr)


@pytest.mark.parametrize("tool", ["sinfo", "squeue"])
def test_a_column_that_only_the_real_one_has_is_refused_with_those_there_are(twelve: ClusterState, tool: str) -> None:
    done = run(twelve, f"{tool} -o %L")
    assert (done.status, done.out) == (1, b"")
    assert done.err.startswith(b"the demo has no column %L: it has ")


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("sinfo -h -N -o %N", True),
        ("sinfo -h -N -p vector0 -o %N", False),
        ("sinfo --all --local -h -N -o %N", False),
        ("sinfo --json", False),
        ("scontrol show nodes", True),
        ("scontrol show node n0000.vector0", True),
        ("scontrol --all --local show nodes", False),
        ("squeue -h -o %N", True),
        ("squeue --all --local -h -o %N", False),
        ("sacct -n -P -o nodelist", False),
    ],
)
def test_a_hidden_partition_is_told_of_as_slurm_does(twelve: ClusterState, line: str, hidden: bool) -> None:
    partitions = (*PARTITIONS[:2], Partition("vector0", hidden=True))
    state = ClusterState(twelve.nodes.values(), twelve.running, lambda: NOW, partitions=partitions)
    shown = run(state, line).out.replace(b"Node n0000.vector0 not found", b"")
    assert (b"n0000.vector0" in shown or b"n[0000,0002].vector0" in shown) is not hidden


def test_scontrol_says_that_a_node_is_not_found(twelve: ClusterState) -> None:
    assert run(twelve, "scontrol show node nowhere") == Printed(b"Node nowhere not found\n", status=1)


@pytest.mark.parametrize("tool", ["sinfo", "squeue", "sacct", "scontrol"])
def test_every_tool_tells_its_version(twelve: ClusterState, tool: str) -> None:
    assert run(twelve, f"{tool} --version").out == b"slurm-wlm 22.05.8\n"


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["n1"], "n1"),
        (["n3", "n1", "n2", "n7"], "n[1-3,7]"),
        (["n0.a3", "n1.a2", "n0.a2"], "n0.a[2-3],n1.a2"),
        (["n0001.bigmem", "n0000.bigmem"], "n0000.bigmem,n0001.bigmem"),
    ],
)
def test_only_the_number_at_the_end_of_a_name_is_folded(names: list[str], folded: str) -> None:
    assert node_list(names) == folded


def test_a_job_over_two_groups_is_listed_as_slurm_folds_them(twelve: ClusterState) -> None:
    job = DemoJob(9, "root", "x", "savio2", ("n0001.savio3", "n0001.savio2"), 2, NOW - 2)
    state = ClusterState(twelve.nodes.values(), [job], lambda: NOW, partitions=PARTITIONS)
    assert run(state, "squeue -h -o '%N %D'").out == b"n0001.savio[2-3] 2\n"
    assert run(state, "sacct -nPX -o nodelist").out == b"n0001.savio[2-3]\n"


def fields(line: str) -> list[tuple[str, bool]]:
    """The names of a line's fields, each with whether it has a value."""
    return [(name, value not in ("", "(null)")) for name, value in re.findall(r"(\w+)=(\S*)", line)]


def test_reservations_and_switches_are_printed_as_slurm_printed_them() -> None:
    state = ClusterState(build_site(64, 1, NOW).nodes, [], lambda: NOW)
    reserved = run(state, "scontrol show reservation -o").out.decode()
    assert fields(reserved) == fields((SURROUNDINGS / "reservations.txt").read_text().splitlines()[0])
    switches = run(state, "scontrol show topology").out.decode().splitlines()
    printed = (SURROUNDINGS / "topology.txt").read_text().splitlines()
    assert fields(switches[0]) == fields(printed[0])
    assert fields(switches[-1]) == fields(printed[-1])


def test_what_is_reserved_and_switched_are_nodes_that_there_are() -> None:
    state = ClusterState(build_site(64, 1, NOW).nodes, [], lambda: NOW)
    (found,) = parse_reservations(run(state, "scontrol show reservation -o").out.decode())
    switches = parse_topology(run(state, "scontrol show topology").out.decode())
    names = set(state.nodes)
    assert set(found.nodes) < names
    assert {node for switch in switches for node in switch.nodes} == names
