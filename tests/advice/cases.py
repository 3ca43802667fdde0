"""Mornings of one node, each with the diagnosis that a person would give: `CASES`, for every rule at least one.

A case says only what is not well: every other check is as on a sound node of which Slurm knows no job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botd.acting.ladder import Tried
from botd.advice.case import Case
from botd.advice.neighbours import ALONE, Neighbours, Rack
from botd.checks import Checks, site_checks
from botd.config import parse_config
from botd.documents import NodeReadings, ReadingDocument, reading_document
from botd.history.past import NOTHING, NodePast
from botd.inventory.states import from_text
from botd.model import Reading, SlurmNode, State

NODE = "n0007.savio2"
AT = datetime(2026, 11, 26, 3, 10, tzinfo=UTC)
OWN = {"name": "gpus", "title": "GPUs", "command": "/usr/local/sbin/count-gpus"}
CHECKS: Checks = site_checks(parse_config({"mounts": {"scratch": "/global/scratch", "tmp": "/tmp"}, "check": [OWN]}))
GIB = 2**30
FINE_DISK = {
    "size": 100 * GIB, "free": 40 * GIB, "used_percent": 60.0, "mounted": True, "read_only": False, "hung": False,
}  # fmt: skip
MISSING = {**FINE_DISK, "mounted": False}
HUNG = {"size": None, "free": None, "used_percent": None, "mounted": True, "read_only": None, "hung": True}
CLOSED = {**FINE_DISK, "read_only": True}
FULL = {**FINE_DISK, "free": 0, "used_percent": 100.0}
NO_LOGIN = tuple(name for name, check in CHECKS.items() if "ssh" in check.needs)

VALUES: Mapping[str, Any] = {
    "ping": 0.3, "ssh": "up", "uptime": 86400, "load": 0.1, "users": [], "dstate": [],
    "df_var": FINE_DISK, "df_scratch": FINE_DISK, "df_tmp": FINE_DISK,
    "memory": {"size": 62 * GIB, "free": 60 * GIB, "expected": 62 * GIB},
    "slurmd": {"running": True, "version": "22.05.8"}, "slurmd_log": [], "jobs": [], "last_job": None,
    "ipmi_reachable": True, "ipmi_state": "on",
    "gpus": 0,
    "sel": {"part": None, "what": None, "at": None, "lines": []},
}  # fmt: skip
"""What the checks read on a sound node."""


@dataclass(frozen=True)
class Morning:
    """One case. `bad` are the readings that are not well: state, value and words. `rule` is the diagnosis."""

    rule: str
    state: str
    reason: str = ""
    bad: Mapping[str, tuple[State, Any, str]] = field(default_factory=dict)
    action: str | None = "person"
    says: str = ""
    guard: str = ""
    past: NodePast = NOTHING
    neighbours: Neighbours = ALONE
    by: str = "root"
    maintenance: str = ""
    tried: tuple[Tried, ...] = ()

    def __str__(self) -> str:
        return f"{self.rule}: {self.state} {self.reason[:30]}"

    def case(self) -> Case:
        """The node as a rule looks at it."""
        base, flags, strange = from_text(self.state)
        at = AT if self.reason else None
        slurm = SlurmNode(NODE, self.state, base, flags, strange, self.reason, self.by if self.reason else "", at)
        if self.maintenance:
            until = AT + timedelta(hours=4)
            slurm = replace(slurm, maintenance=self.maintenance, maintenance_at=AT, maintenance_until=until)
        return Case(NODE, slurm, readings(self.bad), CHECKS, self.past, self.neighbours, tried=self.tried)


def readings(bad: Mapping[str, tuple[State, Any, str]]) -> NodeReadings:
    """All readings of a node: what needs a login is skipped where there is none."""
    skipped = NO_LOGIN if "ssh" in bad and bad["ssh"][0] is State.FAIL else ()
    return {name: _reading(name, bad, skipped) for name in CHECKS}


def _reading(name: str, bad: Mapping[str, tuple[State, Any, str]], skipped: tuple[str, ...]) -> ReadingDocument:
    if name in skipped and name not in bad:
        return reading_document(Reading(State.SKIPPED, at=AT, detail="needs ssh"))
    state, value, detail = bad.get(name, (State.OK, VALUES[name], ""))
    return reading_document(Reading(state, value, CHECKS[name].unit, AT, 0.1, detail))


FAIL, WARN, UNKNOWN = State.FAIL, State.WARN, State.UNKNOWN
NO_PING = {"ping": (FAIL, None, "no answer to 3 packets")}
SILENT = {**NO_PING, "ssh": (FAIL, "timeout", "no answer within 5 s")}
OFF = {**SILENT, "ipmi_state": (FAIL, "off", "power is off")}
NO_BMC = {"ipmi_reachable": (FAIL, False, "no answer within 3 s"), "ipmi_state": (State.SKIPPED, None, "")}
LOST_JOB = {"last_job": (FAIL, {"job_id": "44162", "user": "ivo", "state": "NODE_FAIL"}, "job 44162 of ivo: NODE_FAIL")}
SLURMD_DEAD = {"slurmd": (FAIL, {"running": False, "version": "22.05.8"}, "slurmd does not run")}
LOG = "[2026-11-26T03:09:12.211] error: Unable to register: Unable to contact slurm controller (connect failure)"
STUCK = ["dd (4711) of daria in rpc_wait_bit_killable", "dd (4712) of daria in rpc_wait_bit_killable"]


def logged(state: State, part: str, what: str) -> dict[str, tuple[State, Any, str]]:
    value = {"part": part, "what": what, "at": "2026-11-26 03:10:12", "lines": []}
    return {"sel": (state, value, f"{part}: {what}, 2 h 5 min ago by its BMC's clock")}


FULL_LOG = "error: write /var/spool/slurmd/cred_state: No space left on device"
JOB = {"jobs": (State.OK, ["44320"], "44320 ivo running")}
RACK = Neighbours({NODE: Rack("rack-03", 12, 40)})
BEHIND = Neighbours({NODE: Rack("leaf3", 12, 12, is_switch=True)})
SERVER = Neighbours({}, {"df_scratch": 71}, 320)
OFTEN = NodePast(3)
CYCLED = (Tried(NODE, "power-cycle", 7, AT + timedelta(hours=1)),)
RESTARTED = (Tried(NODE, "restart-slurmd", 5, AT + timedelta(minutes=30)),)


def ssh(how: str, words: str) -> dict[str, tuple[State, Any, str]]:
    return {"ssh": (FAIL, how, words)}


ECC = logged(FAIL, "memory", "uncorrectable error")

CASES: tuple[Morning, ...] = (
    Morning("colleague", "drained", "bad GPU 3, RMA open", by="jd",
            says="every check is well"),
    Morning("colleague", "down*", "wont power on, even after reseating blade", OFF, by="jd", says="powered off"),
    Morning("colleague", "drained", "no IB", {"df_scratch": (FAIL, MISSING, "not mounted")}, by="kmf",
            says="scratch: not mounted"),
    Morning("colleague", "down", "no IB -kmf : Node unexpectedly rebooted", by="kmf", says='kmf wrote "no IB -kmf"'),
    Morning("colleague", "draining", "see hung mpirun for user42", JOB, by="jd"),
    Morning("colleague", "drained", says="taken out of service without a reason; every check is well"),
    Morning("colleague", "drained", "botd: drain a17 by kmf", says="kmf wrote"),
    Morning("maintenance", "drained$", "Not responding", OFF, maintenance="cooling",
            says='reserved for the maintenance cooling until 26 Nov 07:10 UTC; "Not responding"; powered off'),
    Morning("maintenance", "maint", "", {"df_scratch": (FAIL, MISSING, "not mounted")}, None,
            "reserved for the maintenance; scratch: not mounted"),
    Morning("maintenance", "drained$", "bad fan -jd", by="jd", says='"bad fan -jd"; every check is well'),
    Morning("powered-off", "down*", "Not responding", OFF, "power-on", "; maintenance cooling from 26 Nov 03:10 UTC",
            maintenance="cooling"),
    Morning("switch-silent", "down*", "Not responding", SILENT, neighbours=BEHIND,
            says="nobody behind the switch leaf3 answers; 12 of its 12 nodes fell silent at once"),
    Morning("switch-silent", "idle", "", SILENT | NO_BMC, neighbours=BEHIND),
    Morning("rack-off", "down*", "Not responding", OFF, neighbours=BEHIND, says="behind the switch leaf3"),
    Morning("unread", "drained", "Epilog error", dict.fromkeys(CHECKS, (State.SKIPPED, None, ""))),
    Morning("rack-off", "down*", "Not responding", OFF, neighbours=RACK,
            says="12 of the 40 nodes of rack-03 fell silent"),
    Morning("rack-dead", "down*", "Not responding", SILENT | NO_BMC, neighbours=RACK),
    Morning("rack-silent", "down*", "Not responding", SILENT, neighbours=RACK),
    Morning("rack-silent", "idle", "", SILENT, neighbours=RACK),
    Morning("fell-memory", "down*", "Not responding", SILENT | LOST_JOB | ECC,
            says="its BMC logged memory: uncorrectable error, 2026-11-26 03:10:12 by its clock; silent; last job"),
    Morning("fell-memory", "idle", "", ssh("hung", "the connection opened, then nothing") | ECC),
    Morning("fell-power", "down*", "Not responding", OFF | logged(FAIL, "power supply", "failed"),
            says="its BMC logged power supply: failed, 2026-11-26 03:10:12 by its clock; powered off"),
    Morning("fell-heat", "down*", "Not responding", OFF | logged(FAIL, "temperature", "above its critical limit")),
    Morning("fell-part", "down*", "Not responding", SILENT | logged(FAIL, "processor", "internal error (IERR)")),
    Morning("rack-off", "down*", "Not responding", OFF | logged(FAIL, "power supply", "failed"), neighbours=RACK),
    Morning("powered-off", "down*", "Not responding", OFF | logged(WARN, "power supply", "its input was lost"),
            "power-on", "by its BMC; its BMC logged power supply: its input was lost"),
    Morning("fault-logged", "down", "Node unexpectedly rebooted", ECC,
            says="its BMC logged memory: uncorrectable error"),
    Morning("fault-logged", "idle", "", ECC),
    Morning("mount-hung", "drained", "Kill task failed", {"df_scratch": (FAIL, HUNG, "hung"), **ECC}, "power-cycle"),
    Morning("ready-rebooted", "down", "Node unexpectedly rebooted", logged(WARN, "watchdog", "reset the node"),
            "resume", "its BMC logged watchdog: reset the node"),
    Morning("passed", "idle", "", logged(WARN, "memory", "correctable error"), None, "memory: correctable error"),
    Morning("lost-job", "idle", "", LOST_JOB | logged(WARN, "operating system", "stopped (panic)"), None, "44162"),
    Morning("powered-off", "down*", "Not responding", OFF | LOST_JOB, "power-on",
            "off since 26 Nov 03:10 UTC by its BMC; last job 44162 NODE_FAIL",
            past=NodePast(1, {"ipmi_state": AT})),
    Morning("powered-off", "down~", "ResumeTimeout reached", {**SILENT, "ipmi_state": (State.OK, "off", "")},
            "power-on",
            "Slurm waited for its boot in vain"),
    Morning("powered-off", "down*", "Not responding", OFF, "person", "3rd time in 30 days", "repeat", OFTEN),
    Morning("powered-off", "mixed", "", OFF | JOB, "person", guard="live-job"),
    Morning("no-address", "down", "NO NETWORK ADDRESS FOUND",
            {**NO_PING, **ssh("unresolved", "the name has no address")}),
    Morning("bmc-silent", "down*", "Not responding", SILENT | NO_BMC, says="nor does its BMC"),
    Morning("silent", "down*", "Not responding", SILENT | LOST_JOB, "power-cycle", "its BMC says on"),
    Morning("silent", "down*", "Not responding", {**SILENT, "ipmi_state": (UNKNOWN, "unknown", "wrong password")},
            "person", "its power is not known", "power-unknown"),
    Morning("silent", "down*", "Not responding", {**SILENT, "jobs": (UNKNOWN, None, "squeue failed")}, "person",
            guard="jobs-unknown"),
    Morning("silent", "down*", "Not responding", SILENT, "person", guard="failed-before", tried=CYCLED),
    Morning("silent", "idle*", "", SILENT, "person", guard="wrong-state"),
    Morning("silent", "down*", "Not responding", {**SILENT, "ping": (UNKNOWN, None, "fping is not installed")},
            "power-cycle"),
    Morning("ssh-hung", "down*", "Not responding", ssh("hung", "the connection opened, then sshd said nothing"),
            "power-cycle", "the connection opened, then sshd said nothing"),
    Morning("ssh-refused", "down*", "Not responding", ssh("refused", "connection refused"), "power-cycle"),
    Morning("ssh-timeout", "down*", "Not responding", ssh("timeout", "no answer within 5 s"), "power-cycle"),
    Morning("ssh-auth", "drained", "Prolog error", ssh("auth", 'user "botd" was refused; offered: id_ed25519'),
            says='user "botd" was refused'),
    Morning("ssh-host-key", "idle", "", ssh("host-key", "the host key is not the known one")),
    Morning("draining", "draining", "Epilog error", {**JOB, "users": (WARN, ["bjorn"], "processes but no job: bjorn")},
            "wait", "job 44320 still runs; also not well: Users"),
    Morning("rebooting", "drained^", "Reboot ASAP : reboot issued", action="wait"),
    Morning("file-server", "idle", "", {"df_scratch": (FAIL, HUNG, "hung: statfs did not end within 8 s")}, "wait",
            "/global/scratch is hung or gone on 71 of 320 nodes", neighbours=SERVER),
    Morning("disk-error", "drained", "Prolog error",
            {"df_tmp": (FAIL, CLOSED, "read-only (emergency_ro); 40 GiB free")}),
    Morning("mount-hung", "drained", "Kill task failed",
            {"df_scratch": (FAIL, HUNG, "hung: statfs did not end within 8 s"), "users": (WARN, ["daria"], "")},
            "power-cycle", "/global/scratch is hung: statfs did not end within 8 s; processes of daria"),
    Morning("mount-hung", "mixed", "", {**JOB, "df_scratch": (FAIL, HUNG, "hung")}, "person", guard="live-job"),
    Morning("mount-missing", "drained", "NHC: check_fs_mount:  /global/scratch not mounted",
            {"df_scratch": (FAIL, MISSING, "not mounted")}, "power-cycle", "/global/scratch is not mounted"),
    Morning("mount-read-only", "drained", "Epilog error", {"df_tmp": (FAIL, CLOSED, "read-only; 40 GiB free")},
            says="/tmp is read-only; 40 GiB free"),
    Morning("var-full", "drained", "SlurmdSpoolDir is full", {"df_var": (FAIL, FULL, "0 B free, 100% used")},
            says="/var: 0 B free, 100% used"),
    Morning("var-full", "down*", "Not responding", {"df_var": (FAIL, FULL, "0 B free, 100% used"), **SLURMD_DEAD}),
    Morning("mount-read-only", "drained", "Epilog error", {"df_var": (FAIL, CLOSED, "read-only; 40 GiB free")},
            says="/var is read-only"),
    Morning("mount-full", "drained", "SlurmdSpoolDir is full", {"df_tmp": (FAIL, FULL, "0 B free, 100% used")},
            says="/tmp: 0 B free, 100% used"),
    Morning("mount-fails", "drained", "Prolog error",
            {"df_scratch": (FAIL, {**HUNG, "hung": False}, "Stale file handle")}, "power-cycle", "Stale file handle"),
    Morning("spool-full", "drained", "SlurmdSpoolDir is full", {"slurmd_log": (WARN, [FULL_LOG], FULL_LOG)},
            says=FULL_LOG),
    Morning("memory", "drained", "Low RealMemory (reported:48128 < 100.00% of configured:64000)",
            {"memory": (FAIL, {"size": 47.4 * GIB, "free": GIB, "expected": 62.5 * GIB}, "")},
            says="47.4 of 62.5 GiB expected"),
    Morning("hardware", "drained", "gres/gpu count reported lower than configured (3 < 4)", says="(3 < 4)"),
    Morning("hardware", "drained", "NHC: check_hw_ib:  No IB port is ACTIVE (LinkUp)."),
    Morning("stuck", "drained", "Kill task failed",
            {"dstate": (WARN, STUCK, STUCK[0]), "users": (WARN, ["daria"], "processes but no job: daria")},
            "power-cycle", "dd (4711) of daria in rpc_wait_bit_killable and 1 more; processes of daria"),
    Morning("stuck", "idle", "", {"dstate": (WARN, STUCK[:1], STUCK[0])}, None, guard="wrong-state"),
    Morning("stuck", "mixed", "", {"dstate": (WARN, STUCK, STUCK[0]), **JOB}, None, guard="live-job"),
    Morning("slurmd", "down*", "Not responding",
            {**SLURMD_DEAD, "slurmd_log": (WARN, [LOG], LOG)}, "restart-slurmd", LOG),
    Morning("slurmd", "down*", "Not responding", SLURMD_DEAD, "power-cycle", guard="failed-before", tried=RESTARTED),
    Morning("slurmd", "down*", "Not responding", SLURMD_DEAD, "person", guard="failed-before",
            tried=RESTARTED + CYCLED),
    Morning("slurmd", "mixed", "", {**SLURMD_DEAD, **JOB}, "person", guard="live-job"),
    Morning("slurmd-unheard", "down*", "Not responding", {"slurmd_log": (WARN, [LOG], LOG)}, "restart-slurmd"),
    Morning("config", "drained", "CoreSpec differ"),
    Morning("leftovers", "drained", "Kill task failed", {"users": (WARN, ["daria"], "processes but no job: daria")},
            "power-cycle", "processes of daria and no job of theirs"),
    Morning("leftovers", "idle", "", {"users": (WARN, ["greta"], "")}, "person", guard="wrong-state"),
    Morning("own-check", "drained", "Epilog error", {"gpus": (FAIL, 1, "3 of 4 GPUs")},
            says='GPUs: 3 of 4 GPUs; "Epilog error"'),
    Morning("own-check", "idle", "", {"gpus": (FAIL, 1, "3 of 4 GPUs")}),
    Morning("leftovers", "drained", "Kill task failed",
            {"gpus": (FAIL, 1, "3 of 4 GPUs"), "users": (WARN, ["daria"], "")}, "power-cycle"),
    Morning("nhc", "drained", "NHC: check_ps_daemon: process crond not running"),
    Morning("nhc", "drained", "NHC: check_fs_mount:  /opt/elsewhere not mounted"),
    Morning("reboots-again", "down", "Node unexpectedly rebooted", says="3rd time in 30 days", past=OFTEN),
    Morning("ready-rebooted", "down", "Node unexpectedly rebooted", LOST_JOB, "resume", "it is back; 17 checks well"),
    Morning("ready", "drained", "NHC: check_fs_mount:  /global/scratch not mounted", {}, "resume",
            "scratch mounted again since 26 Nov 03:10 UTC", past=NodePast(1, {"df_scratch": AT})),
    Morning("ready-killed", "drained", "Kill task failed",
            {}, "resume", "no process is left; all 18 checks well"),
    Morning("ready-killed", "drained", "Kill task failed", {}, "person", guard="repeat", past=NodePast(4)),
    Morning("ready-prolog", "drained", "Prolog error", {}, "resume", '"Prolog error" is over'),
    Morning("ready", "drained", "Epilog error", {}, "resume", '"Epilog error" is over'),
    Morning("ping-dropped", "idle", "", NO_PING, None),
    Morning("packets-lost", "idle", "", {"ping": (WARN, 0.3, "1 of 3 packets lost")}, says="Ping: 1 of 3 packets lost"),
    Morning("bmc-only", "mixed", "", NO_BMC | JOB),
    Morning("mount-filling", "idle", "", {"df_scratch": (WARN, {**FINE_DISK, "used_percent": 97.0}, "97% used")}, None),
    Morning("overload", "mixed", "", {**JOB, "load": (WARN, 2.4, "5-minute load 76.8 on 32 cores")}, None),
    Morning("overload", "drained", "Kill task failed", {"load": (WARN, 2.4, "5-minute load 76.8 on 32 cores")}),
    Morning("lost-job", "idle", "", LOST_JOB, None, "44162"),
    Morning("log", "idle", "", {"slurmd_log": (WARN, [LOG], LOG)}, None, LOG),
    Morning("not-told", "idle", "", {"users": (UNKNOWN, None, "the running jobs are not known")}, None),
    Morning("not-told", "idle", "",
            {"jobs": (UNKNOWN, None, "slurmctld does not answer"), "slurmd_log": (WARN, [LOG], LOG)}, None),
    Morning("not-told", "drained", "Kill task failed", {"memory": (UNKNOWN, None, "garbage")}),
    Morning("nothing-known", "drained", "Epilog error", {"uptime": (FAIL, 3, "odd"), "load": (UNKNOWN, None, "odd")},
            says='Slurm has it as drained; "Epilog error"; Uptime: odd; Load: odd'),
)  # fmt: skip
