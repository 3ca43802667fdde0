"""Mounts that do not answer: a real FUSE file system whose process is stopped, and what an automounter serves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from botd.checks.df import check_mount
from botd.model import State
from tests.checks import automounter
from tests.checks.machine import df, findings, need_namespaces
from tests.conftest import leave_out, need_program
from tests.program import wait_until


class Cave:
    """A mount namespace that stays, with FUSE file systems that can be stopped."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self.spaces: tuple[str, ...] = ()
        holder = self.start("unshare", "--mount", "sleep", "600")
        self._mounts = Path(f"/proc/{holder.pid}/mounts")
        wait_until(lambda: os.readlink("/proc/self/ns/mnt") != os.readlink(f"/proc/{holder.pid}/ns/mnt"), 60)
        self.spaces = ("nsenter", "--mount", f"--target={holder.pid}")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """A process in the namespace; it ends with it."""
        process = subprocess.Popen([*self.spaces, *command], stdout=subprocess.DEVNULL)
        self._processes.append(process)
        return process

    def start_df(self, path: Path) -> subprocess.Popen[bytes]:
        """A df fragment on its own, without a time limit."""
        return self.start("/bin/sh", "-c", df_command(path))

    def bind(self, source: Path, target: Path) -> psutil.Process:
        """The process of a FUSE file system that shows `source` at `target`."""
        server = self.start(need_program("bindfs"), "-f", str(source), str(target))
        wait_until(lambda: f" {target} fuse" in self._mounts.read_text(), 60)
        return psutil.Process(server.pid)

    def close(self) -> None:
        """Kills everything before it waits for anything: a hung statfs ends only when its file server does."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()


@pytest.fixture
def cave() -> Iterator[Cave]:
    need_namespaces()
    need_program("bindfs")
    if not os.access("/dev/fuse", os.W_OK):
        leave_out("a mount that hangs needs /dev/fuse")
    made = Cave()
    yield made
    made.close()


@pytest.fixture
def dead(cave: Cave, tmp_path: Path) -> Path:
    """A mount whose statfs does not return, not even for SIGKILL: its server waits for one that is stopped."""
    lower, middle, top = (tmp_path / name for name in ("lower", "middle", "top"))
    for folder in (lower, middle, top):
        folder.mkdir()
    server = cave.bind(lower, middle)
    cave.bind(middle, top)
    server.suspend()
    return top


def df_command(path: Path) -> str:
    return check_mount("x", str(path)).guarded


def statfs_of(path: Path) -> list[psutil.Process]:
    """The processes that wait for a statfs of this path."""
    asked = ["stat", "-f", "-c", "%S %b %f %a", str(path)]
    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == asked]


def test_a_stopped_file_server_is_a_hung_mount(cave: Cave, tmp_path: Path) -> None:
    server = cave.bind(tmp_path, tmp_path)
    assert df(str(tmp_path), spaces=cave.spaces).state is State.OK
    server.suspend()
    found = df(str(tmp_path), spaces=cave.spaces, timeout_s=4)
    assert (found.state, found.value["hung"]) == (State.FAIL, True)


def test_a_hung_mount_costs_no_other_cell_and_is_not_asked_again(cave: Cave, dead: Path) -> None:
    first = cave.start_df(dead)
    wait_until(lambda: statfs_of(dead), 60)
    for _ in range(2):
        found = findings({"mounts": {"dead": str(dead), "proc": "/proc"}}, spaces=cave.spaces)
        assert (found["df_dead"].state, found["df_dead"].value["hung"]) == (State.FAIL, True)
        assert found["df_dead"].value["mounted"] is True
        assert found["df_proc"].state is found["uptime"].state is State.OK
        assert [process.pid for process in statfs_of(dead)] == [first.pid]


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]], ids=" ".join)
def test_the_guard_works_in_any_shell(cave: Cave, dead: Path, shell: list[str]) -> None:
    need_program(shell[0])
    cave.start_df(dead)
    wait_until(lambda: statfs_of(dead), 60)
    asked = [*cave.spaces, *shell, "-c", df_command(dead)]
    ended = subprocess.run(asked, capture_output=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (124, b"mount rw\n")


def test_the_guard_takes_no_other_path_for_this_one(cave: Cave, dead: Path) -> None:
    cave.start_df(dead)
    wait_until(lambda: statfs_of(dead), 60)
    for near in (dead.parent, dead.with_name("to"), dead.with_name("t.p"), dead.with_name("top2")):
        assert df(str(near), spaces=cave.spaces).value["hung"] is False


def test_the_guard_believes_no_process_of_another_user(cave: Cave, dead: Path) -> None:
    """Else any user could make a healthy mount look hung to botd."""
    for folder in dead.parents:
        if folder.owner() == "root" and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    cave.start("setpriv", "--reuid=54321", "--clear-groups", "stat", "-f", "-c", "%S %b %f %a", str(dead))
    wait_until(lambda: statfs_of(dead), 60)
    own = cave.start_df(dead)
    wait_until(lambda: own.pid in [process.pid for process in statfs_of(dead)], 60)


def automount(path: Path, answer: str) -> str:
    server = f"{sys.executable} {automounter.__file__} {path} {answer} &"
    return f"{server} until grep -q ' {path} autofs' /proc/self/mounts; do :; done"


def test_what_an_automounter_serves_is_mounted_by_the_probe(tmp_path: Path) -> None:
    need_namespaces()
    found = df(str(tmp_path), automount(tmp_path, "mount"))
    assert (found.state, found.value["size"]) == (State.OK, 8 * 2**20)


def test_what_an_automounter_cannot_mount_is_not_mounted(tmp_path: Path) -> None:
    need_namespaces()
    found = df(str(tmp_path), automount(tmp_path, "fail"))
    assert (found.state, found.value["mounted"], found.detail) == (State.FAIL, False, "not mounted")
