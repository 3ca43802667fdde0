"""A bare Debian, and somebody who follows the README and docs/deployment.rst: their own lines are run, in their order.

There is no systemd in it, so `systemctl` is a function that starts the units' commands as their users. Slurm's
controller and a node's sshd are real, and this machine's own.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.debian.chroot import ON_DEBIAN, Debian

ROOT = Path(__file__).parents[2]
PROMPT = "   # "

pytestmark = ON_DEBIAN

WAIT = """
wait_until() {
    for _ in $(seq 900); do
        eval "$1" && return
        kill -0 ${2:-$$} || break
        sleep 0.2
    done
    echo "never: $1"
    tail -n 20 /tmp/*.log
    exit 1
}
"""
"""A function that waits until a command succeeds, as long as a process is there that it needs."""

DEMO = """
cd botd
setsid env --default-signal=INT make demo >/tmp/demo.log 2>&1 &
wait_until "curl -s http://localhost:5000/ | tee round.txt | grep -q 'READY TO GO BACK'" $!
kill -INT -$!
wait $! || true  # make says how it ended
cat round.txt
"""

SLURM_CONF = """
ClusterName=bare
SlurmctldHost={host}(10.0.0.5)
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
NodeName=n1
PartitionName=all Nodes=ALL Default=YES
"""

CLUSTER = """
echo "10.0.0.5 n1 $(hostname)" >>/etc/hosts
install -d -o munge /run/munge
install -d -o slurm /var/lib/slurm
install -d /run/sshd
runuser -u munge -- munged
slurmctld
/usr/sbin/sshd
wait_until 'scontrol ping | grep -q UP'
scontrol update nodename=n1 state=drain reason='bad GPU'
"""

ROUND = """
printed() { curl -s http://127.0.0.1:5000/ | tee /tmp/round.txt | tr -s '\\n ' ' ' | grep -q "$1"; }
wait_until "printed 'scratch: not mounted'" $botd_agent
kill $botd_web $botd_agent
wait $botd_web $botd_agent
cat /tmp/round.txt
"""

SYSTEMCTL = """
systemctl() {
    [ "$1 $2" = 'enable --now' ] || return 0
    shift 2
    for unit; do . /tmp/$unit.start; done
    wait_until 'curl -sf -o /dev/null http://127.0.0.1:5000/healthz' $botd_agent
}
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip fetches for botd, from where this machine has its packages."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--python", "/usr/bin/python3.11", "download", "--quiet", "--dest", folder]
    wanted = ["-r", ROOT / "requirements.txt", "-r", ROOT / "requirements-build.txt"]
    for words in (["--require-hashes", *wanted], ["setuptools", "wheel"]):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def machine(debian: Debian, wheels: Path) -> Debian:
    """A bare Debian with a clone of the repository in /root/botd, whose pip finds what there is to fetch."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        place = debian.root / "root" / "botd" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)
    shutil.copytree(wheels, debian.root / "wheels")
    (debian.root / "wheels").chmod(0o755)
    (debian.root / "etc" / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    return debian


def section(title: str) -> str:
    """The text below a title of docs/deployment.rst, to the next one of its rank."""
    text = (ROOT / "docs" / "deployment.rst").read_text(encoding="utf-8")
    return re.split(r"\n.+\n-{3,}\n", text.partition(f"\n{title}\n---")[2], maxsplit=1)[0]


def typed(title: str) -> str:
    """What that section has one type at root's prompt."""
    lines = [line.removeprefix(PROMPT) for line in section(title).splitlines() if line.startswith(PROMPT)]
    assert lines, title
    return "\n".join(lines)


def test_the_readme_has_a_demo_in_two_lines(machine: Debian) -> None:
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    (install,) = re.findall(r"``(apt-get install [^`]*)``", readme)
    machine.run(
        f"{install}\nuseradd -m -s /bin/sh anna\nmv /root/botd /home/anna\nchown -R anna: /home/anna", network=True
    )
    (machine.root / "tmp" / "demo.sh").write_text(WAIT + DEMO)
    printed = machine.run("su - anna -c 'sh -e /tmp/demo.sh'")
    assert " out of service of 320 nodes, read " in printed
    assert not list((machine.root / "tmp").glob("botd-demo-*")), "Ctrl-C removes its files"


def test_a_real_site_is_set_up_as_the_documentation_says(machine: Debian) -> None:
    root = machine.root
    machine.run(f"cd /root/botd\n{typed('1. Program and users')}\n{typed('2. The ssh key')}", network=True)
    stat = "stat -c '%a %U:%G %n' /etc/botd /etc/botd/* /var/lib/botd /etc/botd/agent/id_ed25519"
    assert machine.run(stat).splitlines() == [
        "750 root:botd /etc/botd",
        "700 botd-agent:botd /etc/botd/agent",
        "640 root:botd /etc/botd/botd.toml",
        "2770 root:botd /var/lib/botd",
        "600 botd-agent:root /etc/botd/agent/id_ed25519",
    ]
    make_cluster(machine)
    for unit in ("botd-agent", "botd-web"):
        started = machine.started(f"{unit}.service", "root/botd/docs/deploy")
        (root / "tmp" / f"{unit}.start").write_text(started)
    check, sweep = re.findall(r"``(/opt/botd/bin/botd [^`]*)``", section("6. The units"))
    steps = [
        WAIT,
        CLUSTER,
        SYSTEMCTL,
        typed("3. The host keys"),
        f"runuser -u botd-agent -- {check} --node n1 >/tmp/check.txt || true",
        f"runuser -u botd-agent -- {sweep.replace('GROUP', 'sinfo')} >/tmp/sweep.txt",
        "cd /root/botd",
        typed("6. The units"),
        ROUND,
    ]
    printed = machine.run("\n".join(steps))
    assert '"status":"ok"' in printed  # what curl had of /healthz
    check_said, swept, over_http = ((root / "tmp" / f"{name}.txt").read_text() for name in ("check", "sweep", "round"))
    assert "ok    [node] n1: well are ping, ssh," in check_said
    assert all("[node] n1 " in line for line in check_said.splitlines() if line.startswith("FAIL")), check_said
    for text in (swept, over_http):
        assert re.search(r"(?m)^  n1  drained .* root  bad GPU$", text), text
        assert "scratch: not mounted" in " ".join(text.split())  # which n1 says, by ssh


def make_cluster(machine: Debian) -> None:
    """Slurm's controller and a node, with the account for botd that the documentation wants on it."""
    machine.run("apt-get install -q slurmctld openssh-server\nuseradd -m -g botd -s /bin/sh botd", network=True)
    root = machine.root
    (root / "etc" / "slurm" / "slurm.conf").write_text(SLURM_CONF.format(host=socket.gethostname()))
    (line,) = re.findall(r"   (restrict,.*)\n", section("2. The ssh key"))
    key = (root / "etc" / "botd" / "agent" / "id_ed25519.pub").read_text().split()[1]
    folder = root / "home" / "botd" / ".ssh"
    folder.mkdir()
    (folder / "authorized_keys").write_text(line.replace("AAAA...", key) + "\n")
    password = root / "etc" / "botd" / "agent" / "bmc-password"
    password.write_text("s3cret\n")
    password.chmod(0o600)
    machine.run(
        "chown botd-agent /etc/botd/agent/bmc-password\nchown -R botd: /home/botd\nmkdir -p /etc/systemd/system"
    )
