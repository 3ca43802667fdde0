"""Slurm of the lab: munged, slurmctld and the tools that talk to them (slurmdbd: accounting.py)."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import net
from tests.lab.accounting import PORT, Accounting
from tests.lab.node import Node
from tests.lab.proc import LabError, Proc, detach, run, wait_until

LINK = "labmaster"
CLUSTERS = ("savio2", "savio3", "vector0")

# AccountingStoragePass stands beside AuthInfo because slurmctld 22.05 otherwise looks for munge's default
# socket and dies with "no TRES". TreeWidth: every node is pinged directly, so a dead one delays no other.
# The name and mounts of a control group differ between machines: nothing here uses one.
_SLURM_CONF = """\
ClusterName=lab
SlurmctldHost={name}({address})
CommunicationParameters=NoCtldInAddrAny
SlurmctldPort=6817
SlurmdPort=6818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/run/munge
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={address}
AccountingStoragePort={accounting_port}
AccountingStoragePass={directory}/run/munge
JobCompType=jobcomp/filetxt
JobCompLoc={directory}/log/jobcomp.log
StateSaveLocation={directory}/state
SlurmctldPidFile={directory}/run/slurmctld.pid
SlurmctldLogFile={directory}/log/slurmctld.log
SlurmdLogFile={directory}/log/slurmd.%n.log
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/run/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=1
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=2
TreeWidth=65533
MaxNodeCount=2000
"""


def _partitions(nodes: Sequence[Node]) -> list[str]:
    lines = []
    for cluster in CLUSTERS:
        names = ",".join(node.name for node in nodes if node.cluster == cluster)
        lines.append(f"PartitionName={cluster} Nodes={names} State=UP MaxTime=INFINITE")
    # A second partition over two clusters, so that sinfo -N prints their nodes twice.
    names = ",".join(node.name for node in nodes if node.cluster != "vector0")
    return [*lines, f"PartitionName=savio_lowprio Nodes={names} Default=YES State=UP MaxTime=INFINITE"]


@dataclass(frozen=True)
class Slurm:
    """The controller of the lab in `directory`."""

    directory: Path

    @property
    def config(self) -> Path:
        """Its slurm.conf."""
        return self.directory / "etc" / "slurm.conf"

    @property
    def jobcomp(self) -> Path:
        """What slurmctld appends every ended job to, and sacct -c reads."""
        return self.directory / "log" / "jobcomp.log"

    @property
    def accounting(self) -> Accounting:
        """Its slurmdbd and the database behind it."""
        return Accounting(self.directory)

    @property
    def netns(self) -> Path:
        """The file that keeps the network namespace of slurmctld and slurmdbd."""
        return self.directory / "ns" / "master"

    def prepare(self, nodes: Sequence[Node]) -> None:
        """Write slurm.conf and a munge key."""
        places = {"directory": self.directory, "name": net.CONTROLLER_NAME, "address": net.CONTROLLER}
        text = _SLURM_CONF.format(**places, accounting_port=PORT)
        lines = [
            f"NodeName={node.name} NodeHostname={node.name} NodeAddr={node.address}"
            f" CPUs={os.cpu_count()} RealMemory=512 State=UNKNOWN"
            for node in nodes
        ]
        self.config.write_text(text + "\n".join([*lines, *_partitions(nodes), ""]))
        key = self.directory / "etc" / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        self.accounting.prepare()

    def start_accounting(self) -> None:
        """Make the controller's network and start what keeps the accounts: mariadbd, munged, slurmdbd."""
        net.create_netns(self.netns)
        net.plug(LINK, self.netns, net.CONTROLLER)
        self.accounting.start_database()
        self.start_munged()
        self.start_slurmdbd()

    def start(self) -> None:
        """Start slurmctld, which wants its accounting up, and wait until it answers."""
        self._start_slurmctld()

    def start_slurmdbd(self) -> None:
        """Start slurmdbd in the controller's network and wait until it listens."""
        self.accounting.start_slurmdbd(self.netns)

    def stop_slurmdbd(self) -> None:
        """End slurmdbd: sacct is refused, all else goes on."""
        self.accounting.stop_slurmdbd()

    def start_munged(self) -> None:
        """Start munged and wait for its socket."""
        files = {"key-file": "etc/munge.key", "socket": "run/munge", "pid-file": "run/munged.pid"}
        files |= {"log-file": "log/munged.log", "seed-file": "run/munge.seed"}
        options = [f"--{option}={self.directory / file}" for option, file in files.items()]
        # --force: the lab may lie below a directory that is not open to all, as pytest's are.
        munged = detach(["munged", "--foreground", "--force", *options], self.directory, "munged.log")
        munged.save(self.directory / "run" / "munged.proc")
        wait_until("munge socket (see log/munged.log)", (self.directory / "run" / "munge").is_socket)

    def stop_munged(self) -> None:
        """End munged: no tool can say who it is."""
        if process := self._process("munged"):
            process.stop(signal.SIGTERM)

    def start_slurmctld(self) -> None:
        """Start slurmctld again and wait until it has heard from the nodes (about 4 s)."""
        self._start_slurmctld()
        wait_until("states of the nodes", lambda: "unknown" not in self.states().values(), 60, every_s=0.1)

    def _start_slurmctld(self) -> None:
        # Its own host name, because it listens on the address of that; its own network namespace, because
        # this machine may run another slurmctld on every address.
        script = f'hostname {net.CONTROLLER_NAME} && exec slurmctld -D -f "$0"'
        argv = net.in_netns(self.netns, ["unshare", "--uts", "sh", "-c", script, self.config])
        slurmctld = detach(argv, self.directory, "slurmctld-output.log")
        slurmctld.save(self.directory / "run" / "slurmctld.proc")
        wait_until("slurmctld (see log/slurmctld.log)", lambda: self._answers() or not slurmctld.is_alive)
        if not slurmctld.is_alive:
            raise LabError("slurmctld ended at once: see log/slurmctld.log")

    def _answers(self) -> bool:
        done = subprocess.run(self.command("scontrol", "ping"), capture_output=True, check=False)
        return b" is UP" in done.stdout

    def _process(self, name: str) -> Proc | None:
        return Proc.load(self.directory / "run" / f"{name}.proc")

    def stop_slurmctld(self) -> None:
        """End slurmctld, also a hung one, which saves its state first: connections to it are refused."""
        if process := self._process("slurmctld"):
            process.send(signal.SIGTERM)
            process.send(signal.SIGCONT)
            process.stop(signal.SIGTERM)

    def hang_slurmctld(self) -> None:
        """Stop slurmctld in its tracks: it accepts and never answers."""
        if process := self._process("slurmctld"):
            process.send(signal.SIGSTOP)

    def resume_slurmctld(self) -> None:
        """Let a hung slurmctld go on."""
        if process := self._process("slurmctld"):
            process.send(signal.SIGCONT)

    def cut_slurmctld(self) -> None:
        """Pull the controller's network cable: silence."""
        net.set_link(LINK, "down")

    def join_slurmctld(self) -> None:
        """Plug the controller's network cable in."""
        net.set_link(LINK, "up")

    # --- tools ---

    def command(self, *argv: str | bytes) -> list[str | bytes]:
        """The command line of a Slurm tool that works whatever the caller's environment is."""
        return ["env", f"SLURM_CONF={self.config}", *argv]

    def run(self, *argv: str | bytes, timeout_s: float = 30) -> str:
        """Standard output of a Slurm tool."""
        return run(self.command(*argv), timeout_s=timeout_s)

    def states(self) -> dict[str, str]:
        """Each node's state in the text form of sinfo(1), as "idle" or "down*"."""
        lines = self.run("sinfo", "-h", "-N", "-a", "--format=%N|%T").splitlines()
        return dict(line.split("|", 1) for line in lines)

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes as `sinfo --json` has them."""
        found: list[dict[str, Any]] = json.loads(self.run("sinfo", "--json"))["nodes"]
        return found

    def wait_for_state(self, node: Node, *states: str, timeout_s: float = 60) -> None:
        """Wait until Slurm gives a node one of these states."""
        what = f"state {' or '.join(states)} of {node.name}"
        wait_until(what, lambda: self.states().get(node.name) in states, timeout_s, every_s=0.1)

    def drain(self, node: Node, reason: str | bytes) -> None:
        """Drain a node; a reason in bytes goes to Slurm as it is."""
        reason = os.fsencode(reason)
        self.run("scontrol", "update", f"nodename={node.name}", "state=drain", b"reason=" + reason)

    def undrain(self, node: Node) -> None:
        """Resume a node."""
        self.run("scontrol", "update", f"nodename={node.name}", "state=resume")

    def submit_job(self, node: Node, user: str = "alice", name: str = "sleep", seconds: int = 86400) -> str:
        """Run a sleep as that user on that node and wait until it runs; its job id."""
        where = [
            "--partition",
            node.cluster,
            "--nodelist",
            node.name,
            "--chdir",
            "/",
            "--output",
            "/dev/null",
        ]
        who = ["--uid", user, "--gid", user, "--job-name", name]
        argv = ["sbatch", "--parsable", *where, *who, "--export", "NONE", "--wrap", f"exec sleep {seconds}"]
        job = self.run(*argv).strip()
        state = ["squeue", "-h", "-j", job, "-o", "%T"]
        what = f"start of job {job} on {node.name}, which is {self.states().get(node.name)},"
        wait_until(what, lambda: self.run(*state).strip() == "RUNNING")
        return job

    def cancel_jobs(self, node: Node) -> None:
        """Cancel every job of a node and wait until none is left."""
        self.run("scancel", "--nodelist", node.name)
        squeue = ["squeue", "-h", "-w", node.name]
        wait_until(f"end of the jobs of {node.name}", lambda: not self.run(*squeue).strip())
