"""The simulated cluster of `bench.trust`: what makes its nodes ill, how often, what of it shows, and what mends it.

All of it was written down before any policy ran on it, and is not changed to suit one. The numbers are of the size
that administrators of clusters report, not counted anywhere. A policy sees looks alone, never a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# ---- the nodes ----

HARDWARE: Mapping[str, int] = {"savio2": 450, "savio3": 350, "bigmem": 80, "gpu": 120}
"""How many nodes of each kind: a kind is a partition."""

RACK = 40
"""Nodes of a rack, of one switch and one distribution unit; racks hold nodes of any kind, in order."""

LEMONS = 0.03
"""The part of the nodes that are ill more often, and worse to mend."""

LEMON_RATE, LEMON_MENDS = 6.0, 0.6
"""How much more often, and what the chance of every action is multiplied with there."""

# ---- looks ----


class Look(NamedTuple):
    """What Slurm says, and the readings that are not well: state, value, words. The rest is as on a sound node."""

    state: str
    reason: str
    bad: Mapping[str, tuple[str, object, str]] = {}


GIB = 2**30
_DISK = {"size": 100 * GIB, "free": 40 * GIB, "used_percent": 60.0, "mounted": True, "read_only": False, "hung": False}
_HUNG = {"size": None, "free": None, "used_percent": None, "mounted": True, "read_only": None, "hung": True}
_NO_PING = {"ping": ("fail", None, "no answer to 3 packets")}
_SILENT = {**_NO_PING, "ssh": ("fail", "timeout", "no answer within 5 s")}
_OFF = {**_SILENT, "ipmi_state": ("fail", "off", "power is off")}
_NO_BMC = {"ipmi_reachable": ("fail", False, "no answer within 3 s"), "ipmi_state": ("skipped", None, "")}
_NO_SLURMD = {"slurmd": ("fail", {"running": False, "version": "22.05.8"}, "slurmd does not run")}
_LOG = "error: Unable to register: Unable to contact slurm controller (connect failure)"
_FULL_LOG = "error: write /var/spool/slurmd/cred_state: No space left on device"


def _ssh(how: str, words: str) -> dict[str, tuple[str, object, str]]:
    return {"ssh": ("fail", how, words)}


LOOKS: Mapping[str, Look] = {
    "silent": Look("down*", "Not responding", _SILENT),
    "silent, BMC too": Look("down*", "Not responding", {**_SILENT, **_NO_BMC}),
    "off": Look("down*", "Not responding", _OFF),
    "ssh hung": Look("down*", "Not responding", _ssh("hung", "the connection opened, then sshd said nothing")),
    "ssh refused": Look("down*", "Not responding", _ssh("refused", "connection refused")),
    "ssh timeout": Look("down*", "Not responding", _ssh("timeout", "no answer within 5 s")),
    "well, rebooted": Look("down", "Node unexpectedly rebooted"),
    "well, kill failed": Look("drained", "Kill task failed"),
    "well, epilog": Look("drained", "Epilog error"),
    "well, prolog": Look("drained", "Prolog error"),
    "well, gpus": Look("drained", "gres/gpu count reported lower than configured (3 < 4)"),
    "memory": Look(
        "drained", "Low RealMemory (reported:48128 < 100.00% of configured:64000)",
        {"memory": ("fail", {"size": 47 * GIB, "free": GIB, "expected": 62 * GIB}, "47 GiB of 62 GiB")},
    ),
    "disk error": Look(
        "drained", "Prolog error", {"df_tmp": ("fail", {**_DISK, "read_only": True}, "read-only (emergency_ro)")}
    ),
    "tmp full": Look(
        "drained", "Prolog error", {"df_tmp": ("fail", {**_DISK, "free": 0, "used_percent": 100.0}, "0 B free")}
    ),
    "scratch hung": Look("drained", "Kill task failed", {"df_scratch": ("fail", _HUNG, "hung: statfs did not end")}),
    "scratch missing": Look(
        "drained", "NHC: check_fs_mount:  /global/scratch not mounted",
        {"df_scratch": ("fail", {**_DISK, "mounted": False}, "not mounted")},
    ),
    "leftovers": Look(
        "drained", "Kill task failed", {"users": ("warn", ["daria"], "processes but no job: daria")}
    ),
    "slurmd stopped": Look("down*", "Not responding", _NO_SLURMD),
    "slurmd stopped, log": Look("down*", "Not responding", {**_NO_SLURMD, "slurmd_log": ("warn", [_LOG], _LOG)}),
    "slurmd unheard": Look("down*", "Not responding", {"slurmd_log": ("warn", [_LOG], _LOG)}),
    "spool full": Look("drained", "SlurmdSpoolDir is full", {"slurmd_log": ("warn", [_FULL_LOG], _FULL_LOG)}),
    "config": Look("drained", "CoreSpec differ"),
    "NHC, daemon": Look("drained", "NHC: check_ps_daemon: process crond not running"),
    "a person": Look("drained", "bad DIMM, ticket open -jd"),
}  # fmt: skip
"""How an ill node looks to who reads it; which diagnosis that is, the rules of the program say."""

# ---- causes ----

CYCLE, ON, RESTART, RESUME = "power-cycle", "power-on", "restart-slurmd", "resume"


class Heals(NamedTuple):
    """That a node is back in service by itself: for which part of the incidents, and when: half of these by then.

    The times are log-normal, `spread` is the deviation of their logarithm.
    """

    part: float = 0.0
    median_h: float = 1.0
    spread: float = 1.0


@dataclass(frozen=True)
class Cause:
    """A cause. `rate` is per node and year, `on` what it is multiplied with on a kind of hardware.

    `looks` are how it shows, by their chances; `traces` what finer evidence than these would find, by its chances.
    `mends` is the chance that a node is well for a day after an action, `harms` that the action costs a job or worse
    though Slurm has none there. `job` is the chance that Slurm has a job there when it begins.
    """

    name: str
    rate: float
    looks: Mapping[str, float]
    mends: Mapping[str, float] = field(default_factory=dict)
    harms: Mapping[str, float] = field(default_factory=dict)
    heals: Heals = field(default=Heals())
    job: float = 0.0
    on: Mapping[str, float] = field(default_factory=dict)
    traces: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Storm:
    """What strikes many nodes at once, `rate` times a year: from `least` to `most` nodes, of one rack or of any.

    What they share is repaired after a time of `cause.heals`, and that part of them is back by itself then.
    """

    cause: Cause
    rate: float
    least: int
    most: int
    is_a_racks: bool


CAUSES: tuple[Cause, ...] = (
    Cause(
        "kernel panic", 0.40, {"silent": 0.75, "ssh hung": 0.15, "ssh refused": 0.10},
        {CYCLE: 0.93}, {CYCLE: 0.01}, Heals(0.10, 0.4, 0.7),
        on={"savio2": 1.3, "bigmem": 0.6}, traces={"sel: OS stop": 0.5},
    ),
    Cause(
        "out of memory", 0.50, {"ssh hung": 0.55, "ssh timeout": 0.25, "silent": 0.20},
        {CYCLE: 0.94}, {CYCLE: 0.20}, Heals(0.65, 1.0, 1.1), job=0.35, on={"bigmem": 0.4},
    ),
    Cause(
        "network card hangs", 0.20, {"silent": 0.90, "ssh timeout": 0.10},
        {CYCLE: 0.72}, {CYCLE: 0.10}, Heals(0.15, 2.0, 1.0), on={"savio3": 2.0},
    ),
    Cause(
        "port or cable", 0.08, {"silent": 1.0},
        {CYCLE: 0.04}, {CYCLE: 0.10}, Heals(0.30, 5.0, 1.2), traces={"switch: port down": 0.7},
    ),
    Cause(
        "memory fails", 0.14, {"silent": 0.45, "well, rebooted": 0.30, "memory": 0.25},
        {CYCLE: 0.30, RESUME: 0.20}, {CYCLE: 0.08, RESUME: 0.40}, on={"bigmem": 3.0}, traces={"sel: memory": 0.85},
    ),
    Cause(
        "disk dies", 0.12, {"disk error": 0.50, "scratch hung": 0.05, "ssh hung": 0.25, "silent": 0.20},
        {CYCLE: 0.25}, {CYCLE: 0.12}, on={"savio2": 1.6}, traces={"dstate: ext4": 0.4},
    ),
    Cause(
        "power supply fails", 0.07, {"off": 0.40, "well, rebooted": 0.45, "silent, BMC too": 0.15},
        {ON: 0.35, RESUME: 0.25, CYCLE: 0.1}, {ON: 0.20, RESUME: 0.35}, traces={"sel: power supply": 0.8},
    ),
    Cause("breaker of one outlet", 0.03, {"off": 0.3, "silent, BMC too": 0.7}, {ON: 0.05}),
    Cause("switched off", 0.12, {"off": 1.0}, {ON: 0.97}, {ON: 0.01}),
    Cause(
        "too hot", 0.06, {"off": 0.70, "well, rebooted": 0.30},
        {ON: 0.50, RESUME: 0.55}, {ON: 0.10, RESUME: 0.15}, on={"gpu": 3.0}, traces={"sel: temperature": 0.9},
    ),
    Cause(
        "boot stops half-way", 0.10, {"ssh refused": 0.70, "silent": 0.30}, {CYCLE: 0.65}, {}, Heals(0.10, 0.7, 0.8),
    ),
    Cause(
        "stale mount", 0.35, {"scratch hung": 0.75, "leftovers": 0.25},
        {CYCLE: 0.95}, {CYCLE: 0.05}, Heals(0.40, 3.0, 1.2), job=0.25, traces={"dstate: nfs": 0.7},
    ),
    Cause(
        "mount missed at boot", 0.30, {"scratch missing": 1.0}, {CYCLE: 0.86}, {CYCLE: 0.01}, Heals(0.25, 1.0, 1.0),
    ),
    Cause(
        "mount's map is wrong", 0.07, {"scratch missing": 1.0}, {CYCLE: 0.05}, {}, Heals(0.10, 12.0, 1.0),
        on={"gpu": 4.0},
    ),
    Cause(
        "slurmd crashed", 0.25, {"slurmd stopped": 0.80, "slurmd unheard": 0.20},
        {RESTART: 0.95, CYCLE: 0.95}, {RESTART: 0.01, CYCLE: 0.05}, Heals(0.20, 0.3, 0.6), job=0.25,
    ),
    Cause(
        "slurmd is misconfigured", 0.12, {"slurmd stopped, log": 0.50, "slurmd stopped": 0.20, "config": 0.30},
        {RESTART: 0.08, CYCLE: 0.08}, {}, Heals(0.05, 8.0, 1.0), on={"gpu": 3.0},
    ),
    Cause(
        "/var full", 0.14, {"slurmd stopped": 0.45, "spool full": 0.35, "tmp full": 0.20},
        {RESTART: 0.25, CYCLE: 0.30}, {}, Heals(0.15, 10.0, 1.0), traces={"df_var: full": 0.95},
    ),
    Cause(
        "process cannot be killed", 0.35, {"leftovers": 0.85, "scratch hung": 0.15},
        {CYCLE: 0.95}, {CYCLE: 0.02}, Heals(0.50, 4.0, 1.2), job=0.20, on={"gpu": 2.5},
        traces={"dstate: driver": 0.8},
    ),
    Cause(
        "people's own processes", 0.35, {"leftovers": 1.0}, {CYCLE: 0.95}, {CYCLE: 0.15}, Heals(0.75, 6.0, 1.1),
    ),
    Cause("slow end of a job", 0.70, {"well, kill failed": 1.0}, {RESUME: 0.96}, {RESUME: 0.01}),
    Cause(
        "epilog failed once", 0.45, {"well, epilog": 0.6, "well, prolog": 0.4}, {RESUME: 0.90}, {RESUME: 0.03},
    ),
    Cause(
        "prolog fails each time", 0.08, {"well, prolog": 1.0}, {RESUME: 0.08}, {RESUME: 0.60},
    ),
    Cause(
        "GPU lost", 0.03, {"well, gpus": 0.50, "well, kill failed": 0.30, "NHC, daemon": 0.20},
        {RESUME: 0.10, CYCLE: 0.6}, {RESUME: 0.50}, on={"gpu": 12.0}, traces={"gpu: count": 0.95},
    ),
    Cause("rebooted by itself, once", 0.20, {"well, rebooted": 1.0}, {RESUME: 0.93}, {RESUME: 0.03}),
    Cause(
        "a daemon died", 0.10, {"NHC, daemon": 1.0}, {CYCLE: 0.9, RESUME: 0.1}, {RESUME: 0.1}, Heals(0.4, 1.0, 1.0),
    ),
    Cause(
        "a person works there", 0.45, {"a person": 1.0}, {RESUME: 0.05}, {CYCLE: 0.3, ON: 0.2, RESUME: 0.5},
    ),
)  # fmt: skip

STORMS: tuple[Storm, ...] = (
    Storm(
        Cause(
            "a switch fails", 0, {"silent": 1.0}, {CYCLE: 0.03}, {CYCLE: 0.30}, Heals(1.0, 2.5, 0.8), job=0.2,
        ), 3, 30, 40, is_a_racks=True,
    ),
    Storm(
        Cause(
            "the network flaps", 0, {"silent": 0.8, "ssh timeout": 0.2},
            {CYCLE: 0.05}, {CYCLE: 0.35}, Heals(1.0, 0.4, 0.6), job=0.4,
        ), 4, 40, 250, is_a_racks=False,
    ),
    Storm(
        Cause(
            "the file server hangs", 0, {"scratch hung": 0.7, "ssh hung": 0.1, "scratch missing": 0.2},
            {CYCLE: 0.10}, {CYCLE: 0.30}, Heals(1.0, 2.5, 0.9), job=0.5,
        ), 5, 60, 250, is_a_racks=False,
    ),
    Storm(
        Cause(
            "a distribution unit fails", 0, {"off": 0.6, "silent, BMC too": 0.4},
            {ON: 0.10}, {ON: 0.10}, Heals(0.6, 5.0, 0.7),
        ), 1.5, 30, 40, is_a_racks=True,
    ),
    Storm(
        Cause(
            "cooling fails", 0, {"off": 1.0}, {ON: 0.15}, {ON: 0.25}, Heals(0.2, 8.0, 0.5),
        ), 0.7, 40, 160, is_a_racks=False,
    ),
    Storm(
        Cause(
            "an image breaks slurmd", 0, {"slurmd stopped": 0.7, "slurmd stopped, log": 0.3},
            {RESTART: 0.04, CYCLE: 0.04}, {CYCLE: 0.02}, Heals(0.9, 4.0, 0.7),
        ), 1.5, 30, 120, is_a_racks=False,
    ),
)  # fmt: skip

# ---- what things cost, in hours of a node ----

PRESS_H, RUNS_H, HARM_H, PERSON_H = 0.15, 0.3, 24.0, 12.0
"""Somebody's attention, an action while it runs, a job that was lost, and a person who has to find out and go there."""

AS_GOOD_H = 1.0
"""An hour more or less makes nothing right or wrong."""

JOB_ENDS_H = 12.0
"""How long a job that was there goes on, on average."""

DAY = range(8, 18)
"""The hours of the day in which people look, Monday to Friday, where they are not always there; once an hour."""
