"""Running and last jobs: recorded outputs, names that try to be rows, and every way to fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.answers import Job
from botd.errors import SlurmFailed, SlurmTimeout
from botd.inventory.jobs import last_jobs, newest_jobs, parse_accounting, parse_queue, running_jobs
from botd.settings import SlurmSettings
from tests.recorded import replay

from .conftest import MakeTool

Calls = Callable[[str], list[str]]
NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
KNOWN = frozenset(f"n{i}" for i in range(10))


@pytest.fixture(autouse=True)
def utc_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def squeue(command: str) -> SlurmSettings:
    return SlurmSettings(squeue=command, timeout=5.0)


def sacct(command: str) -> SlurmSettings:
    return SlurmSettings(sacct=command, timeout=5.0)


def last(settings: SlurmSettings, *nodes: str) -> dict[str, Job] | None:
    return last_jobs(settings, nodes, clock=lambda: NOW)


def test_it_gives_the_jobs_that_hold_each_node(make_tool: MakeTool) -> None:
    jobs = running_jobs(squeue(make_tool("squeue", replay("slurm-22.05.8/ten-nodes/squeue.txt"))), known=KNOWN)
    assert jobs == {
        "n9": (Job("11", "root", "RUNNING", "na|me", "0:34"),),
        "n0": (Job("10", "root", "SUSPENDED", "new\nline|RUNNING|n1", "0:05"),),
    }


def test_a_forged_row_in_a_job_name_is_part_of_the_name(make_tool: MakeTool) -> None:
    nodes = {"n0000.savio2", "n0002.vector0", "n0000.savio9"}
    jobs = running_jobs(squeue(make_tool("squeue", replay("slurm-22.05.8/broken-nodes/squeue.txt"))), known=nodes)
    assert jobs == {
        "n0000.savio2": (Job("14", "alice", "RUNNING", "pipe|in|name", "0:03"),),
        "n0002.vector0": (Job("15", "bob", "RUNNING", "two\nlines|RUNNING|0:01|n0000.savio9|forged", "0:00"),),
    }


def test_it_asks_once_for_all_nodes_and_hidden_partitions(make_tool: MakeTool, calls_of: Calls) -> None:
    command = make_tool("squeue", "exit 0")
    running_jobs(squeue(command), known=KNOWN)
    running_jobs(squeue(command), known=KNOWN)
    first, second = calls_of(command)
    assert first.startswith("--all --local -h --format=")
    assert first.endswith("|%i|%u|%T|%M|%N|%j")
    assert first != second  # the token is new each time


def test_a_job_on_several_nodes_holds_each_known_one() -> None:
    rows = list(parse_queue("t|7_2|ann|COMPLETING|1-02:03:04|n[1-2].savio2,n7.savio3|x\n", "t"))
    assert rows == [
        (Job("7_2", "ann", "COMPLETING", "x", "1-02:03:04"), ("n1.savio2", "n2.savio2", "n7.savio3")),
    ]


def test_a_node_that_is_not_known_is_not_in_the_answer(make_tool: MakeTool) -> None:
    jobs = running_jobs(squeue(make_tool("squeue", replay("slurm-22.05.8/ten-nodes/squeue.txt"))), known={"n9"})
    assert list(jobs) == ["n9"]


@pytest.mark.parametrize("state", ["PENDING", "REVOKED"])
def test_a_job_that_does_not_run_here_holds_nothing_even_when_it_names_nodes(state: str) -> None:
    assert list(parse_queue(f"t|7|ann|{state}|0:00|n1|x\nt|8|ann|{state}|0:00||y", "t")) == []


def test_no_job_name_makes_a_row() -> None:
    text = "t0|7|ann|RUNNING|0:01|n1|evil\n|8|bob|RUNNING|0:01|n2|x\nt1|9|bob|RUNNING|0:01|n3|x\n\n"
    ((job, nodes),) = parse_queue(text, "t0")
    assert nodes == ("n1",)
    assert job.name == "evil\n|8|bob|RUNNING|0:01|n2|x\nt1|9|bob|RUNNING|0:01|n3|x\n"


@pytest.mark.parametrize(
    "text", ["garbage\n", "t|7|ann|RUNNING\n", "t|7|ann|RUNNING|0:01|n[1-|x\n", "\nt|7|a|RUNNING|0|n1|x"]
)
def test_a_row_that_cannot_be_read_is_an_error_and_not_an_idle_node(text: str) -> None:
    with pytest.raises(SlurmFailed, match="squeue printed what cannot be read"):
        list(parse_queue(text, "t"))


@given(st.text(st.sampled_from("t|0n1[]-,\n RUNIGé\x00\x85"), max_size=100))
def test_any_text_gives_jobs_or_a_slurm_error(text: str) -> None:
    try:
        rows = list(parse_queue(text, "t"))
    except SlurmFailed:
        return
    assert all(nodes for _, nodes in rows)


@pytest.mark.parametrize(
    ("script", "error", "says"),
    [
        ("echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1", SlurmFailed, "slurm_load_jobs error"),
        ("sleep 60", SlurmTimeout, "did not end within"),
        ("echo garbage", SlurmFailed, "cannot be read"),
    ],
)
def test_a_failing_command_is_an_error_for_both(
    make_tool: MakeTool, script: str, error: type[SlurmFailed], says: str
) -> None:
    command = make_tool("tool", script)
    settings = SlurmSettings(squeue=command, sacct=command, timeout=0.5)
    with pytest.raises(error, match=says):
        running_jobs(settings, known=KNOWN)
    with pytest.raises(error, match=says):
        last(settings, "n1")


FAILURES = (
    "echo 'slurm_load_jobs error: Connection reset by peer' >&2; exit 1",
    "echo 'slurm_load_jobs error: Unexpected missing socket error' >&2; exit 1",
    "echo 'words of another version' >&2; exit 3",
    "exit 1",
    "kill -SEGV $$",
)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_command_that_fails_early_is_asked_once_more_whatever_it_says(
    make_tool: MakeTool, calls_of: Calls, failure: str
) -> None:
    restarted = make_tool("restarted", f'[ $(wc -l <"$calls") = 2 ] || {{ {failure}; }}')
    assert running_jobs(squeue(restarted), known=KNOWN) == {}
    assert last(sacct(make_tool("accounts", f'[ $(wc -l <"$calls") = 2 ] || {{ {failure}; }}')), "n1") == {}
    gone = make_tool("gone", failure)
    with pytest.raises(SlurmFailed, match=r"failed with status|died of signal"):
        running_jobs(squeue(gone), known=KNOWN)
    assert [len(calls_of(each)) for each in (restarted, gone)] == [2, 2]


def test_a_second_question_has_what_is_left_of_the_time(make_tool: MakeTool, calls_of: Calls) -> None:
    command = make_tool("squeue", '[ $(wc -l <"$calls") = 2 ] && exec sleep 60; exit 1')
    with pytest.raises(SlurmTimeout, match="did not end within 2 s"):
        running_jobs(SlurmSettings(squeue=command, timeout=2.0), known=KNOWN)
    assert len(calls_of(command)) == 2


def test_a_command_that_has_waited_long_by_itself_is_not_asked_again(make_tool: MakeTool, calls_of: Calls) -> None:
    command = make_tool("squeue", "sleep 0.6; echo 'Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SlurmFailed):  # a timeout where the machine is busy
        running_jobs(SlurmSettings(squeue=command, timeout=1.0), known=KNOWN)
    assert len(calls_of(command)) == 1


@pytest.mark.parametrize("script", ["exec env /nonexistent/squeue", "exec sh -c /etc/passwd"])
def test_a_command_that_is_not_there_is_not_asked_twice(make_tool: MakeTool, calls_of: Calls, script: str) -> None:
    command = make_tool("squeue", script)
    with pytest.raises(SlurmFailed, match=r"failed with status 12[67]"):
        running_jobs(squeue(command), known=KNOWN)
    assert len(calls_of(command)) == 1


def test_a_line_without_an_end_is_not_gathered(make_tool: MakeTool) -> None:
    command = make_tool("squeue", "exec cat /dev/zero")
    with pytest.raises(SlurmFailed, match="printed a line of more than 2,097,152 bytes and was ended"):
        running_jobs(squeue(command), known=KNOWN)


def test_a_missing_command_is_named() -> None:
    with pytest.raises(SlurmFailed, match=r'"/nonexistent" is missing; set \[slurm\] squeue'):
        running_jobs(squeue("/nonexistent"), known=KNOWN)
    with pytest.raises(SlurmFailed, match=r"set \[slurm\] sacct"):
        last(sacct("/nonexistent"), "n1")


def test_it_gives_the_newest_job_of_each_node_from_a_jobcomp_file(make_tool: MakeTool, calls_of: Calls) -> None:
    command = make_tool("sacct", replay("slurm-22.05.8/ten-nodes/sacct-c.txt"))
    jobs = last(sacct(f"{command} -c"), "n0", "n1", "n5", "n9")
    assert jobs == {
        "n0": Job("1", "root", "CANCELLED", exit_code="0:0", ended_at=datetime(2026, 11, 23, 20, 54, 52, tzinfo=UTC)),
        "n1": Job("8", "root", "CANCELLED", exit_code="0:0", ended_at=datetime(2026, 11, 23, 20, 54, 53, tzinfo=UTC)),
        "n9": Job("7", "root", "FAILED", exit_code="3:0", ended_at=datetime(2026, 11, 23, 20, 54, 52, tzinfo=UTC)),
    }
    options = "--allusers --local -n -P -X -S now-1day -E now -o JobID,User,State,ExitCode,Start,End,NodeList"
    assert calls_of(command) == [f"-c {options} -N n0,n1,n5,n9"]


def test_of_jobs_on_one_node_the_one_that_ended_last_counts(make_tool: MakeTool) -> None:
    """Job 4 ran on `n0001.savio[2-3]`, as Slurm folds the two names."""
    jobs = last_jobs(
        sacct(make_tool("sacct", replay("slurm-22.05.8/ended-jobs/sacct.txt"))),
        ["n0000.vector0", "n0001.vector0", "n0001.savio2", "n0003.savio3", "n0007.savio2"],
        clock=lambda: datetime(2026, 11, 24, 1, 0, tzinfo=UTC),
    )
    assert {node: (job.job_id, job.user, job.state) for node, job in jobs.items()} == {
        "n0000.vector0": ("2", "alice", "FAILED"),
        "n0001.vector0": ("9", "alice", "CANCELLED by 0"),
        "n0001.savio2": ("4", "alice", "COMPLETED"),
        "n0003.savio3": ("8", "alice", "TIMEOUT"),
    }


def test_a_list_that_is_too_long_for_an_argument_is_not_given(make_tool: MakeTool, calls_of: Calls) -> None:
    command = make_tool("sacct", "exit 0")
    last(sacct(command), *(f"n{i:05d}.savio2" for i in range(10_000)))
    assert "-N" not in calls_of(command)[0]


def test_a_cluster_without_accounting_is_understood_by_itself(make_tool: MakeTool) -> None:
    assert last(sacct(make_tool("sacct", replay("slurm-22.05.8/no-accounting/sacct.txt"))), "n1") is None
    assert last(sacct(" "), "n1") is None


def test_no_nodes_ask_nothing(make_tool: MakeTool, calls_of: Calls) -> None:
    command = make_tool("sacct", "exit 0")
    assert last(sacct(command)) == {}
    assert calls_of(command) == []


def test_a_job_that_ended_counts_before_one_that_runs() -> None:
    text = (
        "4|ann|RUNNING|0:0|2026-11-23T20:50:00|Unknown|n[1-2]\n"
        "3|ann|NODE_FAIL|0:0|2026-11-23T20:00:00|2026-11-23T20:40:00|n1\n"
        "2|ann|COMPLETED|0:0|2026-11-23T19:00:00|2026-11-23T20:30:00|n1\n"
        "1|ann|CANCELLED by 1000|0:0|Unknown|2026-11-23T20:59:00|None assigned\n"
        "0|ann|FAILED|1:0|2026-11-20T19:00:00|2026-11-22T20:59:59|n3\n"
    )
    since = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)
    jobs = newest_jobs(parse_accounting(text, since=since), ["n1", "n2", "n3"])
    assert {node: job.job_id for node, job in jobs.items()} == {"n1": "3", "n2": "4"}
    assert jobs["n2"].ended_at is None


OWN = {
    "SQUEUE_STATES": "PENDING",
    "SACCT_FORMAT": "JobID",
    "SINFO_PARTITION": "debug",
    "SCONTROL_FUTURE": "1",
    "SLURM_CLUSTERS": "other",
    "SLURM_TIME_FORMAT": "relative",
    "SLURM_BITSTR_LEN": "8",
    "SLURM_DEBUG_FLAGS": "Protocol",
    "SLURM_JSON": "compact",
}
PLACES = {"SLURM_CONF": "/etc/slurm/slurm.conf", "SLURM_CONF_SERVER": "ctl:6817", "SLURM_SACK_SOCKET": "/run/sack"}


def test_a_setting_of_the_users_own_changes_no_answer_and_slurm_is_still_found(
    make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**OWN, **PLACES}.items():
        monkeypatch.setenv(name, value)
    command = make_tool("squeue", 'env >"$(dirname "$0")/environment"')
    running_jobs(squeue(command), known=KNOWN)
    lines = Path(command).with_name("environment").read_text().splitlines()
    environment = dict(line.partition("=")[::2] for line in lines)
    assert OWN.keys() & environment.keys() == set()
    assert {name: environment[name] for name in PLACES} == PLACES
