"""Every remote check run for real: on the mounts, processes and logs of this machine, through its own shells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from botd.answers import Job, Output
from botd.checks import command_for
from botd.checks.df import check_mount
from botd.model import Facts, Finding, SlurmNode, State
from botd.sweep import read_answer
from tests.checks.machine import NODE, USER, df, findings, need_namespaces, outputs
from tests.conftest import need_program

pytestmark = pytest.mark.usefixtures("namespaces")


def process_of(uid: int) -> str:
    """Starts a process of this user and waits for it to be there."""
    start = f"setpriv --reuid={uid} --clear-groups sleep 600 &"
    return f"{start} until grep -qs '^Uid:.*{uid}' /proc/[0-9]*/status; do sleep 0.1; done\n"


LIVING = """\
for again in 1 2 3 4 5 6 7 8 9 10; do
  set --; for p in /proc/[0-9]*; do read -r _ name state _ <"$p/stat"; [ "$state" = Z ] || set -- "$@" "$name"; done
  [ $# = 1 ] && break; sleep 0.5
done; read -r name </proc/1/comm; shift; echo "$name" "$@\""""
"""Prints the names of all processes that still live, once only the first is left or some seconds are over."""

HOSTILE_PATHS = [
    "a b",
    "it's",
    'say "x"',
    "glob*[a]?",
    "back\\slash",
    "$(touch hurt)`x`;",
    "-n",
    "tab\tin",
    "ünï",
    "h#sh",
]


@pytest.fixture(scope="module")
def namespaces() -> None:
    need_namespaces()


def proc(name: str) -> list[str]:
    return Path("/proc", name).read_text().split()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("before", [(), USER], ids=["root", "user"])
def test_each_fragment_reads_this_machine_in_any_shell(shell: str, before: Sequence[str]) -> None:
    found = findings({"mounts": {"root": "/", "proc": "/proc"}}, shell=shell, before=before)
    assert found["uptime"].value == pytest.approx(float(proc("uptime")[0]), abs=60)
    assert found["memory"].value["size"] == int(proc("meminfo")[1]) * 1024
    assert found["load"].detail.endswith(f" on {os.sysconf('SC_NPROCESSORS_ONLN')} cores")
    assert found["df_root"].value["size"] == os.statvfs("/").f_blocks * os.statvfs("/").f_frsize
    assert found["df_proc"].value["mounted"]
    assert found["slurmd"].value["running"] is False
    assert (found["users"].state, found["users"].value) == (State.OK, [])
    assert found["slurmd_log"].state is State.UNKNOWN


@pytest.mark.parametrize(
    "env",
    [{"OMP_NUM_THREADS": "1"}, {"LD_PRELOAD": "/nowhere/libxalt_init.so"}, {"LC_ALL": "de_DE.UTF-8", "LOGNAME": "eve"}],
    ids=lambda env: next(iter(env)),
)
def test_the_environment_of_the_login_changes_nothing(env: dict[str, str]) -> None:
    expected = findings({"mounts": {"proc": "/proc"}})
    found = findings({"mounts": {"proc": "/proc"}}, env=env)
    assert found["load"].detail.partition(" on ")[2] == expected["load"].detail.partition(" on ")[2]
    for name in ("df_proc", "slurmd", "users", "slurmd_log"):
        assert found[name] == expected[name]
    assert found["memory"].value["size"] == expected["memory"].value["size"]
    assert found["uptime"].state is State.OK


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_frames_of_many_fragments_stay_whole_in_any_shell(shell: str) -> None:
    """/bin/sh is bash on Rocky and SLES, and bash writes what its own printf prints line by line."""
    own = [{"name": f"own_{i}", "command": "echo one; echo two"} for i in range(100)]
    names = [check["name"] for check in own]
    found, _ = outputs({"check": own}, names, shell=shell, timeout_s=30)
    assert found == dict.fromkeys(names, Output("one\ntwo\n", 0))


def test_no_fragment_leaves_a_process_behind() -> None:
    found, left = outputs({"mounts": {"root": "/", "gone": "/nowhere"}}, after=LIVING)
    assert set(found) >= {"uptime", "users", "slurmd_log", "df_gone"}
    assert left.split() == ["sh"]


@pytest.mark.parametrize("option", ["'; touch {hurt}; '", "$(touch {hurt})", "`touch {hurt}`", "\n touch {hurt}\n"])
def test_an_option_cannot_break_out_of_its_fragment(tmp_path: Path, option: str) -> None:
    hurt = tmp_path / "hurt"
    path = option.format(hurt=hurt)
    document = {"checks": {"slurmd_log": {"path": path}}, "mounts": {"x": "/" + path.replace("\n", ";")}}
    found = findings(document, ["slurmd_log", "df_x"])
    assert found["slurmd_log"].state is State.UNKNOWN
    assert found["df_x"].detail == "not mounted"
    assert not hurt.exists()


# ---- file systems ----


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("name", HOSTILE_PATHS)
def test_a_mount_with_a_strange_name_is_found(tmp_path: Path, name: str, shell: str) -> None:
    path = tmp_path / name
    path.mkdir()
    found = df(str(path), f"mount -t tmpfs -o size=8m x {quote(str(path))}", shell=shell)
    assert (found.state, found.value["size"]) == (State.OK, 8 * 2**20)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_slash_at_the_end_of_a_path_changes_nothing(tmp_path: Path) -> None:
    assert df(f"{tmp_path}//", f"mount -t tmpfs x {tmp_path}").state is State.OK


def test_a_full_file_system_fails(tmp_path: Path) -> None:
    found = df(str(tmp_path), f"mount -t tmpfs -o size=1m x {tmp_path}; ! cat /dev/zero 2>&- >{tmp_path}/zeros")
    assert (found.state, found.value["free"], found.value["used_percent"]) == (State.FAIL, 0, 100.0)


def test_a_read_only_mount_fails_unless_it_is_meant_to_be(tmp_path: Path) -> None:
    setup = f"mount -t tmpfs -o ro x {tmp_path}"
    assert df(str(tmp_path), setup).state is State.FAIL
    document = {"mounts": {"x": str(tmp_path)}, "checks": {"df": {"writable": False}}}
    found = findings(document, ["df_x"], setup=setup)["df_x"]
    assert (found.state, found.value["read_only"]) == (State.OK, True)


def test_the_last_of_two_mounts_counts(tmp_path: Path) -> None:
    found = df(str(tmp_path), f"mount -t tmpfs x {tmp_path}; mount -t tmpfs -o ro y {tmp_path}")
    assert found.value["read_only"] is True


@pytest.mark.parametrize("path", ["", "missing"])
def test_a_directory_is_no_mount(tmp_path: Path, path: str) -> None:
    found = df(str(tmp_path / path))
    assert (found.state, found.value["mounted"]) == (State.FAIL, False)
    assert found.detail.startswith("not mounted")


def plain(path: Path, setup: str = "", **options: Any) -> Finding:
    """The reading of a path that may be a plain directory."""
    document = {"mounts": {"x": str(path)}, "checks": {"df_x": {"mounted": False}}}
    return findings(document, ["df_x"], setup=setup, **options)["df_x"]


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_a_directory_may_be_one_where_the_site_says_so(tmp_path: Path, shell: str) -> None:
    (tmp_path / "in here").mkdir()
    found = plain(
        tmp_path / "in here", f"mount -t tmpfs -o size=1g x {tmp_path}; mkdir '{tmp_path}/in here'", shell=shell
    )
    assert (found.state, found.value["size"], found.value["mounted"]) == (State.OK, 2**30, None)
    assert plain(tmp_path, f"mount -t tmpfs x {tmp_path}", shell=shell).value["mounted"] is True
    assert plain(tmp_path / "missing", shell=shell).detail.endswith("No such file or directory")


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_a_directory_is_read_only_with_the_mount_around_it(tmp_path: Path, shell: str) -> None:
    setup = f"cd {tmp_path}; mount -t tmpfs x .; cd ../{tmp_path.name}; mkdir a; ln -s a b; mount --bind a a; cd /\n"
    whole = f"mount -o remount,bind,ro {tmp_path}"
    part = f"mount -o remount,bind,ro {tmp_path}/a"
    assert plain(tmp_path / "b", setup + whole, shell=shell).value["read_only"] is False
    found = plain(tmp_path / "b", setup + part, shell=shell)
    assert (found.state, found.value["read_only"]) == (State.FAIL, True)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("options", ["rw,relatime,errors=remount-ro,emergency_ro", "rw,relatime,shutdown", "rw,ro"])
def test_every_option_of_a_mount_is_looked_at(tmp_path: Path, options: str, shell: str) -> None:
    # As ext4 after an error with errors=remount-ro on Linux 6.18.
    found = with_table(tmp_path, f"/dev/sda2 / ext4 rw,relatime 0 0\n/dev/loop0 {tmp_path} ext4 {options} 0 0\n", shell)
    assert (found.state, found.value["read_only"]) == (State.FAIL, True)


def test_an_option_that_only_holds_the_word_is_another(tmp_path: Path) -> None:
    found = with_table(tmp_path, f"x {tmp_path} overlay rw,lowerdir={'/ro:' * 2000},errors=remount-ro,prjquota 0 0\n")
    assert (found.state, found.value["read_only"]) == (State.OK, False)


def with_table(path: Path, mounts: str, shell: str = "dash") -> Finding:
    """The reading of this directory where the mount table says so."""
    table = path / "mounts"
    table.write_text(mounts)
    check = check_mount("x", str(path))
    check = replace(
        check, settings={**{option.name: option.default for option in check.options}, "fail": 101, "warn": 101}
    )
    command = command_for(check, NODE).replace("/proc/self/mounts", str(table))
    argv = [need_program(shell), *(["sh"] if shell == "busybox" else []), "-c", command]
    ran = subprocess.run(argv, capture_output=True, text=True)
    return read_answer(check, Output(ran.stdout + ran.stderr, ran.returncode), Facts(NODE, None, (), check.settings))


def test_a_mount_whose_name_only_begins_alike_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "scratch2").mkdir()
    (tmp_path / "scratch").mkdir()
    setup = f"mount -t tmpfs x {tmp_path}/scratch2"
    assert df(f"{tmp_path}/scratch", setup).value["mounted"] is False


# ---- processes ----


def test_a_user_without_a_job_is_named() -> None:
    found = findings({}, ["users"], setup=process_of(54321))["users"]
    assert (found.state, found.value) == (State.WARN, ["54321"])
    assert "without a name" in found.detail


def test_a_name_longer_than_ps_prints_is_whole(tmp_path: Path) -> None:
    name = "alice.elisabeth.longname-example@directory.example.org"
    (tmp_path / "passwd").write_text(f"{Path('/etc/passwd').read_text()}{name}:x:54321:54321::/:/bin/sh\n")
    setup = f"mount --bind {tmp_path}/passwd /etc/passwd; {process_of(54321)}"
    assert findings({}, ["users"], setup=setup)["users"].value == [name]
    with_job = findings({}, ["users"], setup=setup, jobs=(Job("7", name, "RUNNING"),))["users"]
    assert (with_job.state, with_job.value) == (State.OK, [])


SUB_UIDS = (
    "lxd:1:9\nroot:900000:65536\nalice:100000:65536\n# more\n54321:200000:65536\nghost:300000:65536\nbob:54000:1000\n"
)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize(
    ("uid", "names"),
    [
        (100_000, ["alice"]),
        (165_535, ["alice"]),
        (165_536, ["165536"]),
        (900_005, []),
        (200_001, ["bob"]),
        (300_001, ["ghost"]),
        (54_321, ["bob"]),
        (54_400, ["bob"]),
    ],
)
def test_the_containers_of_a_user_belong_to_the_user(tmp_path: Path, uid: int, names: list[str], shell: str) -> None:
    """Rootless containers run as sub-uids (subuid(5)); an account of that number is meant before the range."""
    accounts = "alice:x:54444:1::/:/bin/sh\nbob:x:54321:1::/:/bin/sh\n"
    (tmp_path / "passwd").write_text(Path("/etc/passwd").read_text() + accounts)
    (tmp_path / "subuid").write_text(SUB_UIDS)
    (tmp_path / "etc").mkdir()
    setup = f"{overlaid(tmp_path)}; {process_of(uid)}{process_of(uid)}"
    assert findings({}, ["users"], setup=setup, shell=shell)["users"].value == names
    jobs = tuple(Job("7", name, "RUNNING") for name in names)
    assert findings({}, ["users"], setup=setup, shell=shell, jobs=jobs)["users"].value == []


def overlaid(folder: Path) -> str:
    """Puts passwd and subuid of this folder into /etc, where there may be no subuid yet.

    What others have there for a moment, such as the lock of useradd(8), may be gone when it is to be copied.
    """
    etc = folder / "etc"
    return f"cp -a /etc/. {etc} || true; cp {folder}/passwd {folder}/subuid {etc}; mount --bind {etc} /etc"


@pytest.mark.parametrize("uid", [61_184, 65_519])
def test_a_dynamic_user_of_systemd_is_nobody(uid: int) -> None:
    assert findings({}, ["users"], setup=process_of(uid))["users"].value == []


def test_own_login_and_nobody_do_not_count() -> None:
    setup = process_of(65534) + process_of(65533)
    assert findings({}, ["users"], setup=setup, before=USER)["users"].value == []


def test_accounts_below_the_limit_belong_to_the_system() -> None:
    document = {"checks": {"users": {"min_uid": 60_000}}}
    assert findings(document, ["users"], setup=process_of(54321))["users"].value == []


HANG = """\
import os, sys
child = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]
os.posix_spawn("/bin/true", ["true"], {}, file_actions=child)
"""
"""Waits in state D, as the parent of a vfork(2) does, whose child waits for somebody to write to a FIFO."""


def hanging(folder: Path, before: str = "") -> str:
    """Starts a process that hangs in the kernel, and waits until it does.

    In D it is for a moment at its start, too, while its program comes from a disk: it hangs when it has its child.
    """
    python, fifo = Path(sys.executable).resolve(), folder / "fifo"
    hangs = "grep -qs . /proc/$!/task/$!/children && grep -qs '^State:.D' /proc/$!/status"
    wait = f"until {hangs}; do sleep 0.1; done"
    return f"mkfifo {fifo}; {before} {python} -c {quote(HANG)} {fifo} & {wait}\n"


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_a_process_that_hangs_in_the_kernel_is_told_with_its_user_and_in_what(tmp_path: Path, shell: str) -> None:
    found = findings({}, ["dstate"], setup=hanging(tmp_path), shell=shell)["dstate"]
    assert found.state is State.WARN
    assert re.fullmatch(r"python3\S* \(\d+\) of root in \w+", found.value[0])


def test_in_what_somebody_elses_process_hangs_is_not_told_to_everybody(tmp_path: Path) -> None:
    found = findings({}, ["dstate"], setup=hanging(tmp_path), before=USER)["dstate"]
    assert re.fullmatch(r"python3\S* \(\d+\) of root", found.value[0])


def test_a_process_that_waits_again_and_again_does_not_hang(tmp_path: Path) -> None:
    """Each vfork is a short wait in D: busy is not hung, however often a look finds it so."""
    spin = 'import os\nwhile True: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)'
    setup = f"{Path(sys.executable).resolve()} -c {quote(spin)} & {Path(sys.executable).resolve()} -c {quote(spin)} &\n"
    assert findings({}, ["dstate"], setup=setup)["dstate"].value == []


def test_a_statfs_of_ours_on_a_dead_mount_is_not_told_twice(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.symlink_to(Path(sys.executable).resolve())
    setup = hanging(tmp_path).replace(str(Path(sys.executable).resolve()), str(stat))
    assert findings({}, ["dstate"], setup=setup)["dstate"].value == []


@pytest.mark.parametrize("check", ["users", "dstate", "slurmd"])
def test_nothing_is_said_of_processes_that_the_login_may_not_see(check: str) -> None:
    found = findings({}, [check], setup="mount -t proc -o hidepid=2 proc /proc", before=USER)[check]
    assert (found.state, found.value) == (State.UNKNOWN, None)
    assert "hidepid" in found.detail


def test_a_slurmd_is_seen_and_a_dead_one_is_not(tmp_path: Path) -> None:
    slurmd = shutil.copy(need_program("sleep"), tmp_path / "slurmd")
    alive = findings(
        {}, ["slurmd"], setup=f"{slurmd} 600 & until grep -qsx slurmd /proc/[0-9]*/comm; do sleep 0.1; done"
    )["slurmd"]
    assert (alive.state, alive.value["running"]) == (State.OK, True)
    zombie = f"sh -c '{slurmd} 0 & exec sleep 60' & until grep -qs 'Z (zombie)' /proc/[0-9]*/status; do :; done"
    assert findings({}, ["slurmd"], setup=zombie)["slurmd"].value["running"] is False


def test_a_process_that_only_mentions_slurmd_is_none() -> None:
    assert findings({}, ["slurmd"], setup="sh -c 'sleep 60; : slurmd' &")["slurmd"].value["running"] is False


def test_the_version_of_the_installed_slurmd_is_read() -> None:
    need_program("slurmd")
    assert findings({}, ["slurmd"])["slurmd"].value["version"][0].isdigit()


def test_missing_memory_is_a_failure() -> None:
    size_mb = int(proc("meminfo")[1]) // 1024
    enough = SlurmNode("n0001.savio2", "idle", "IDLE", memory_mb=size_mb)
    more = SlurmNode("n0001.savio2", "idle", "IDLE", memory_mb=size_mb + 1)
    assert findings({}, ["memory"], slurm=enough)["memory"].state is State.OK
    assert findings({}, ["memory"], slurm=more)["memory"].state is State.FAIL


# ---- the log of slurmd ----


def stamp(hours_ago: float) -> str:
    return time.strftime("[%Y-%m-%dT%H:%M:%S.123]", time.localtime(time.time() - 3600 * hours_ago))


def read_log(folder: Path, *lines: bytes, **options: Any) -> object:
    log = folder / "slurmd.log"
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    document = {"checks": {"slurmd_log": {"path": str(log)}}}
    found = findings(document, ["slurmd_log"], **options)["slurmd_log"]
    assert found.state is (State.WARN if found.value else State.OK)
    return found.value


def test_the_last_five_errors_of_the_log_are_told(tmp_path: Path) -> None:
    lines = [f"{stamp(1)} error: number {i}".encode() for i in range(7)]
    assert read_log(tmp_path, b"all is well", *lines, b"nothing") == [line.decode() for line in lines[2:]]


def test_errors_of_another_day_are_left_out(tmp_path: Path) -> None:
    old, new = (f"{stamp(hours)} error: x".encode() for hours in (25, 23))
    assert read_log(tmp_path, old, new, b"Nov 23 20:16 error: undated") == [new.decode(), "Nov 23 20:16 error: undated"]


@pytest.mark.parametrize("awk", ["mawk", "busybox"])
@pytest.mark.parametrize("zone", ["UTC", "IST-5:30", "XST9:30"])
@pytest.mark.parametrize(
    "form",
    [
        "[%FT%T]",
        "[%FT%T.123]",
        "[%FT%T+ZZ]",
        "[%FT%T.123+ZZ]",
        "[%b %d %T]",
        "[%b %e %T.000123  12 slurmd 0x7f]",
        '{"time":"%FT%T","log":"',
        "%b %e %T n1 slurmd[7]:",
        "%FT%T.123456+ZZ n1 slurmd[7]:",
    ],
)
def test_every_form_of_time_is_read(tmp_path: Path, form: str, zone: str, awk: str) -> None:
    """LogTimeFormat of slurm.conf(5), JSON and syslog: nothing but what is younger than a day stays."""
    lines = [dated(form, zone, hours) for hours in (24 * 350, 24 * 31, 30, 24.5, 23.5, 0)]
    setup = f"mount --bind {need_program(awk)} $(readlink -f $(command -v awk))"
    assert read_log(tmp_path, *lines, env={"TZ": zone}, setup=setup) == [
        " ".join(line.decode().split()) for line in lines[-2:]
    ]


def dated(form: str, zone: str, hours: float) -> bytes:
    """A line of so many hours ago, as a node in this zone writes it."""
    ahead_s = {"UTC": 0, "IST-5:30": 19800, "XST9:30": -34200}[zone]
    sign, (hour, minute) = "-" if ahead_s < 0 else "+", divmod(abs(ahead_s) // 60, 60)
    local = time.gmtime(time.time() + ahead_s - hours * 3600)
    return f"{time.strftime(form.replace('+ZZ', f'{sign}{hour:02}:{minute:02}'), local)} error: x".encode()


def test_a_time_in_utc_is_read_as_one(tmp_path: Path) -> None:
    old, new = (time.strftime("%FT%TZ error: x", time.gmtime(time.time() - 3600 * hours)) for hours in (24.5, 23.5))
    assert read_log(tmp_path, old.encode(), new.encode(), env={"TZ": "IST-5:30"}) == [new]


@pytest.mark.parametrize("line", ["[1234567] error: x", "error: x", "[Foo 23 20:16:54] error: x", "? error: x"])
def test_a_line_of_no_age_says_so(tmp_path: Path, line: str) -> None:
    """LogTimeFormat clock and omit, and what no Slurm writes."""
    log = tmp_path / "slurmd.log"
    log.write_text(f"{stamp(1)} error: y\n{line}\n")
    found = findings({"checks": {"slurmd_log": {"path": str(log)}}}, ["slurmd_log"])["slurmd_log"]
    assert found.value[1] == line
    assert found.detail == f"age unknown of 1 of 2, the last: {line}"


def test_a_cancelled_job_is_no_error_of_the_node(tmp_path: Path) -> None:
    line = f"{stamp(0)} [7.batch] error: *** JOB 7 ON n1 CANCELLED AT 2026-11-23T20:16:54 DUE TO TIME LIMIT ***"
    assert read_log(tmp_path, line.encode()) == []


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_a_hostile_log_is_told_without_its_tricks(tmp_path: Path, shell: str) -> None:
    hostile = b"\x1b[31merror:\x1b[0m \xff\xfe \x1b]0;title\x07bad\x1b[2J\x00"
    long = b"fatal: " + b"x" * 10_000
    value = read_log(tmp_path, b"\xc3\x28 broken", hostile, long, shell=shell)
    assert isinstance(value, list)
    assert value == ["error: \ufffd\ufffd bad", "fatal: " + "x" * 493]


def test_a_log_without_errors_is_ok(tmp_path: Path) -> None:
    assert read_log(tmp_path, b"all is well") == []
    assert read_log(tmp_path) == []


def test_a_log_that_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    log = tmp_path / "slurmd.log"
    log.touch(0o600)
    for path, user, why in (
        (log, USER, "denied"),
        (tmp_path / "none", (), "No such file"),
        (tmp_path, (), "directory"),
    ):
        found = findings({"checks": {"slurmd_log": {"path": str(path)}}}, ["slurmd_log"], before=user)["slurmd_log"]
        assert (found.state, found.value) == (State.UNKNOWN, None)
        assert why in found.detail
