"""What botd makes of everything that was recorded: node lists, jobs, last jobs, pings, or the error that it raises.

Beside each index.json stands expected.json with one entry per recording, as short as a person reads it. A recording
without one, or with a command that no reader is known for, fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from botd.answers import Delivery, PingAnswer
from botd.errors import SlurmFailed
from botd.inventory.command import SCOPE
from botd.inventory.events import read_events
from botd.inventory.jobs import last_jobs, running_jobs
from botd.inventory.saved import parse_saved
from botd.inventory.slurm import SlurmReader
from botd.model import SlurmNode
from botd.settings import PingSettings, SlurmSettings
from botd.transport.ping import parse_ping, ping_nodes
from tests.inventory.conftest import write_tool
from tests.recorded import FOLDER, Recording, all_recordings, printed, read_index, recording, replay

LIMIT_S = SlurmSettings().timeout
"""How long botd waits for a Slurm command; a recorded one that took longer is replayed as one that hangs."""

PATIENCE_S = 5.0
GIVEN_UP_S = 0.2
LONG = 60

CLUSTER = [f"n{number:04d}.{cluster}" for cluster in ("savio2", "savio3", "vector0") for number in range(8)]
OF_OTHER_TESTS = {
    "slurm-22.05.8/twelve-nodes/scontrol-show-node.txt": "demo/test_slurm_tools.py",
    "slurm-22.05.8/twelve-nodes/sinfo-R-format.txt": "demo/test_slurm_tools.py",
    "slurm-22.05.8/twelve-nodes/squeue.txt": "demo/test_slurm_tools.py",
    "slurm-22.05.8/twelve-nodes/sacct.txt": "demo/test_slurm_tools.py",
}
"""Recordings in forms that botd does not ask for: the demo's stand-ins must print the same."""

Made = dict[str, Any]


@pytest.fixture(autouse=True)
def utc_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def short(text: str) -> str:
    """A reason as a person can read it in a list."""
    return text if len(text) <= LONG else f"{text[:LONG]}... ({len(text)} characters)"


def node_lines(nodes: Iterable[SlurmNode]) -> list[str]:
    lines = []
    for node in nodes:
        words = [node.node, node.state or "?", *node.unrecognised]
        by = f"by {node.reason_by} at {node.reason_at:%H:%M:%S}" if node.reason_at else ""
        lines.append(" ".join(filter(None, [*words, by, short(node.reason)])))
    return lines


# ---- one reader per command ----


def nodes_by_sinfo(name: str, folder: Path) -> Made:
    """Read as botd does when this command is the way it remembers or tries first."""
    script = replay(name, limit_s=LIMIT_S)
    if "--json" not in recording(name).command:
        script = f'case " $* " in *" --json"*) exit 1;; esac\n{script}'
    second = f"{Path(name).parent}/scontrol.json"
    scontrol = write_tool(folder, "scontrol", replay(second) if (FOLDER / second).exists() else "exit 1")
    sinfo = write_tool(folder, "sinfo", script)
    return read_nodes(SlurmSettings(sinfo=sinfo, scontrol=scontrol, timeout=patience(name)))


def nodes_by_scontrol(name: str, folder: Path) -> Made:
    """Read as botd does where sinfo's own document holds no nodes; where scontrol fails, it goes on to --format."""
    tool = write_tool(folder, "scontrol", replay(name, limit_s=LIMIT_S))
    third = f"{Path(name).parent}/sinfo-format.txt"
    script = replay(third) if (FOLDER / third).exists() else "exit 1"
    sinfo = write_tool(folder, "sinfo", f'case " $* " in *" --json"*) exit 1;; esac\n{script}')
    return read_nodes(SlurmSettings(sinfo=sinfo, scontrol=tool, timeout=patience(name)))


def saved_list(name: str, folder: Path) -> Made:
    nodes, problems = parse_saved(printed(name), "file")
    return {"nodes": node_lines(nodes), "problems": problems}


def jobs(name: str, folder: Path) -> Made:
    tool = write_tool(folder, "squeue", replay(name, limit_s=LIMIT_S))
    found = running_jobs(SlurmSettings(squeue=tool, timeout=patience(name)), known=Everybody())
    return {
        "jobs": {
            node: [f"{job.job_id} {job.user} {job.state} {job.elapsed} {short(job.name)}" for job in held]
            for node, held in sorted(found.items())
        }
    }


def last(name: str, folder: Path) -> Made:
    tool = write_tool(folder, "sacct", replay(name, limit_s=LIMIT_S))
    settings = SlurmSettings(sacct=tool, timeout=patience(name))
    nodes = [*CLUSTER, *(f"n{number}" for number in range(10))]
    found = last_jobs(settings, nodes, clock=lambda: datetime(2026, 11, 24, 0, 0, tzinfo=UTC))
    if found is None:
        return {"last": None}
    return {
        "last": {
            node: f"{job.job_id} {job.user} {job.state or '?'} {job.exit_code} {job.ended_at:%H:%M:%S}"
            if job.ended_at
            else f"{job.job_id} {job.user} {job.state or '?'}"
            for node, job in sorted(found.items())
        }
    }


def events(name: str, folder: Path) -> Made:
    tool = write_tool(folder, "sacctmgr", replay(name, limit_s=LIMIT_S))
    found = read_events(SlurmSettings(sacctmgr=tool, timeout=patience(name)), datetime(2026, 1, 1, tzinfo=UTC))
    times = ((f"{at:%H:%M:%S}" if at else "?" for at in (each.begins_at, each.ends_at)) for each in found)
    lines = (
        f"{each.node} {each.state} {begin} to {end} by {each.by}: {each.reason}"
        for each, (begin, end) in zip(found, times, strict=True)
    )
    return {"events": list(lines)}


def fping(name: str, folder: Path) -> Made:
    told = recording(name)
    settings = PingSettings(command=write_tool(folder, "fping", replay(name)))
    answers: dict[str, Any] = {}
    ping_nodes({word: word for word in told.stdin.split()}, settings, lambda each: take(each, answers), timeout_s=60)
    return {"pings": answers}


def take(delivery: Delivery, answers: dict[str, Any]) -> None:
    answer = delivery.answer
    assert isinstance(answer, PingAnswer)
    answers[delivery.node] = answer.error or [answer.sent, answer.received, answer.rtt_ms]


def ping(name: str, folder: Path) -> Made:
    answer = parse_ping(printed(name).decode())
    return {"ping": [answer.sent, answer.received, answer.rtt_ms]}


READERS: dict[tuple[str, ...], Callable[[str, Path], Made]] = {
    ("sinfo", "--json"): nodes_by_sinfo,
    ("sinfo", "-a", "--json"): nodes_by_sinfo,
    ("sinfo", "-h", "-N", "-a"): nodes_by_sinfo,
    ("sinfo", *SCOPE["sinfo"]): nodes_by_sinfo,
    ("scontrol", "show", "nodes", "--json"): nodes_by_scontrol,
    ("scontrol", *SCOPE["scontrol"]): nodes_by_scontrol,
    ("sinfo",): saved_list,
    ("squeue", "-h", "-a"): jobs,
    ("squeue", *SCOPE["squeue"]): jobs,
    ("sacct",): last,
    ("sacctmgr", *SCOPE["sacctmgr"]): events,
    ("fping",): fping,
    ("ping",): ping,
}
"""By the first words of a command; the longest that fits counts."""


class Everybody:
    """A container of every node."""

    def __contains__(self, node: object) -> bool:
        return True


def read_nodes(settings: SlurmSettings) -> Made:
    reader = SlurmReader(settings)
    nodes = reader.read()
    return {"nodes": node_lines(nodes), **({"problems": list(reader.problems)} if reader.problems else {})}


def patience(name: str) -> float:
    """A hanging tool is given up at once, any other may take its time."""
    return GIVEN_UP_S if recording(name).seconds > LIMIT_S else PATIENCE_S


def reader_of(told: Recording) -> Callable[[str, Path], Made]:
    fitting = [words for words in READERS if tuple(told.command[: len(words)]) == words]
    assert fitting, f"no reader for {told.command}"
    return READERS[max(fitting, key=len)]


def made_of(name: str, folder: Path) -> Made:
    """What botd makes of a recording."""
    try:
        return reader_of(recording(name))(name, folder)
    except SlurmFailed as error:
        text = str(error).replace(f"{folder}/", "").replace(f"{GIVEN_UP_S:g} s", f"{LIMIT_S:g} s")
        return {"error": f"{error.status} {text}"}


def expected(name: str) -> Any:
    version, _, file = name.partition("/")
    return json.loads((FOLDER / version / "expected.json").read_text()).get(file)


NAMES = [name for name, _ in all_recordings()]
READ_BY_BOTD = [name for name in NAMES if name not in OF_OTHER_TESTS and "/refused/" not in name]


@pytest.mark.parametrize("name", READ_BY_BOTD)
def test_botd_makes_of_it_what_a_person_would(name: str, tmp_path: Path) -> None:
    assert made_of(name, tmp_path) == expected(name)


@pytest.mark.parametrize("name", OF_OTHER_TESTS)
def test_the_others_are_named_in_the_test_that_reads_them(name: str) -> None:
    assert name in NAMES
    assert Path(name).name in (FOLDER.parent / OF_OTHER_TESTS[name]).read_text()


def test_every_file_is_in_an_index_and_every_entry_has_its_file() -> None:
    files = {
        str(path.relative_to(FOLDER))
        for path in FOLDER.glob("*-*/**/*")
        if path.is_file() and path.name not in ("index.json", "expected.json")
    }
    assert files == set(NAMES)


@pytest.mark.parametrize("folder", sorted({name.partition("/")[0] for name in NAMES}))
def test_nothing_is_expected_of_what_is_not_recorded(folder: str) -> None:
    path = FOLDER / folder / "expected.json"
    files = {each.file for each in read_index(path.parent)}
    assert set(json.loads(path.read_text())) <= files
