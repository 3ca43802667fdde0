"""The three ways in to the helper for Slurm, each on the real part: sshd, a socket of systemd's, sudo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import leave_out, need_program
from tests.libexec.helper import NODE, REASON, Helper, listening, make_helper
from tests.transport.sshd import Sshd, make_key, running_sshd

DEPLOY = Path(__file__).parent.parent.parent / "docs" / "deploy"
STAMP = "0" * 32


def words_of(helper: Helper) -> str:
    return f"drain {NODE} {helper.stamp()} {REASON}"


# ---- a login with a forced command ----


@pytest.fixture
def controller(helper: Helper, tmp_path: Path) -> Iterator[tuple[Sshd, list[str]]]:
    """An sshd that lets the agent's key do one thing, and the ssh that asks it."""
    key = make_key(tmp_path / "key")
    public = tmp_path / "key.pub"
    public.write_text(f'restrict,command="{helper.path}" {public.read_text()}')
    with running_sshd(tmp_path / "sshd", ["127.0.0.1"], key=key) as sshd:
        options = [
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
            "-oLogLevel=ERROR",
            "-oBatchMode=yes",
        ]
        yield (
            sshd,
            ["ssh", "-T", "-F", "none", *options, "-i", str(key), "-p", str(sshd.port), f"{sshd.user}@127.0.0.1"],
        )


def ask(command: list[str], line: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=f"{line}\n".encode(), capture_output=True, timeout=60, check=False)


def test_over_ssh_a_forced_command_answers_and_is_all_that_the_key_is_good_for(
    helper: Helper, controller: tuple[Sshd, list[str]], tmp_path: Path
) -> None:
    _, ssh = controller
    assert json.loads(ask(ssh, words_of(helper)).stdout)["answer"] == "done"
    # What the client would have run is not: the line is read all the same.
    evil = ask([*ssh, f"touch {tmp_path}/evil; scontrol update nodename=ALL state=down"], f"show {NODE}")
    assert json.loads(evil.stdout)["answer"] == "shown"
    assert not (tmp_path / "evil").exists()
    refused = ask([*ssh[:1], "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9", *ssh[1:]], f"show {NODE}")
    assert refused.returncode == 255
    assert len(helper.heard()) == 1


# ---- a socket unit ----


def say(path: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(data)
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_behind_a_socket_each_connection_is_one_request(helper: Helper, tmp_path: Path) -> None:
    request = words_of(helper).encode() + b"\n"
    with listening(helper, tmp_path / "helper.sock") as path:
        assert json.loads(say(path, request))["answer"] == "done"
        assert json.loads(say(path, request))["code"] == "changed"  # the same stamp a second time
        two = say(path, f"show {NODE}\nresume {NODE} {helper.stamp()}\n".encode())
        assert json.loads(two)["code"] == "bad-request"
    assert len(helper.heard()) == 1


# ---- sudo ----

_INSIDE = """
set -eu
mount -t tmpfs tmpfs /usr/local
mkdir -p /usr/local/libexec /usr/local/slurm
cp -r '{helper}' /usr/local/slurm/parts
cp /etc/passwd /usr/local/passwd; cp /etc/group /usr/local/group
echo 'botd-agent:x:64998:64998::/nonexistent:/usr/sbin/nologin' >>/usr/local/passwd
echo 'botd-agent:x:64998:' >>/usr/local/group
grep -q '^slurm:' /usr/local/passwd || echo 'slurm:x:64997:64997::/nonexistent:/usr/sbin/nologin' >>/usr/local/passwd
echo 'botd-agent:*:::::::' | install -m 0640 /dev/stdin /usr/local/shadow
install -m 0440 '{sudoers}' /usr/local/sudoers
mkdir /usr/local/none
for file in passwd group shadow sudoers; do mount --bind /usr/local/$file /etc/$file; done
mount --bind /usr/local/none /etc/sudoers.d
chown -R slurm /usr/local/slurm
sed 's|{helper}|/usr/local/slurm/parts|' -i /usr/local/slurm/parts/botd-slurm-helper /usr/local/slurm/parts/s*
cp /usr/local/slurm/parts/botd-slurm-helper /usr/local/libexec/
exec '{python}' -c '{loop}'
"""

_LOOP = """
import json, os, subprocess, sys
for line in sys.stdin:
    uid = {"user": 64998, "group": 64998, "extra_groups": []}
    done = subprocess.run(json.loads(line), capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, **uid)
    print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)
"""


class Sudo:
    """A machine of its own files, in which commands are run as the user of the agent under a sudoers file."""

    def __init__(self, helper: Helper, sudoers: Path) -> None:
        script = _INSIDE.format(helper=helper.directory, sudoers=sudoers, python=sys.executable, loop=_LOOP)
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, *words: str) -> tuple[int, str, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        status, out, err = json.loads(self._process.stdout.readline())
        return status, out, err

    def may(self, *words: str) -> bool:
        """Whether sudo would run it as the user slurm."""
        return self.run("sudo", "-n", "-l", "-u", "slurm", *words)[0] == 0

    def ask(self, line: str) -> dict[str, Any]:
        status, out, err = self.run("sudo", "-n", "-u", "slurm", HELPER, line)
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    def close(self) -> None:
        self._process.communicate()


HELPER = "/usr/local/libexec/botd-slurm-helper"
HEARD = "/usr/local/slurm/parts/heard"


@pytest.fixture
def make_sudo(tmp_path: Path) -> Iterator[Any]:
    if os.geteuid() != 0:
        leave_out("a mount namespace needs root: run `make test` as root")
    need_program("sudo")
    made: list[Sudo] = []

    def make(sudoers: str) -> Sudo:
        path = tmp_path / "sudoers"
        path.write_text(sudoers)
        subprocess.run([need_program("visudo"), "-c", "-q", "-f", path], check=True)
        made.append(Sudo(make_helper(tmp_path / f"slurm{len(made)}"), path))
        return made[-1]

    yield make
    for sudo in made:
        sudo.close()


def test_with_sudo_the_shipped_file_lets_the_three_forms_through(make_sudo: Any) -> None:
    sudo = make_sudo((DEPLOY / "slurm-sudoers").read_text())
    stamp = sudo.ask(f"show {NODE}")["stamp"]
    drained = sudo.ask(f"drain {NODE} {stamp} {REASON}")
    assert (drained["answer"], drained["after"]["by"]) == ("done", "slurm")
    stamp = sudo.ask(f"show {NODE}")["stamp"]
    assert sudo.ask(f"undrain {NODE} {stamp}")["answer"] == "done"
    assert sudo.run("cat", HEARD)[1].count("update") == 2


EVIL = [
    f"drain ALL {STAMP} {REASON} state=down",
    f"drain n[1-9999] {STAMP} {REASON}",
    f"drain {NODE},n0013.savio2 {STAMP} {REASON}",
    f"drain {NODE} {STAMP} {REASON}\nresume ALL",
    f"resume {NODE} {STAMP} weight=1",
    f"resume {NODE} {STAMP}\n",
    f"down {NODE} {STAMP}",
    f"x\nresume {NODE} {STAMP}",
    "",
]


@pytest.mark.parametrize("line", EVIL)
def test_with_sudo_the_shipped_file_lets_nothing_else_through(make_sudo: Any, line: str) -> None:
    sudo = make_sudo((DEPLOY / "slurm-sudoers").read_text())
    assert not sudo.may(HELPER, line)
    assert sudo.run("sudo", "-n", "-u", "slurm", HELPER, line)[0] == 1
    assert sudo.run("cat", HEARD)[0] == 1  # nothing was heard of


def test_with_sudo_neither_another_program_nor_another_user_is_let_through(make_sudo: Any) -> None:
    sudo = make_sudo((DEPLOY / "slurm-sudoers").read_text())
    line = f"show {NODE}"
    assert sudo.may(HELPER, line)
    assert not sudo.may(HELPER)
    assert not sudo.may("/usr/bin/scontrol", "update", f"nodename={NODE}", "state=resume")
    assert not sudo.may("/bin/sh", "-c", "id")
    assert sudo.run("sudo", "-n", "-l", "-u", "root", HELPER, line)[0] == 1


def test_a_wildcard_in_a_sudoers_file_lets_through_what_a_regular_expression_does_not(make_sudo: Any) -> None:
    evil = ["/usr/bin/scontrol", "update", "nodename=ALL", "state=down", "weight=1", "state=resume"]
    wildcard = make_sudo("botd-agent ALL=(slurm) NOPASSWD: /usr/bin/scontrol update nodename\\=* state\\=resume\n")
    assert wildcard.may(*evil)
    regex = make_sudo(
        "botd-agent ALL=(slurm) NOPASSWD: /usr/bin/scontrol ^update nodename=[A-Za-z0-9][A-Za-z0-9._-]* state=resume$\n"
    )
    assert not regex.may(*evil)
    assert regex.may("/usr/bin/scontrol", "update", f"nodename={NODE}", "state=resume")
    # And yet a regular expression alone would take ALL for a node, which is why there is a helper.
    assert regex.may("/usr/bin/scontrol", "update", "nodename=ALL", "state=resume")
