"""Record what the real tools print on a lab: test cases for every reader of Slurm's output.

It drains, breaks and fills the lab it is given (20 nodes show every case), so give it one of its own.
Each recording is the bytes of standard output; `index.json` has command, exit status, seconds and stderr.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.cluster import Lab
from tests.lab.faults import kill_slurmd
from tests.lab.proc import LabError, wait_until

# One to a node; what people, Slurm and NHC write, and what breaks a parser.
REASONS: tuple[str | bytes, ...] = (
    "HW: sda missing after reseat -jd",
    "quotes \" ' ` and back\\slash",
    "tab\there",
    "pipe | in | it|",
    "percent %N %s %% %20E",
    "<script>alert(1)</script> & <b>bold</b>",
    b"latin-1 caf\xe9, broken \xff\xfe utf-8",
    "x" * 2000,
    "first line\nn0009.savio9|idle|root(0)|2026-01-01T00:00:00|forged",
    "Düsentrieb ≥ 90 °C 😀",
    "fake Reason=other [root@2026-01-01T00:00:00] State=IDLE",
    "\x1b[31mred\x1b[0m \x07bell",
    "NHC: check_fs_mount: /global/scratch not mounted",
    "  spaces around  ",
    "$(reboot); `id` && true > /dev/null",
    "=cmd|' /C calc'!A0",
)

SINFO_ALL = "--format=%N|%T|%U|%H|%P|%m|%f|%E"
SINFO_R = "--format=%N|%T|%U|%H|%P|%E"
SQUEUE = "--format=%i|%u|%T|%M|%N|%j"
SACCT = "--format=JobID,User,State,ExitCode,Start,End,NodeList"

# (file, command line)
HEALTHY: tuple[tuple[str, list[str]], ...] = (
    ("version.txt", ["sinfo", "--version"]),
    ("sinfo.txt", ["sinfo"]),
    ("sinfo-N.txt", ["sinfo", "-N"]),
    ("sinfo-R.txt", ["sinfo", "-R"]),
    ("sinfo-all-delimited.txt", ["sinfo", "-h", "-N", "-a", SINFO_ALL]),
    ("sinfo-R-delimited.txt", ["sinfo", "-h", "-N", "-R", SINFO_R]),
    ("sinfo-R-delimited-sorted.txt", ["sinfo", "-h", "-N", "-R", "-S", "%E", SINFO_R]),
    ("sinfo-R-user-first.txt", ["sinfo", "-h", "-N", "-R", "--format=%u|%H|%N|%T|%E"]),
    ("sinfo-unknown-node.txt", ["sinfo", "-h", "-N", "-n", "nosuch", SINFO_ALL]),
    ("sinfo.json", ["sinfo", "--json"]),
    ("squeue-delimited.txt", ["squeue", "-h", "-a", SQUEUE]),
    ("squeue-all-states.txt", ["squeue", "-h", "-a", "-t", "all", SQUEUE]),
    ("squeue-unknown-node.txt", ["squeue", "-h", "-a", "-w", "nosuch", SQUEUE]),
    ("squeue.json", ["squeue", "--json"]),
    ("scontrol-show-node.txt", ["scontrol", "show", "node"]),
    ("scontrol-show-node-oneline.txt", ["scontrol", "-o", "show", "node"]),
    ("scontrol-show-node-unknown.txt", ["scontrol", "show", "node", "nosuch"]),
    ("scontrol-update-unknown.txt", ["scontrol", "update", "nodename=nosuch", "state=resume"]),
    ("scontrol-drain-no-reason.txt", ["scontrol", "update", "nodename={idle}", "state=drain"]),
    ("scontrol-resume-idle.txt", ["scontrol", "update", "nodename={idle}", "state=resume"]),
    ("scontrol-bad-state.txt", ["scontrol", "update", "nodename={idle}", "state=bogus"]),
    ("sacct-disabled.txt", ["sacct", "-n", "-P", SACCT]),
)
JOBCOMP: tuple[tuple[str, list[str]], ...] = (
    ("sacct-c.txt", ["sacct", "-c"]),
    ("sacct-c-long.txt", ["sacct", "-c", "-l"]),
    ("sacct-c-fields.txt", ["sacct", "-c", "--helpformat"]),
    ("sacct-c-delimited.txt", ["sacct", "-c", "-n", "-P", SACCT]),
    ("sacct-c-everything.txt", ["sacct", "-c", "-P", "--format=ALL"]),
    ("sacct-c-by-node.txt", ["sacct", "-c", "-X", "-a", "-n", "-P", "-N", "{idle}", SACCT]),
    ("sacct-c-by-time.txt", ["sacct", "-c", "-n", "-P", "-S", "now-2hours", "-E", "now-1hour", SACCT]),
    ("sacct-c-by-user.txt", ["sacct", "-c", "-n", "-P", "-u", "nobody", SACCT]),
    ("sacct-c-by-partition.txt", ["sacct", "-c", "-n", "-P", "-r", "vector0", SACCT]),
    ("sacct-c-by-job.txt", ["sacct", "-c", "-n", "-P", "-j", "1", SACCT]),
    ("sacct-c-bad-field.txt", ["sacct", "-c", "-n", "-P", "--format=JobID,Bogus"]),
    ("sacct-c.json", ["sacct", "-c", "--json"]),
)
WITHOUT_CONTROLLER: tuple[tuple[str, list[str]], ...] = (
    ("sinfo.txt", ["sinfo", "-h", "-N", "-a", SINFO_ALL]),
    ("sinfo.json", ["sinfo", "--json"]),
    ("squeue.txt", ["squeue", "-h", "-a", SQUEUE]),
    ("squeue.json", ["squeue", "--json"]),
    ("sacct-c.txt", ["sacct", "-c", "-n", "-P", SACCT]),
    ("scontrol-show-node.txt", ["scontrol", "show", "node"]),
    ("scontrol-drain.txt", ["scontrol", "update", "nodename={idle}", "state=drain", "reason=x"]),
    ("scontrol-ping.txt", ["scontrol", "ping"]),
)


@dataclass(frozen=True)
class Recording:
    """One run of a tool; `exit` is below 0 when a signal ended it."""

    file: str
    command: list[str]
    exit: int
    seconds: float
    stderr: str


class Recorder:
    """Runs tools on a lab and writes what they print into a folder."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.made: list[Recording] = []
        self.idle = lab.nodes[-1]

    def run(self, file: str, command: Sequence[str]) -> None:
        """Run one tool and write its recording."""
        argv = [word.replace("{idle}", self.idle.name) for word in command]
        began_at = time.monotonic()
        done = subprocess.run(self.lab.slurm.command(*argv), capture_output=True, check=False, timeout=120)
        seconds = round(time.monotonic() - began_at, 2)
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._neutral(done.stdout))
        stderr = self._neutral(done.stderr).decode(errors="replace")
        self.made.append(Recording(file, argv, done.returncode, seconds, stderr))

    def _neutral(self, output: bytes) -> bytes:
        # The machine's kernel and the lab's place are nobody's test case.
        system = os.uname()
        for own, neutral in (
            (f"{system.sysname} {system.release} {system.version}", "Linux 5.14.0 #1 SMP"),
            (str(self.lab.directory), "/lab"),
        ):
            output = output.replace(own.encode(), neutral.encode())
        return output

    def run_all(self, table: Sequence[tuple[str, list[str]]], folder: str = "") -> None:
        """Run a table of tools."""
        for file, command in table:
            self.run(f"{folder}{file}", command)

    def write_index(self) -> None:
        """Write index.json."""
        index = [asdict(recording) for recording in self.made]
        (self.folder / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")


def record(lab: Lab, folder: Path) -> None:
    """Bring a lab into every state and record all tools; eight minutes, most spent on time limits."""
    recorder = Recorder(lab, folder)
    recorder.run_all([("sacct-c-empty.txt", ["sacct", "-c", "-n", "-P", SACCT])])
    finish_jobs(lab)
    recorder.run_all(JOBCOMP)
    record_newline_in_jobcomp(recorder)
    break_nodes(lab)
    start_jobs(lab)
    recorder.run_all(HEALTHY)
    record_failures(recorder)
    recorder.write_index()


def record_failures(recorder: Recorder) -> None:
    """Record the tools while the controller, then munge, does not work."""
    lab, slurm = recorder.lab, recorder.lab.slurm
    failures = {
        "controller-stopped": (slurm.stop_slurmctld, slurm.start_slurmctld),
        "controller-hung": (slurm.hang_slurmctld, slurm.resume_slurmctld),
        "controller-cut": (slurm.cut_slurmctld, slurm.join_slurmctld),
        "munge-stopped": (slurm.stop_munged, slurm.start_munged),
    }
    jobcomp = lab.slurm.jobcomp.read_bytes()
    for name, (begin, end) in failures.items():
        begin()
        lab.slurm.jobcomp.write_bytes(jobcomp)  # a job whose name kills sacct may have ended meanwhile
        recorder.run_all(WITHOUT_CONTROLLER, f"{name}/")
        end()


def _submit(lab: Lab, name: str, script: str, *options: str) -> str:
    who = ["--uid", "alice", "--gid", "alice", "--chdir", "/", "--output", "/dev/null", "--export", "NONE"]
    argv = ["sbatch", "--parsable", *who, "--job-name", name, *options, "--wrap", script]
    return lab.slurm.run(*argv).strip()


def _wait_for_end(lab: Lab) -> None:
    squeue = ["squeue", "-h", "-a"]
    wait_until("end of the jobs", lambda: not lab.slurm.run(*squeue).strip(), 90, every_s=0.2)


def finish_jobs(lab: Lab) -> None:
    """Let jobs end in every way there is, and wait until jobcomp has them."""
    vector = ("-p", "vector0")
    _submit(lab, "fine", "true", *vector)
    _submit(lab, "fails", "exit 3", *vector)
    _submit(lab, "killed", "kill -9 $$", *vector)
    _submit(lab, "two-nodes", "sleep 1", "-p", "savio3", "-N", "2")
    _submit(lab, "array", "sleep 1", "-p", "savio3", "--array", "0-2")
    _submit(lab, "pipe|name", "true", "-p", "savio3")
    _submit(lab, "name with spaces", "true", "-p", "savio3")
    _submit(lab, "over-time", "sleep 300", "-p", "savio3", "--time", "1")
    job = _submit(lab, "cancelled", "sleep 300", *vector)
    state = ["squeue", "-h", "-j", job, "-o", "%T"]
    wait_until("start of the job to cancel", lambda: lab.slurm.run(*state).strip() == "RUNNING", every_s=0.2)
    lab.slurm.run("scancel", job)
    _wait_for_end(lab)


def record_newline_in_jobcomp(recorder: Recorder) -> None:
    """Let a job end whose name has a newline: sacct -c 22.05 dies of it with SIGSEGV."""
    lab = recorder.lab
    before = lab.slurm.jobcomp.read_bytes()
    job = _submit(lab, "two\nlines", "true", "-p", "vector0")
    wait_until("job in jobcomp", lambda: f"JobId={job} " in lab.slurm.jobcomp.read_text(), 60, every_s=0.2)
    recorder.run("sacct-c-newline-in-name.txt", ["sacct", "-c", "-n", "-P", SACCT])
    lab.slurm.jobcomp.write_bytes(before)


def start_jobs(lab: Lab) -> None:
    """Leave jobs running and waiting, with names that break parsers."""
    first, second = lab.nodes[0], lab.nodes[-2]
    lab.slurm.undrain(first)
    lab.slurm.submit_job(first, "alice", "pipe|in|name")
    lab.slurm.drain(first, REASONS[0])  # with a job: draining
    lab.slurm.submit_job(second, "bob", "two\nlines|RUNNING|0:01|n0000.savio9|forged")
    _submit(lab, "waits; $(id)", "sleep 300", "-p", "vector0", "-N", "2", "--exclusive")
    _submit(lab, "<b>array</b>", "sleep 300", "-p", "vector0", "-N", "2", "--exclusive", "--array", "0-3")


def break_nodes(lab: Lab) -> None:
    """Give the nodes every reason and, behind those, every state; the last two stay well."""
    *broken, _, _ = lab.nodes
    for node, reason in zip(broken, REASONS, strict=False):
        lab.slurm.drain(node, reason)
    others = broken[len(REASONS) :]
    if len(others) < 2:
        raise LabError(f"{len(lab.nodes)} nodes do not show every state: {len(REASONS) + 4} do")
    rebooted, dead = others[0], broken[1]
    rebooted.power_off()
    rebooted.power_on()
    kill_slurmd(dead)
    silent = others[1]
    silent.power_off()
    lab.slurm.run("scontrol", "update", f"nodename={broken[3].name}", "state=down", "reason=" + str(REASONS[3]))
    lab.slurm.run("scontrol", "update", f"nodename={broken[4].name}", "state=fail", "reason=" + str(REASONS[4]))
    lab.slurm.wait_for_state(rebooted, "down")
    lab.slurm.wait_for_state(silent, "down*")
