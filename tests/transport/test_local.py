"""Starting a program: what comes back, and what happens to one that misbehaves."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from botd.transport.local import (
    CommandFlooded,
    CommandMissing,
    CommandTimeout,
    Completed,
    LocalCommandError,
    run_command,
)
from tests.program import wait_until


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def is_running(pid: int) -> bool:
    """Whether the process still runs; one that is dead and not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not is_running(pid))


def test_it_returns_both_outputs_and_the_status() -> None:
    done = run_command(shell("printf out; printf err >&2; exit 3"), timeout_s=10)
    assert done == Completed(3, b"out", b"err")


def test_it_reports_the_signal_that_ended_the_program() -> None:
    assert run_command(shell("kill -TERM $$"), timeout_s=10).status == -signal.SIGTERM


def test_it_hands_over_standard_input_of_any_size() -> None:
    data = os.urandom(1_000_000)
    assert run_command(["cat"], timeout_s=30, stdin=data).stdout == data


def test_standard_input_is_empty_unless_given() -> None:
    assert run_command(["cat"], timeout_s=10) == Completed(0, b"", b"")


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    assert run_command(["true"], timeout_s=10, stdin=bytes(1_000_000)).status == 0


def test_words_never_reach_a_shell() -> None:
    assert run_command(["printf", "%s", "$(id); `id` | id"], timeout_s=10).stdout == b"$(id); `id` | id"


def test_it_runs_in_a_session_of_its_own() -> None:
    code = "import os; print(os.getsid(0) == os.getpid() == os.getpgid(0))"
    assert run_command([sys.executable, "-c", code], timeout_s=30).stdout == b"True\n"


def test_secrets_are_not_handed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTD_BMC_PASSWORD", "for-the-agent-only")
    monkeypatch.setenv("BOTD_SSH_PASSPHRASE", "for-the-agent-only")
    monkeypatch.setenv("BOTD_CONFIG", "/etc/botd.toml")
    printed = run_command(["env"], timeout_s=10).stdout
    assert b"for-the-agent-only" not in printed
    assert b"BOTD_CONFIG=/etc/botd.toml" in printed
    assert b"LC_ALL=C\n" in printed


def test_no_program_reaches_the_ssh_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent.1")
    monkeypatch.setenv("SSH_AGENT_PID", "1")
    assert b"SSH_A" not in run_command(["env"], timeout_s=10, hide=("SINFO_",)).stdout


def test_a_missing_program_is_missing() -> None:
    with pytest.raises(CommandMissing, match="no-such-program: No such file"):
        run_command(["no-such-program"], timeout_s=10)


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_file_that_is_no_program_is_missing(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tool"
    path.write_bytes(b"\x00\x01")
    path.chmod(mode)
    with pytest.raises(CommandMissing):
        run_command([str(path)], timeout_s=10)


def test_an_argument_that_is_too_long_is_not_a_missing_program() -> None:
    with pytest.raises(LocalCommandError, match="cannot be started") as caught:
        run_command(["true", "x" * 300_000], timeout_s=10)
    assert not isinstance(caught.value, CommandMissing)


def test_the_whole_group_dies_at_the_time_limit(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(CommandTimeout, match=r"/bin/sh did not end within 1\.5 s"):
        run_command(shell(f"sleep 600 & echo $! $$ > {pids}; wait"), timeout_s=1.5)
    for pid in pids.read_text().split():
        wait_until_gone(int(pid))


def test_a_program_that_ignores_signals_is_killed_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        run_command(shell(f"trap '' TERM HUP INT; echo $$ > {pid}; while :; do sleep 600; done"), timeout_s=1.5)
    wait_until_gone(int(pid.read_text()))


def test_a_program_that_closed_its_outputs_and_stays_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        run_command(shell(f"echo $$ > {pid}; exec sleep 600 >&- 2>&-"), timeout_s=1.5)
    wait_until_gone(int(pid.read_text()))


@pytest.mark.parametrize("outputs", ["", ">/dev/null 2>&1"])
def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path, outputs: str) -> None:
    pid = tmp_path / "pid"
    done = run_command(shell(f"sleep 600 {outputs} & echo $! > {pid}; echo done; exit 3"), timeout_s=60)
    assert done == Completed(3, b"done\n", b"")
    wait_until_gone(int(pid.read_text()))


def test_what_left_the_group_and_holds_the_outputs_keeps_nobody_waiting(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    done = run_command(shell(f"setsid sh -c 'echo $$ > {pid}; exec sleep 600' & wait_for={pid}; echo done; "
                             "while ! [ -s $wait_for ]; do sleep 0.01; done"), timeout_s=60)  # fmt: skip
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert done == Completed(0, b"done\n", b"")


@pytest.mark.parametrize("redirect", ["", ">&2"])
def test_a_flood_is_cut_off_and_its_program_killed(tmp_path: Path, redirect: str) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CommandFlooded, match="more than 100,000 bytes"):
        run_command(shell(f"echo $$ > {pid}; exec yes {redirect}"), timeout_s=60, max_output=100_000)
    wait_until_gone(int(pid.read_text()))


@pytest.mark.parametrize("redirect", ["", ">&2"])
def test_a_line_without_end_is_cut_off_and_its_program_killed(tmp_path: Path, redirect: str) -> None:
    pid = tmp_path / "pid"
    line = f"echo $$ > {pid}; echo short {redirect}; exec cat /dev/zero {redirect}"
    with pytest.raises(CommandFlooded, match="a line of more than 100,000 bytes"):
        run_command(shell(line), timeout_s=60, max_line=100_000)
    wait_until_gone(int(pid.read_text()))


def test_lines_up_to_the_limit_are_kept_however_many() -> None:
    line = "x" * 99_999
    done = run_command(["sed", "p;p;p"], timeout_s=10, stdin=f"{line}\n{line}".encode(), max_line=100_000)
    assert set(done.stdout.decode().split("\n")) == {line, *([""] if done.stdout.endswith(b"\n") else [])}
    assert done.stdout.count(line.encode()) == 8


def test_output_up_to_the_limit_is_kept() -> None:
    assert len(run_command(["head", "-c", "100000", "/dev/zero"], timeout_s=10, max_output=100_000).stdout) == 100_000


def test_no_file_stays_open() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    run_command(["true"], timeout_s=10)
    with pytest.raises(CommandTimeout):
        run_command(["sleep", "600"], timeout_s=0.1)
    with pytest.raises(CommandMissing):
        run_command(["no-such-program"], timeout_s=10)
    assert sorted(os.listdir("/proc/self/fd")) == before
