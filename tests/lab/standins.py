"""The lab as the demo's stand-ins know it: broken in every way that they can show, and told to them as a state."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from dataclasses import dataclass, replace
from typing import Any

from botd.demo.machine import DemoJob, Node, Partition
from botd.demo.state import ClusterState
from botd.demo.tools.base import Printed
from botd.demo.tools.table import run_tool
from botd.nodeset import expand
from tests.demo.rebuilt import rebuilt
from tests.lab.cluster import Lab
from tests.lab.faults import kill_slurmd, start_slurmd
from tests.lab.node import Node as LabNode
from tests.lab.proc import LabError, wait_until

PARTITIONS = (
    Partition("savio2"),
    Partition("savio3"),
    Partition("vector0"),
    Partition("savio_lowprio", usual=True),
)
"""As the lab's slurm.conf has them."""

NASTY = 'bad | fan\tof "tray" 4 <b>& ünïcode ☃'


@dataclass(frozen=True)
class Both:
    """The lab and what the stand-ins know of it."""

    lab: Lab
    state: ClusterState
    clock: list[float]
    words: dict[str, str]
    user: str = "root"

    def real(self, line: str, stdin: str = "") -> Printed:
        """What the real tool prints; the simulated clock then stands in the second in which it ran.

        What was asked across two seconds is asked again; what changes something is said once.
        """
        argv = self.lab.slurm.command(*shlex.split(line.format(**self.words)))
        if self.user != "root":
            argv = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", *argv]
        while True:
            began_at = int(time.time())
            done = subprocess.run(argv, cwd="/", input=stdin.encode(), capture_output=True, timeout=60, check=False)
            if line.startswith(("fping", "scontrol update")) or int(time.time()) == began_at:
                self.clock[0] = began_at
                return Printed(done.stdout, done.stderr, done.returncode)

    def ours(self, line: str, stdin: str = "") -> Printed:
        """What the stand-in prints."""
        tool, *words = shlex.split(line.format(**self.words))
        return replace(run_tool(self.state, [tool, *words], stdin.encode()), after_s=0.0)


def run_json(lab: Lab, *argv: str) -> Any:
    return json.loads(lab.slurm.run(*argv))


def nodes_of(lab: Lab) -> list[Node]:
    """The nodes as Slurm has them now."""
    return [rebuilt(i, told) for i, told in enumerate(run_json(lab, "sinfo", "--json")["nodes"])]


def jobs_of(lab: Lab, ids: str) -> list[DemoJob]:
    """These jobs as the accounts have them."""
    told = run_json(lab, "sacct", "-a", "-j", ids, "--json")["jobs"]
    # The document of 22.05 has 0 for the exit code of every job that failed by itself.
    rows = lab.slurm.run("sacct", "-n", "-P", "-X", "-a", "-j", ids, "-o", "JobIDRaw,ExitCode").splitlines()
    codes = dict(row.split("|") for row in rows)
    return [job_of(each, codes[str(each["job_id"])]) for each in told]


def job_of(told: dict[str, Any], exit_code: str) -> DemoJob:
    times, state = told["time"], told["state"]["current"]
    nodes = tuple(expand(told["nodes"]))
    cores = next(each["count"] for each in told["tres"]["allocated"] if each["type"] == "cpu") // len(nodes)
    return DemoJob(
        told["job_id"],
        told["user"],
        told["name"],
        told["partition"],
        nodes,
        cores,
        float(times["start"]),
        "CANCELLED by 0" if state == "CANCELLED" else state,
        float(times["end"]) or None,
        exit_code,
        waited_s=float(times["start"] - times["submission"]),
    )


def submit(lab: Lab, name: str, script: str, *options: str) -> str:
    """A job as the demo's are: three days at most, under its user's own account; its id."""
    who = ["--uid", "alice", "--gid", "alice", "--chdir", "/", "--output", "/dev/null", "--export", "NONE"]
    argv = ["sbatch", "--parsable", *who, "--time", "3-0", "--job-name", name, *options, "--wrap", script]
    return lab.slurm.run(*argv).strip()


def wait_for_jobs(lab: Lab, state: str, *jobs: str) -> None:
    """Waits until the accounts have these jobs in that state."""
    sacct = ["sacct", "-n", "-P", "-X", "-a", "-o", "State,User", "-j", ",".join(jobs)]
    wanted = [f"{state}|alice"] * len(jobs)
    wait_until(f"{state} of {jobs}", lambda: sorted(lab.slurm.run(*sacct).splitlines()) == wanted, 60, every_s=0.2)


def cancel_one(lab: Lab, node: LabNode) -> str:
    """A job that was cancelled while its script ran.

    On a busy machine the accounts may never get the exit code of its batch step: then it is another job's turn.
    """
    for _ in range(5):
        job = submit(lab, "cancelled", "sleep 600", "-p", node.cluster, "-w", node.name)
        wait_for_jobs(lab, "RUNNING", job)
        wait_until("script of the job to cancel", lambda: node.enter("sh", "-c", "pgrep -fx 'sleep 600' || true"))
        lab.slurm.run("scancel", job)
        wait_for_jobs(lab, "CANCELLED by 0", job)
        steps = lab.slurm.run("sacct", "-n", "-P", "-a", "-j", f"{job}.batch", "-o", "ExitCode")
        if steps.strip() == "0:15":
            return job
    raise LabError("the accounts have no exit code of a cancelled batch step, in five tries")


def break_lab(lab: Lab) -> dict[str, str]:
    """Give the lab every state that the demo knows; what the command lines call its parts."""
    slurm = lab.slurm
    savio2, savio3, vector = (
        [node for node in lab.nodes if node.cluster == name] for name in ("savio2", "savio3", "vector0")
    )
    for what in (("account", "fc_alice"), ("user", "alice", "account=fc_alice")):
        slurm.run("sacctmgr", "-i", "add", *what)
    kill_slurmd(savio3[3])
    fine = submit(lab, "fine", "true", "-p", "vector0")
    wait_for_jobs(lab, "COMPLETED", fine)
    fails = submit(lab, "fails", "exit 3", "-p", "vector0")
    wait_for_jobs(lab, "FAILED", fails)
    across = submit(
        lab, "across", "sleep 1", "-p", "savio_lowprio", "-N", "2", "-w", f"{savio2[2].name},{savio3[2].name}"
    )
    cancelled = cancel_one(lab, vector[0])
    wait_for_jobs(lab, "COMPLETED", across)
    whole = submit(lab, "pipe|in name", "sleep 600", "-p", "savio2", "-w", savio2[0].name, "--exclusive")
    part = submit(lab, "part", "sleep 600", "-p", "vector0", "-w", vector[1].name)
    wide = submit(
        lab, "wide", "sleep 600", "-p", "savio_lowprio", "-N", "2", "-w", f"{savio2[3].name},{savio3[0].name}"
    )
    wait_for_jobs(lab, "RUNNING", whole, part, wide)
    slurm.drain(savio2[0], "see hung mpirun for user42")
    slurm.drain(savio2[1], NASTY)
    slurm.run("scontrol", "update", f"nodename={savio3[1].name}", "state=down", "reason=no IB")
    slurm.wait_for_state(savio3[3], "down*")
    return {
        "busy": savio2[0].name,
        "drained": savio2[1].name,
        "mixed": vector[1].name,
        "idle": vector[0].name,
        "down": savio3[1].name,
        "dead": savio3[3].name,
        "job": whole,
        "jobs": f"{whole},{part}",
        "ended": cancelled,
        "mine": ",".join([fine, fails, across, cancelled, whole, part, wide]),
    }


def mend_lab(lab: Lab) -> None:
    lab.slurm.run("scancel", "--user", "alice")
    start_slurmd(lab.nodes[7])
    for node in lab.nodes:
        lab.do("make_idle", node.name)
    for what in (("user", "alice"), ("account", "fc_alice")):
        lab.slurm.run("sacctmgr", "-i", "delete", *what)
