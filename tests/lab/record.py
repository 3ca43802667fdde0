"""Record what the real tools print on a lab: cases for every reader of their output, and for the demo's stand-ins.

It drains, breaks and fills the lab it is given (20 nodes show every case), so give it one of its own. Into a
folder such as tests/recorded it writes one folder per tool and version; what is there already and is not made
here (an earlier cluster's, say) stays.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from botd.inventory.command import SCOPE
from botd.inventory.jobs import LAST_FIELDS, QUEUE_FIELDS
from botd.inventory.slurm import FIELDS
from tests.lab.cluster import Lab
from tests.lab.faults import kill_slurmd
from tests.lab.proc import LabError, wait_until
from tests.recorded import Recording, read_index, write_index

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

# What botd asks for, with its own lists of fields; it writes a new token into each call.
SINFO_JSON = ["sinfo", *SCOPE["sinfo"], "--json"]
SCONTROL_JSON = ["scontrol", *SCOPE["scontrol"], "show", "nodes", "--json"]
SINFO_FORMAT = ["sinfo", *SCOPE["sinfo"], "-h", "-N", f"--format=@TOKEN@|{FIELDS}"]
SQUEUE = ["squeue", *SCOPE["squeue"], "-h", f"--format=@TOKEN@|{QUEUE_FIELDS}"]
SACCT_OPTIONS = [*SCOPE["sacct"], "-n", "-P", "-X", "-S", "now-1day", "-E", "now", "-o", LAST_FIELDS]
SACCT = ["sacct", *SACCT_OPTIONS]

Table = Mapping[str, list[str]]
"""Command lines by file; {idle} is a node that is well."""

NO_JOBS: Table = {
    "no-jobs/sacct.txt": SACCT,
    "no-jobs/sacct-c.txt": ["sacct", "-c", *SACCT_OPTIONS],
    "no-jobs/squeue.txt": SQUEUE,
}
ENDED_JOBS: Table = {
    "ended-jobs/sacct.txt": SACCT,
    "ended-jobs/sacct-by-node.txt": [*SACCT, "-N", "n0000.vector0,n0001.savio3"],
    "ended-jobs/sacct-c.txt": ["sacct", "-c", *SACCT_OPTIONS],
}
BROKEN_NODES: Table = {
    "broken-nodes/sinfo.txt": ["sinfo"],
    "broken-nodes/sinfo-N.txt": ["sinfo", "-N"],
    "broken-nodes/sinfo-R.txt": ["sinfo", "-R"],
    "broken-nodes/sinfo-lR.txt": ["sinfo", "-l", "-R"],
    "broken-nodes/sinfo-user-first.txt": ["sinfo", "-N", "-R", "--format=%9u %19H %6t %N %E"],
    "broken-nodes/sinfo.json": SINFO_JSON,
    "broken-nodes/sinfo-format.txt": SINFO_FORMAT,
    "broken-nodes/scontrol.json": SCONTROL_JSON,
    "broken-nodes/squeue.txt": SQUEUE,
    "broken-nodes/sacct.txt": SACCT,
}
REFUSED: Table = {
    "refused/scontrol-show-unknown.txt": ["scontrol", "show", "node", "nosuch"],
    "refused/scontrol-update-unknown.txt": ["scontrol", "update", "nodename=nosuch", "state=resume"],
    "refused/scontrol-drain-no-reason.txt": ["scontrol", "update", "nodename={idle}", "state=drain"],
    "refused/scontrol-down-no-reason.txt": ["scontrol", "update", "nodename={idle}", "state=down"],
    "refused/scontrol-resume-idle.txt": ["scontrol", "update", "nodename={idle}", "state=resume"],
    "refused/scontrol-bad-state.txt": ["scontrol", "update", "nodename={idle}", "state=bogus"],
    "refused/sinfo-bad-option.txt": ["sinfo", "--nope"],
    "refused/squeue-bad-option.txt": ["squeue", "--nope"],
    "refused/sacct-bad-option.txt": ["sacct", "--nope"],
    "refused/sacct-bad-field.txt": ["sacct", "-n", "-P", "-o", "JobID,Bogus"],
    "refused/sacct-bad-time.txt": ["sacct", "-n", "-P", "-S", "yesterday-ish"],
    "refused/squeue-unknown-node.txt": ["squeue", "-h", "-w", "nosuch"],
}
CONTROLLER_AWAY: Table = {
    "sinfo.json": SINFO_JSON,
    "sinfo-format.txt": SINFO_FORMAT,
    "squeue.txt": SQUEUE,
    "sacct.txt": SACCT,
}
ACCOUNTS_AWAY: Table = {"sacct.txt": SACCT, "squeue.txt": SQUEUE}

FPING = ["fping", "-C", "3", "-q", "-t", "500", "-i", "0.05", "-p", "100"]
PING = ["ping", "-q", "-n", "-c", "3", "-i", "0.2", "-W", "0.5"]


class Recorder:
    """Runs tools on a lab and writes what they print into one version's folder."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.made: dict[str, Recording] = {}
        self.idle = lab.nodes[-1]

    def run(self, file: str, command: Sequence[str], stdin: str = "", **environment: str) -> None:
        """Run one tool and write its recording; times are in UTC."""
        words = [word.replace("{idle}", self.idle.name) for word in command]
        argv = self.lab.slurm.command("TZ=UTC", *(f"{name}={value}" for name, value in environment.items()), *words)
        began_at = time.monotonic()
        done = subprocess.run(argv, input=stdin.encode(), capture_output=True, check=False, timeout=120)
        seconds = round(time.monotonic() - began_at, 2)
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._neutral(done.stdout))
        stderr = self._neutral(done.stderr).decode(errors="replace")
        self.made[file] = Recording(file, words, done.returncode, seconds, stderr, stdin)

    def _neutral(self, output: bytes) -> bytes:
        # The machine's kernel and the lab's place are nobody's test case.
        system = os.uname()
        for own, neutral in (
            (f"{system.sysname} {system.release} {system.version}", "Linux 5.14.0 #1 SMP"),
            (str(self.lab.directory), "/lab"),
        ):
            output = output.replace(own.encode(), neutral.encode())
        return output

    def run_all(self, table: Table, folder: str = "") -> None:
        """Run a table of tools."""
        for file, command in table.items():
            self.run(f"{folder}{file}", command)

    def write_index(self) -> None:
        """Write index.json, with what was recorded there at another time."""
        earlier = [each for each in read_index(self.folder) if each.file not in self.made]
        write_index(self.folder, [*earlier, *self.made.values()])


def record(lab: Lab, folder: Path) -> None:
    """Bring a lab into every state and record all tools; eight minutes, most spent on time limits."""
    record_pings(lab, folder)
    recorder = Recorder(lab, folder / f"slurm-{version(lab, 'sinfo', '--version')}")
    recorder.run_all(NO_JOBS)
    recorder.run_all(REFUSED)
    finish_jobs(lab)
    recorder.run_all(ENDED_JOBS)
    record_without_accounting(recorder)
    record_newline_in_jobcomp(recorder)
    break_nodes(lab)
    start_jobs(lab)
    recorder.run_all(BROKEN_NODES)
    record_failures(recorder)
    recorder.write_index()


def version(lab: Lab, *command: str) -> str:
    """The version that a tool tells of itself: 22.05.8, 5.1, 20221126."""
    found = re.search(r"\d[\d.]*", lab.slurm.run(*command))
    if not found:
        raise LabError(f"{' '.join(command)}: no version")
    return found[0].strip(".")


def record_pings(lab: Lab, folder: Path) -> None:
    """Record fping and ping with a node that answers, one that is off and a name that nobody has."""
    dead, alive = lab.nodes[0], lab.nodes[-1]
    dead.power_off()
    recorder = Recorder(lab, folder / f"fping-{version(lab, 'fping', '-v')}")
    addresses = f"{alive.address}\n{dead.address}\n"
    recorder.run("alive.txt", FPING, f"{alive.address}\n")
    recorder.run("alive-and-dead.txt", FPING, addresses)
    recorder.run("unknown-name.txt", FPING, f"{addresses}nosuch.invalid\n")
    recorder.run("bad-option.txt", ["fping", "--nope"])
    recorder.run("nothing-to-do.txt", FPING)
    recorder.write_index()
    recorder = Recorder(lab, folder / f"iputils-{version(lab, 'ping', '-V')}")
    recorder.run("alive.txt", [*PING, alive.address])
    recorder.run("dead.txt", [*PING, dead.address])
    recorder.write_index()
    dead.power_on()
    lab.do("make_idle", dead.name)


def record_without_accounting(recorder: Recorder) -> None:
    """Record sacct of a cluster that keeps no accounts."""
    slurm = recorder.lab.slurm
    path = slurm.config.with_name("without-accounting.conf")
    path.write_text(slurm.config.read_text().replace("accounting_storage/slurmdbd", "accounting_storage/none"))
    recorder.run("no-accounting/sacct.txt", SACCT, SLURM_CONF=str(path))
    path.unlink()


def record_failures(recorder: Recorder) -> None:
    """Record the tools while the controller, munge, slurmdbd or the database does not work."""
    slurm, accounting = recorder.lab.slurm, recorder.lab.slurm.accounting
    failures = {
        "controller-stopped": (slurm.stop_slurmctld, CONTROLLER_AWAY, slurm.start_slurmctld),
        "controller-hung": (slurm.hang_slurmctld, CONTROLLER_AWAY, slurm.resume_slurmctld),
        "controller-cut": (slurm.cut_slurmctld, CONTROLLER_AWAY, slurm.join_slurmctld),
        "munge-stopped": (slurm.stop_munged, CONTROLLER_AWAY, slurm.start_munged),
        "slurmdbd-hung": (accounting.hang_slurmdbd, ACCOUNTS_AWAY, accounting.resume_slurmdbd),
        "database-hung": (accounting.hang_database, ACCOUNTS_AWAY, accounting.resume_database),
        "slurmdbd-stopped": (slurm.stop_slurmdbd, ACCOUNTS_AWAY, slurm.start_slurmdbd),
    }
    for name, (begin, table, end) in failures.items():
        begin()
        recorder.run_all(table, f"{name}/")
        end()


def _submit(lab: Lab, name: str, script: str, *options: str) -> str:
    who = ["--uid", "alice", "--gid", "alice", "--chdir", "/", "--output", "/dev/null", "--export", "NONE"]
    argv = ["sbatch", "--parsable", *who, "--job-name", name, *options, "--wrap", script]
    return lab.slurm.run(*argv).strip()


def _wait_for_end(lab: Lab) -> None:
    squeue = ["squeue", "-h", "-a"]
    wait_until("end of the jobs", lambda: not lab.slurm.run(*squeue).strip(), 90, every_s=0.2)
    unfinished = ["sacct", "-n", "-a", "-X", "-s", "RUNNING,PENDING"]
    wait_until("accounts of the jobs", lambda: not lab.slurm.run(*unfinished).strip(), 30, every_s=0.2)


def finish_jobs(lab: Lab) -> None:
    """Let jobs end in every way there is, and wait until the accounts have them."""
    vector = ("-p", "vector0")
    _submit(lab, "fine", "true", *vector)
    _submit(lab, "fails", "exit 3", *vector)
    _submit(lab, "killed", "kill -9 $$", *vector)
    # Slurm folds these two names: n0001.savio[2-3].
    _submit(lab, "two-nodes", "sleep 1", "-p", "savio_lowprio", "-N", "2", "-w", "n0001.savio2,n0001.savio3")
    _submit(lab, "array", "sleep 1", "-p", "savio3", "--array", "0-2")
    _submit(lab, "pipe|name", "true", "-p", "savio3")
    _submit(lab, "name with spaces", "true", "-p", "savio3")
    _submit(lab, "over-time", "sleep 300", "-p", "savio3", "--time", "1")
    job = _submit(lab, "cancelled", "sleep 300", *vector)
    state = ["squeue", "-h", "-j", job, "-o", "%T"]
    wait_until("start of the job to cancel", lambda: lab.slurm.run(*state).strip() == "RUNNING", every_s=0.2)
    lab.slurm.run("scancel", job)
    job = _submit(lab, "never-started", "true", *vector, "--hold")
    lab.slurm.run("scancel", job)
    _wait_for_end(lab)


def record_newline_in_jobcomp(recorder: Recorder) -> None:
    """Let a job end whose name has a newline: sacct -c 22.05 dies of it with SIGSEGV.

    Plain sacct does not: the job stands in every later recording of it.
    """
    lab = recorder.lab
    before = lab.slurm.jobcomp.read_bytes()
    job = _submit(lab, "two\nlines|x", "true", "-p", "vector0")
    wait_until("job in jobcomp", lambda: f"JobId={job} " in lab.slurm.jobcomp.read_text(), 60, every_s=0.2)
    _wait_for_end(lab)
    recorder.run("newline-in-name/sacct-c.txt", ["sacct", "-c", *SACCT_OPTIONS])
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
