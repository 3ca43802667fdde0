"""The simulated node's shell against a real one: the same script through both, compared check by check."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from botd.answers import Job, Output, Source
from botd.checks import Checks, command_for, site_checks
from botd.config import parse_config
from botd.demo.machine import DemoJob, Health, Mount, Node
from botd.demo.node_shell import NodeShell, read_script
from botd.demo.state import ClusterState
from botd.model import Facts, Finding, SlurmNode, State
from botd.settings import ActionsSettings, Config
from botd.transport.ssh.script import Fragment, FrameReader, build_script

NAME = "n0007.savio2"
NONCE = "0123456789abcdef"
LOG_LINE = "error: Unable to register: connect failure"
NOW = time.time()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Commands that mean the same on this machine: `/` is a mount, and a fresh directory is none."""
    directory = tmp_path_factory.mktemp("node")
    log = directory / "slurmd.log"
    date = datetime.now().isoformat(timespec="milliseconds")
    log.write_text(f"[{date}] nothing to see\n[{date}] {LOG_LINE}\n", encoding="ascii")
    return parse_config(site_with(str(directory), str(log)))


def site_with(directory: str, log: str) -> dict[str, Any]:
    return {
        "mounts": {"here": "/", "gone": directory},
        "checks": {"slurmd_log": {"path": log}},
        "check": [
            {"name": "kernel", "command": "uname -r", "value": "text"},
            {"name": "nosuch", "command": "no-such-command --at-all", "value": "exit"},
        ],
    }


COMMANDS = [
    check for check in site_checks(parse_config(site_with("/gone", "/log"))).values() if check.source is Source.COMMAND
]
SIMULATED = [check.name for check in COMMANDS if not check.sample]
"""What the demo answers by how a node is. Any other check is answered with its sample."""


def node_with(health: Health) -> Node:
    return Node(NAME, 6, 24, 64_000, ("savio2",), "", "", NOW - 5000, health=health)


def simulated(config: Config, health: Health) -> NodeShell:
    jobs = [DemoJob(1, "ivo", "wrap", "savio2", (NAME,), 24, NOW - 60)]
    return NodeShell(ClusterState([node_with(health)], jobs, lambda: NOW), config)


def script_of(checks: Checks, *, guarded: bool = False) -> str:
    remote = [check for check in checks.values() if check.source is Source.COMMAND]
    # A minute each: what is compared is the form, however busy the machine is that runs the tests.
    parts = [Fragment(c.name, command_for(c, NAME, guarded=guarded), 60.0) for c in remote]
    return build_script(NONCE, parts).decode()


def outputs(frames: bytes) -> dict[str, Output]:
    return dict(FrameReader(NONCE).feed(frames))


@pytest.fixture(scope="module")
def real(config: Config) -> dict[str, Output]:
    """What this machine answers."""
    return outputs(run_really(script_of(site_checks(config))))


def run_really(script: str) -> bytes:
    return subprocess.run(["/bin/sh", "-s"], input=script.encode(), capture_output=True, timeout=120).stdout


@pytest.fixture(scope="module")
def demo(config: Config) -> dict[str, Output]:
    """What a simulated node answers."""
    shell = simulated(config, Health(log=(LOG_LINE,), mounts={config.mounts["gone"]: Mount.MISSING}))
    return outputs(shell.run_script(NAME, script_of(site_checks(config))).frames)


def shape(output: Output) -> list[str]:
    """The lines with every number as N and runs of blanks as one: what is left is the form."""
    numbers = re.sub(r"\d+(\.\d+)?", "N", output.text)
    return [re.sub(r" +", " ", line) for line in numbers.split("\n")]


def test_a_real_shell_and_a_simulated_one_answer_the_same_checks(
    real: dict[str, Output], demo: dict[str, Output]
) -> None:
    assert set(real) == set(demo) == {check.name for check in COMMANDS}


@pytest.mark.parametrize("name", SIMULATED)
def test_exit_statuses_are_the_same(real: dict[str, Output], demo: dict[str, Output], name: str) -> None:
    assert demo[name].status == real[name].status


@pytest.mark.parametrize("name", ["uptime", "load", "df_here", "df_gone", "memory", "slurmd_log", "nosuch"])
def test_lines_have_the_same_form(real: dict[str, Output], demo: dict[str, Output], name: str) -> None:
    assert shape(demo[name]) == shape(real[name])


def test_an_unknown_command_is_told_in_the_same_words(real: dict[str, Output], demo: dict[str, Output]) -> None:
    assert demo["nosuch"].text == real["nosuch"].text == "/bin/sh: 1: no-such-command: not found\n"


@pytest.fixture
def somebody() -> Iterator[None]:
    """A process of an ordinary user: this one, or where root runs the tests, another."""
    if os.getuid():
        yield
        return
    with subprocess.Popen(["sleep", "60"], user=12_345) as process:
        yield
        process.kill()


def test_users_come_as_on_a_real_node(somebody: None, config: Config, demo: dict[str, Output]) -> None:
    real = outputs(run_really(script_of(site_checks(config))))
    for text in (real["users"].text, demo["users"].text):
        own, *lines = text.splitlines()
        assert re.fullmatch(r"[a-z_]\S*", own)
        assert lines
        assert all(re.fullmatch(r"\d{4,} \S+", line) for line in lines)


def test_slurmd_is_told_in_the_same_words(real: dict[str, Output], demo: dict[str, Output]) -> None:
    for text in (real["slurmd"].text, demo["slurmd"].text):
        assert re.fullmatch(r"pid (\d+)?\n(slurm\S* \d+\.\d+\.\d+\n)?", text)


@pytest.mark.parametrize("name", [name for name in SIMULATED if name != "nosuch"])
def test_both_parse_to_values_of_one_type(
    config: Config, real: dict[str, Output], demo: dict[str, Output], name: str
) -> None:
    check = site_checks(config)[name]
    facts = Facts(NAME, SlurmNode(NAME, "idle", "IDLE"), (), check.settings)
    values = [check.parse(output, facts).value for output in (real[name], demo[name])]
    assert type(values[0]) is type(values[1])
    if isinstance(values[0], dict):
        assert list(values[0]) == list(values[1])


SICK = [
    ("users", Health(left_over=("daria",)), State.WARN, "daria"),
    ("dstate", Health(stuck=("folio_wait_bit kofi/cp2k",)), State.WARN, "of kofi in folio_wait_bit"),
    ("load", Health(load=2.0), State.WARN, "on 24 cores"),
    ("memory", Health(missing_mb=8000), State.FAIL, "Slurm expects"),
    ("slurmd", Health(slurmd=False), State.FAIL, "does not run"),
    ("slurmd_log", Health(log=("[..] fatal: gone",)), State.WARN, "fatal: gone"),
    ("df_here", Health(mounts={"/": Mount.READ_ONLY}), State.FAIL, "read-only"),
    ("df_here", Health(mounts={"/": Mount.MISSING}), State.FAIL, "not mounted"),
    ("df_here", Health(mounts={"/": Mount.FULL}), State.FAIL, "100% used"),
]


@pytest.mark.parametrize(("name", "health", "state", "detail"), SICK)
def test_a_fault_is_seen_by_its_check_and_by_no_other(
    config: Config, name: str, health: Health, state: State, detail: str
) -> None:
    sick, sound = findings(config, health), findings(config, Health())
    assert sick[name].state is state
    assert detail in sick[name].detail
    assert {each for each in sick if sick[each] != sound[each]} == {name}


def findings(config: Config, health: Health) -> dict[str, Finding]:
    """What the checks make of a node with this health, on which user ivo has a job."""
    checks = site_checks(config)
    slurm = SlurmNode(NAME, "idle", "IDLE", memory_mb=64_000)
    said = outputs(simulated(config, health).run_script(NAME, script_of(checks)).frames)
    jobs = (Job("1", "ivo", "RUNNING"),)
    return {
        each: checks[each].parse(output, Facts(NAME, slurm, jobs, checks[each].settings))
        for each, output in said.items()
    }


def test_a_sound_node_passes_every_check(config: Config) -> None:
    found = findings(config, Health())
    del found["nosuch"]
    assert {finding.state for finding in found.values()} == {State.OK}


def test_a_hung_mount_answers_nothing_and_is_stuck_from_then_on(config: Config) -> None:
    shell = simulated(config, Health(mounts={"/": Mount.HUNG}))
    checks = site_checks(config)
    first = shell.run_script(NAME, script_of(checks))
    second = shell.run_script(NAME, script_of(checks, guarded=True))
    assert (first.hangs, second.hangs) == (True, False)
    assert {check.name for check in COMMANDS} - set(outputs(first.frames)) == {"df_here"}
    assert outputs(second.frames)["df_here"].timed_out


def test_long_output_is_cut_where_the_real_script_cuts_it(config: Config) -> None:
    shell = simulated(config, Health(log=("error " * 1000,)))
    output = outputs(shell.run_script(NAME, script_of(site_checks(config))).frames)["slurmd_log"]
    long = "probe long 5 'yes error | head -c 6000'\n"
    expected = outputs(run_really(script_of({}) + long))["long"]
    assert (output.truncated, len(output.text)) == (expected.truncated, len(expected.text)) == (True, 3500)


def test_a_probe_with_quotes_and_newlines_is_read_as_the_shell_reads_it() -> None:
    command = "echo 'it''s' \"two\nlines\"\nprobe x 1 'no'"
    script = build_script(NONCE, [Fragment("odd", command, 2.0)]).decode()
    assert read_script(script) == (NONCE, [("odd", command)])


@pytest.mark.parametrize("text", ["", "echo hello", "rm -rf /\n}\nprobe"])
def test_another_script_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a script"):
        read_script(text)


@pytest.mark.parametrize(("command", "said"), [("hostname", f"{NAME}\n"), ("id -un", "botd\n"), ("true", "")])
def test_a_few_commands_may_be_typed(config: Config, command: str, said: str) -> None:
    assert simulated(config, Health()).run_command(NAME, command) == (said, 0)


def test_the_command_of_the_site_restarts_slurmd_and_no_other_does(config: Config) -> None:
    command = "sudo -n systemctl restart slurmd"
    site = replace(config, actions=ActionsSettings(restart_slurmd=command))
    state = ClusterState([node_with(Health(slurmd=False))], [], lambda: NOW)
    assert NodeShell(state, config).run_command(NAME, command)[1] == 127
    assert not state.nodes[NAME].registers
    script = build_script(NONCE, [Fragment("command", command, 5)]).decode()
    assert outputs(NodeShell(state, site).run_script(NAME, script).frames) == {"command": Output("", 0)}
    assert state.nodes[NAME].registers
    assert state.nodes[NAME].slurmd_started_at == NOW
